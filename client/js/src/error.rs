//! What is thrown and rejected with: the fields of the package's `RealtimeError`.

use bmt_client_web::ClientError;
use bmt_shared::error::Failure;
use wasm_bindgen::JsValue;

use crate::object::Fields;

/// An error of the client, about a channel where it is about one.
pub(crate) fn write(error: &ClientError, topic: Option<&str>) -> JsValue {
    if let Some(failure) = error.failure() {
        return refusal(failure, topic);
    }
    Fields::new()
        .set("code", error.code())
        .set("message", error.to_string())
        .set("retryable", error.is_retryable())
        .maybe("topic", topic)
        .done()
}

/// A refusal of the server's, under the server's own code.
pub(crate) fn refusal(failure: &Failure, topic: Option<&str>) -> JsValue {
    Fields::new()
        .set("code", failure.code.as_str())
        .set("message", failure.message.as_str())
        .set("retryable", failure.code.is_retryable())
        .maybe("topic", topic)
        .maybe_number("retryAfterMs", failure.retry_after_ms)
        .done()
}

/// Arguments that cannot be taken, found before anything is sent.
pub(crate) fn invalid(message: &str, topic: Option<&str>) -> JsValue {
    Fields::new()
        .set("code", "invalid_message")
        .set("message", message)
        .set("retryable", false)
        .maybe("topic", topic)
        .done()
}
