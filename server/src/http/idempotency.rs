//! The header `Idempotency-Key`: the `messageId` of a request for those who keep such keys apart from bodies.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use bmt_shared::error::ErrorCode;
use bmt_shared::id::MessageId;

use super::Refusal;

/// The header's name.
pub(super) const KEY: &str = "idempotency-key";

/// What the header says, where there is one.
pub(super) struct IdempotencyKey(Option<MessageId>);

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let mut keys = parts.headers.get_all(KEY).iter();
        let Some(key) = keys.next() else {
            return Ok(Self(None));
        };
        let key = key.to_str().ok().and_then(|key| MessageId::parse(key).ok());
        match (key, keys.next()) {
            (Some(key), None) => Ok(Self(Some(key))),
            _ => Err(wrong("must be one key of 1 to 64 printable ASCII characters")),
        }
    }
}

impl IdempotencyKey {
    /// The key of a request whose body may name one too.
    ///
    /// # Errors
    /// Where both do, and differ: one of them would not hold.
    pub(super) fn or(&self, message_id: Option<MessageId>) -> Result<Option<MessageId>, Refusal> {
        match (&self.0, message_id) {
            (Some(key), Some(id)) if *key != id => Err(wrong(
                "and `messageId` differ. Send one of them, or the same in both",
            )),
            (key, id) => Ok(key.clone().or(id)),
        }
    }

    /// The key of one message of several, by its place: repeating the request repeats each.
    ///
    /// # Errors
    /// Where the key is too long for a place behind it.
    pub(super) fn of_place(&self, at: usize) -> Result<Option<MessageId>, Refusal> {
        let Some(key) = &self.0 else { return Ok(None) };
        let placed = MessageId::parse(&format!("{}.{at}", key.as_str()));
        placed
            .map(Some)
            .map_err(|_| wrong("is too long for a batch: 60 characters at most"))
    }
}

fn wrong(what: &str) -> Refusal {
    Refusal::new(
        ErrorCode::InvalidMessage,
        format!("The header `Idempotency-Key` {what}."),
    )
}
