//! A person's own logins: `GET /auth/sessions`, `DELETE /auth/sessions/{id}`, `POST /auth/logout-all` (SPEC §2).

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use bmt_shared::error::ErrorCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::session;
use crate::accounts::StoreError;
use crate::auth::{Identity, SessionId};
use crate::clock;
use crate::http::visitor::Visitor;
use crate::http::{Caller, Refusal};
use crate::node::Node;

/// One login as its person sees it. Times are ms since the epoch.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Login)]
pub(in crate::http) struct Entry {
    id: String,
    agent: String,
    created_at: u64,
    last_used_at: u64,
    expires_at: u64,
    /// Whether the request was made by it.
    current: bool,
}

/// The own logins.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct Sessions {
    sessions: Vec<Entry>,
}

pub(super) async fn list(
    State(node): State<Arc<Node>>,
    Caller(identity): Caller,
) -> Result<Response, Refusal> {
    let current = login_of(&identity)?;
    let open = node
        .accounts
        .sessions(&identity.user.user_id, clock::unix_ms())
        .await;
    let sessions = open.map_err(|error| failed(&error))?;
    let entries = sessions.into_iter().map(|open| Entry {
        current: open.session == *current,
        id: open.session.as_str().to_owned(),
        agent: open.agent,
        created_at: open.created_ms,
        last_used_at: open.used_ms,
        expires_at: open.expires_ms,
    });
    let sessions = entries.collect();
    Ok(axum::Json(Sessions { sessions }).into_response())
}

pub(super) async fn end(
    State(node): State<Arc<Node>>,
    Caller(identity): Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Refusal> {
    login_of(&identity)?;
    let (user, session) = (&identity.user.user_id, SessionId::new(&id));
    let ended = node.accounts.end_session(user, &session, clock::unix_ms()).await;
    if ended.map_err(|error| failed(&error))? {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(Refusal::new(
        ErrorCode::InvalidOperation,
        "You have no such login, or it is over already. The list of your logins shows which there are.",
    )
    .with_status(StatusCode::NOT_FOUND))
}

/// Ends every login of the caller, the one that asks included.
pub(super) async fn end_all(
    State(node): State<Arc<Node>>,
    Caller(identity): Caller,
    visitor: Visitor,
) -> Result<Response, Refusal> {
    login_of(&identity)?;
    let user = &identity.user.user_id;
    let ended = node
        .accounts
        .logout_everywhere(user, None, clock::unix_ms())
        .await;
    ended.map_err(|error| failed(&error))?;
    Ok(session::without_cookie(&node, &visitor, StatusCode::NO_CONTENT))
}

/// The login that a request is made by.
pub(super) fn login_of(identity: &Identity) -> Result<&SessionId, Refusal> {
    identity.grant.session.as_ref().ok_or_else(|| {
        Refusal::new(
            ErrorCode::InvalidOperation,
            "Your token belongs to no login of this server. Do this where you got the token from.",
        )
    })
}

fn failed(error: &StoreError) -> Refusal {
    Refusal::incident("logins could not be read or ended", error)
}
