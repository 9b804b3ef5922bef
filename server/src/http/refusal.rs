//! Requests that are refused: the failure object of SPEC §4 in a body.

use std::any::Any;
use std::fmt::Display;

use axum::body::Body;
use axum::extract::OriginalUri;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bmt_shared::error::{AuthReason, ErrorCode, Failure};
use tracing::error;

use crate::{random, telemetry};

/// A refused request. The body is written where the request's id is known, in `request`.
#[derive(Clone, Debug)]
pub struct Refusal {
    failure: Failure,
    status: StatusCode,
    /// The message that was refused; otherwise the body names the request.
    message_id: Option<String>,
}

impl Refusal {
    /// A refusal with its code's own status.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Failure::new(code, message).into()
    }

    /// The same with another status, where HTTP has a better one.
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// The same with a time to wait, ms.
    #[must_use]
    pub fn retry_after(mut self, ms: u64) -> Self {
        self.failure = self.failure.retry_after(ms);
        self
    }

    /// Our fault: the cause goes into the log under an id, and only the id is told.
    pub fn incident(what: &str, cause: &dyn Display) -> Self {
        let incident = random::text::<9>();
        error!(incident, cause = %cause, "{what}");
        telemetry::note_incident(&incident);
        Self::new(
            ErrorCode::ServerError,
            format!(
                "The server failed to do this. Try again; if it stays so, tell its operator the incident {incident}."
            ),
        )
    }

    /// The same as a passing state of the server.
    #[must_use]
    pub fn unavailable(self) -> Self {
        self.with_status(StatusCode::SERVICE_UNAVAILABLE)
    }

    /// The same as the answer to a message of this id.
    #[must_use]
    pub fn answering(mut self, message_id: &str) -> Self {
        self.message_id = Some(message_id.to_owned()).filter(|id| !id.is_empty());
        self
    }

    /// What is named is not there.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::InvalidOperation, message).with_status(StatusCode::NOT_FOUND)
    }

    /// The object as JSON.
    pub(super) fn body(&self, request_id: &str) -> String {
        let mut body = String::new();
        let id = self.message_id.as_deref().unwrap_or(request_id);
        self.failure.write_socketio(Some(id), &mut body);
        body
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        let status = StatusCode::from_u16(failure.code.http_status());
        Self {
            failure,
            status: status.expect("the table of codes holds HTTP statuses"),
            message_id: None,
        }
    }
}

impl From<AuthReason> for Refusal {
    fn from(reason: AuthReason) -> Self {
        Self::new(ErrorCode::AuthenticationFailed, reason.to_string())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.status;
        if let Some(ms) = self.failure.retry_after_ms {
            let seconds = HeaderValue::from(ms.div_ceil(1_000));
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        if self.status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        response.extensions_mut().insert(self);
        response
    }
}

pub(super) async fn no_such_address(OriginalUri(uri): OriginalUri) -> Refusal {
    let message = format!("There is no {} here. Check the address.", uri.path());
    Refusal::new(ErrorCode::InvalidOperation, message).with_status(StatusCode::NOT_FOUND)
}

pub(super) async fn method_not_allowed(method: Method, OriginalUri(uri): OriginalUri) -> Refusal {
    let message = format!(
        "{method} is not possible on {}. The header `Allow` says what is.",
        uri.path()
    );
    Refusal::new(ErrorCode::InvalidOperation, message).with_status(StatusCode::METHOD_NOT_ALLOWED)
}

/// A panic is our fault; its text may hold anything, so it goes to the log alone.
#[expect(
    clippy::needless_pass_by_value,
    reason = "the panic layer hands the payload over"
)]
pub(super) fn panicked(payload: Box<dyn Any + Send>) -> Response {
    let text = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without a text");
    Refusal::incident("a request panicked", &text).into_response()
}

pub(super) fn too_slow() -> Refusal {
    Refusal::new(
        ErrorCode::InvalidMessage,
        "The request did not arrive in time. Check the connection and send it again.",
    )
    .with_status(StatusCode::REQUEST_TIMEOUT)
}
