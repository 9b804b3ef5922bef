//! Answers of channels as HTTP says them: the objects of SPEC §4, refusals with the status of SPEC §10.

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bmt_shared::error::{ErrorCode, Failure};
use bmt_shared::reply::Reply;

use super::Refusal;

/// The answer to one request of the key `id`.
pub(super) fn respond(id: &str, reply: &Reply) -> Response {
    if let Reply::Failed(failure) = reply {
        return refuse(failure.clone()).answering(id).into_response();
    }
    let mut body = String::new();
    reply.write_socketio(id, &mut body);
    let json = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, json)], body).into_response()
}

/// A failure of ours that passes is told as such: programs and proxies come again after a 503.
pub(super) fn refuse(failure: Failure) -> Refusal {
    let passes = failure.code == ErrorCode::ServerError && failure.retry_after_ms.is_some();
    let refusal = Refusal::from(failure);
    if passes { refusal.unavailable() } else { refusal }
}
