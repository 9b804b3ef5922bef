//! `GET /healthz` and `GET /readyz`, for whoever runs the process (SPEC §8).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use bmt_shared::error::ErrorCode;
use serde_json::{Value, json};

use super::Refusal;
use crate::node::Node;

/// The process answers.
pub(super) async fn alive() -> Json<Value> {
    Json(json!({"status": "ok"}))
}

/// New connections are welcome: the stores can be written to and the end has not begun.
pub(super) async fn ready(State(node): State<Arc<Node>>) -> Result<Json<Value>, Refusal> {
    if node.shutdown.has_begun() {
        return Err(Refusal::new(
            ErrorCode::ConnectError,
            "The server is stopping. Use another one.",
        )
        .with_status(StatusCode::SERVICE_UNAVAILABLE));
    }
    node.accounts.check_writable().await.map_err(|error| {
        Refusal::incident("the account store cannot be written to", &error)
            .with_status(StatusCode::SERVICE_UNAVAILABLE)
    })?;
    if !node.histories.is_writable() {
        let cause = "messages could not be stored; free space on its disk, or use another server";
        return Err(Refusal::incident("the message store cannot be written to", &cause).unavailable());
    }
    Ok(Json(json!({"status": "ready"})))
}
