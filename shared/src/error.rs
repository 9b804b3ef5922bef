//! The table of error codes: name, number, HTTP status (SPEC §10), and the failure that carries one.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $number:literal, $status:literal, $retryable:literal;)*) => {
        /// Why a request was refused. The code is for programs; the text beside it is for people.
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $($(#[$doc])* $variant,)*
            /// A code of a later protocol version, kept as it came.
            Unknown(String),
        }

        impl ErrorCode {
            /// Every code of this protocol version, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Name on Socket.IO and HTTP.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self { $(Self::$variant => $name,)* Self::Unknown(name) => name }
            }

            /// Number on the raw WebSocket (several names share one).
            #[must_use]
            pub fn number(&self) -> u16 {
                match self { $(Self::$variant => $number,)* Self::Unknown(_) => 1011 }
            }

            /// HTTP status of the same refusal.
            #[must_use]
            pub fn http_status(&self) -> u16 {
                match self { $(Self::$variant => $status,)* Self::Unknown(_) => 500 }
            }

            /// Whether the same request may succeed later without being changed.
            #[must_use]
            pub fn is_retryable(&self) -> bool {
                match self { $(Self::$variant => $retryable,)* Self::Unknown(_) => false }
            }

            /// Reads a code's name; an unknown one survives.
            #[must_use]
            pub fn parse(name: &str) -> Self {
                match name { $($name => Self::$variant,)* other => Self::Unknown(other.to_owned()) }
            }
        }
    };
}

codes! {
    /// The connection could not be made.
    ConnectError = "connect_error", 1000, 503, true;
    /// The token is missing, wrong, expired or revoked.
    AuthenticationFailed = "authentication_failed", 1001, 401, false;
    /// Unknown `protocol`, not a WebSocket, or a wrong Engine.IO version.
    InvalidProtocol = "invalid_protocol", 1002, 400, false;
    /// Our fault; the text names an incident id that the server's log holds too.
    ServerError = "server_error", 1011, 500, true;
    /// Not JSON, a missing or mistyped field (the text names it), or a malformed channel name.
    InvalidMessage = "invalid_message", 2000, 400, false;
    /// The payload is over the limit told in `connected.limits`.
    MessageTooLarge = "message_too_large", 2001, 413, false;
    /// Too many requests; `retryAfterMs` says when to come again.
    RateLimited = "rate_limited", 2002, 429, true;
    /// A known `messageId` with another body.
    IdempotencyConflict = "idempotency_conflict", 2003, 409, false;
    /// The channel's namespace is unknown.
    ChannelNotFound = "channel_not_found", 3000, 404, false;
    /// The channel's or the connection's subscription limit is reached.
    SubscribeFailed = "subscribe_failed", 3000, 409, false;
    /// The user may not do this here.
    PermissionDenied = "permission_denied", 3001, 403, false;
    /// A known request in the wrong state.
    InvalidOperation = "invalid_operation", 3002, 409, false;
    /// The connection named is gone.
    ConnectionNotFound = "connection_not_found", 3002, 404, false;
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for ErrorCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ErrorCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::parse(&std::borrow::Cow::<str>::deserialize(deserializer)?))
    }
}

/// A refused request: the code, a sentence for people, and when to try again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// See [`ErrorCode`].
    pub code: ErrorCode,
    /// What happened, why, and what to do about it.
    pub message: String,
    /// Wait this many ms before trying again, where waiting helps.
    pub retry_after_ms: Option<u64>,
}

impl Failure {
    /// A failure without a retry hint.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            retry_after_ms: None,
        }
    }

    /// Adds when to try again.
    #[must_use]
    pub fn retry_after(mut self, ms: u64) -> Self {
        self.retry_after_ms = Some(ms);
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Failure {}

/// Why a token was refused: the end of `Authentication failed: <reason>` (SPEC §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AuthReason {
    /// No token was sent and guests are not allowed.
    Missing,
    /// The text is no token of the kind that is expected here.
    Malformed,
    /// The signature, the issuer or the audience is not ours.
    InvalidSignature,
    /// Its time is over.
    Expired,
    /// Its time has not come.
    NotYetValid,
    /// The session or the user was blocked.
    Revoked,
}

impl AuthReason {
    /// Every reason.
    pub const ALL: &[Self] = &[
        Self::Missing,
        Self::Malformed,
        Self::InvalidSignature,
        Self::Expired,
        Self::NotYetValid,
        Self::Revoked,
    ];

    /// The reason as it stands on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Malformed => "malformed",
            Self::InvalidSignature => "invalid_signature",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::Revoked => "revoked",
        }
    }
}

impl fmt::Display for AuthReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authentication failed: {}", self.as_str())
    }
}

impl std::error::Error for AuthReason {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_survive_a_round_trip_even_unknown_ones() {
        for code in ErrorCode::ALL {
            assert_eq!(&ErrorCode::parse(code.as_str()), code);
        }
        assert_eq!(ErrorCode::parse("from_the_future").as_str(), "from_the_future");
    }
}
