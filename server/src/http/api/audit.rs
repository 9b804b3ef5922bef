//! `GET /api/v1/audit`: what was done, and what was refused (SPEC §8). Nothing here writes.

use axum::Json;
use axum::extract::State;
use bmt_shared::error::ErrorCode;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::http::Refusal;
use crate::http::body::Query;
use crate::http::control::Control;
use crate::http::paging;
use crate::records::{AuditPage, AuditQuery, Outcome};

/// Rows of a page where nothing is said.
const PAGE: usize = 50;
/// Most rows of a page.
const PAGE_MAX: usize = 200;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Wanted {
    /// Only of this user or key.
    actor: Option<String>,
    /// Only this act; with a dot at its end, all acts that begin so (`auth.`).
    act: Option<String>,
    /// Only with this target.
    target: Option<String>,
    /// `done`, `denied` or `failed`.
    outcome: Option<String>,
    /// Not before this time, ms since the Unix epoch.
    from: Option<u64>,
    /// Before this time, ms since the Unix epoch.
    to: Option<u64>,
    /// The next page: what the last one named as `nextCursor`.
    cursor: Option<String>,
    /// Most rows, 1–200; 50 where nothing is said.
    limit: Option<usize>,
}

pub(super) async fn list(
    State(control): State<Control>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<AuditPage>, Refusal> {
    let outcome = match wanted.outcome.as_deref() {
        None => None,
        Some(text) => Some(Outcome::parse(text).ok_or_else(|| {
            Refusal::new(
                ErrorCode::InvalidMessage,
                "`outcome` must be done, denied or failed.",
            )
        })?),
    };
    let before = wanted
        .cursor
        .map(|cursor| cursor.parse().map_err(|_| paging::unknown()));
    let before = before.transpose()?;
    let query = AuditQuery {
        concerning: None,
        actor: wanted.actor,
        act: wanted.act,
        target: wanted.target,
        outcome,
        from_ms: wanted.from,
        to_ms: wanted.to,
        before,
        limit: paging::limit(wanted.limit, PAGE, PAGE_MAX)?,
    };
    let page = control.records.audit(query).await;
    page.map(Json)
        .map_err(|error| Refusal::incident("the audit log could not be read", &error))
}
