//! JSON bodies in: one extractor whose refusals name the field.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse};
use bmt_shared::error::ErrorCode;
use serde::de::DeserializeOwned;

use super::Refusal;

/// The body of a request, read as JSON whatever its `Content-Type` says, except a form's: another site's page can
/// send a form without being asked.
pub(super) struct Json<T>(pub(super) T);

/// The same as its text, for a reader of its own.
pub(super) struct Text(pub(super) String);

impl<S: Send + Sync> FromRequest<S> for Text {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let bytes = arrive(request, state).await?;
        String::from_utf8(bytes.into())
            .map(Self)
            .map_err(|_| Refusal::new(ErrorCode::InvalidMessage, "The body is not UTF-8."))
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let bytes = arrive(request, state).await?;
        let mut json = serde_json::Deserializer::from_slice(&bytes);
        let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
            let field = error.path().to_string();
            let message = match error.inner().classify() {
                serde_json::error::Category::Data if field == "." => {
                    format!("The body is wrong: {}.", what(&error))
                }
                serde_json::error::Category::Data => format!("`{field}` is wrong: {}.", what(&error)),
                _ => "The body is not JSON.".to_owned(),
            };
            Refusal::new(ErrorCode::InvalidMessage, message)
        })?;
        json.end().map_err(|_| {
            Refusal::new(
                ErrorCode::InvalidMessage,
                "The body has more than one JSON value.",
            )
        })?;
        Ok(Self(value))
    }
}

async fn arrive<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Refusal> {
    let kind = request.headers().get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.trim().to_ascii_lowercase().starts_with("application/json") {
        return Err(Refusal::new(
            ErrorCode::InvalidMessage,
            "The body must be JSON: send it with the header `Content-Type: application/json`.",
        )
        .with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE));
    }
    Bytes::from_request(request, state).await.map_err(|error| {
        if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
            Refusal::new(
                ErrorCode::MessageTooLarge,
                "The body is too large for this request.",
            )
        } else {
            Refusal::new(
                ErrorCode::InvalidMessage,
                "The body did not arrive whole. Send it again.",
            )
        }
    })
}

/// The query of an address, read into a type; parameters that do not exist are refused.
pub(super) struct Query<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let read = axum::extract::Query::<T>::try_from_uri(&parts.uri);
        read.map(|query| Self(query.0)).map_err(|error| {
            let what = std::error::Error::source(&error).map_or_else(String::new, |what| format!(": {what}"));
            Refusal::new(
                ErrorCode::InvalidMessage,
                format!("The query of the address is wrong{what}."),
            )
        })
    }
}

/// An answer that no cache may keep: it holds a secret.
pub(super) fn unstored(answer: impl IntoResponse) -> impl IntoResponse {
    let no_store = HeaderValue::from_static("no-store");
    (AppendHeaders([(header::CACHE_CONTROL, no_store)]), answer)
}

/// What is wrong, without the value: it may be a password.
fn what(error: &serde_path_to_error::Error<serde_json::Error>) -> String {
    let text = error.inner().to_string();
    if let Some(field) = text.strip_prefix("missing field ") {
        let field = field.split(" at line").next().unwrap_or(field);
        return format!("the field {field} is missing");
    }
    match text.split_once(", expected ") {
        Some((_, expected)) => {
            let expected = expected.split(" at line").next().unwrap_or(expected);
            format!("expected {expected}")
        }
        None => "its value does not fit".to_owned(),
    }
}
