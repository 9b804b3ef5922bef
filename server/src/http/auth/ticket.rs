//! `POST /api/v1/ws-ticket`: what opens one connection, once, within half a minute (SPEC §2).

use std::sync::Arc;

use crate::auth::{TICKET_MS, TooManyTickets};
use crate::clock;
use crate::http::{Caller, Refusal};
use crate::node::Node;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{AppendHeaders, IntoResponse, Response};
use bmt_shared::error::ErrorCode;
use serde::Serialize;
use utoipa::ToSchema;

/// What opens one connection.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct Ticket {
    ticket: String,
    /// Seconds.
    expires_in: u64,
}

pub(super) async fn post(
    State(node): State<Arc<Node>>,
    Caller(identity): Caller,
) -> Result<Response, Refusal> {
    let ticket = node.authenticator.issue_ticket(identity, clock::unix_ms());
    let ticket = ticket.map_err(|TooManyTickets| {
        Refusal::new(
            ErrorCode::RateLimited,
            "Too many tickets wait to be used. Use those you have, or wait half a minute.",
        )
        .retry_after(TICKET_MS)
    })?;
    let body = Ticket {
        ticket,
        expires_in: TICKET_MS / 1_000,
    };
    let headers = AppendHeaders([(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))]);
    Ok((headers, axum::Json(body)).into_response())
}
