//! Identifiers: of a client's message, of the server's message, of a connection.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Most bytes a client's `messageId` may have (SPEC §4).
pub const MAX_MESSAGE_ID_BYTES: usize = 64;

/// A client-made `messageId`: the key by which a publish happens only once.
///
/// Invariant: 1–64 printable ASCII bytes (0x20–0x7e).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageId(Arc<str>);

/// A text that is no `messageId`. The server answers it with `invalid_message`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageIdError;

impl fmt::Display for MessageIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`messageId` must be 1 to {MAX_MESSAGE_ID_BYTES} printable ASCII characters"
        )
    }
}

impl std::error::Error for MessageIdError {}

impl MessageId {
    /// Takes a text that a client sent as its `messageId`.
    pub fn parse(id: &str) -> Result<Self, MessageIdError> {
        let printable = id.bytes().all(|b| (0x20..=0x7e).contains(&b));
        if id.is_empty() || id.len() > MAX_MESSAGE_ID_BYTES || !printable {
            return Err(MessageIdError);
        }
        Ok(Self(Arc::from(id)))
    }

    /// Makes the default form, `msg_<ms>_<9 base36>` (SPEC §4), from the time and 64 random bits.
    #[must_use]
    pub fn mint(unix_ms: u64, random: u64) -> Self {
        const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
        let mut rest = random;
        let mut id = format!("msg_{unix_ms}_");
        for _ in 0..9 {
            id.push(char::from(DIGITS[usize::try_from(rest % 36).expect("below 36")]));
            rest /= 36;
        }
        Self(Arc::from(id))
    }

    /// The text as it stands on the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl Serialize for MessageId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for MessageId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let id = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Self::parse(&id).map_err(serde::de::Error::custom)
    }
}

macro_rules! opaque_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Wraps a text that is already known to be such an id.
            #[must_use]
            pub fn new(id: &str) -> Self {
                Self(Arc::from(id))
            }

            /// The text as it stands on the wire.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }
    };
}

opaque_id!(
    /// The server's id of a stored message; unique over all channels, opaque to clients.
    ServerMessageId
);
opaque_id!(
    /// The public name of one connection, minted by the server. Never the transport's private session id.
    ConnectionId
);
opaque_id!(
    /// Who a token speaks for: the JWT's `sub`.
    UserId
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_ids_are_short_printable_ascii() {
        assert!(MessageId::parse("msg_1_a").is_ok());
        assert!(MessageId::parse(&"x".repeat(64)).is_ok());
        for bad in ["", "é", "a\n", &"x".repeat(65)] {
            assert_eq!(MessageId::parse(bad), Err(MessageIdError), "{bad:?}");
        }
    }

    #[test]
    fn minted_ids_have_the_documented_form() {
        let id = MessageId::mint(1_700_000_000_000, u64::MAX);
        let random = id.as_str().strip_prefix("msg_1700000000000_").unwrap();
        assert_eq!(random.len(), 9);
        assert!(
            random
                .bytes()
                .all(|b| b.is_ascii_digit() || b.is_ascii_lowercase())
        );
    }
}
