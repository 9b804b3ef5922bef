//! Why a request of the application failed.

use std::fmt;

use bmt_shared::error::Failure;

use crate::face::FaceError;

/// Why a request failed, or what went wrong without one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientError {
    /// The request needs a connection and there is none.
    NotConnected,
    /// `disconnect` was called, or the subscription it was about was given up.
    Cancelled,
    /// No answer came in time.
    Timeout,
    /// The server refused.
    Refused(Failure),
    /// The server refused a queued message for good.
    Rejected(Failure),
    /// The message is larger than the server takes.
    TooLarge {
        /// Its size.
        bytes: u64,
        /// The most.
        limit: u64,
    },
    /// The queue was full.
    QueueOverflow,
    /// The message waited too long.
    QueueExpired,
    /// What the server sent cannot be read.
    Unreadable(FaceError),
    /// The application had no token to give.
    Token(String),
}

impl ClientError {
    /// The code for programs: a code of SPEC §10, or a word of this client's.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::NotConnected => "not_connected",
            Self::Cancelled => "cancelled",
            Self::Timeout => "timeout",
            Self::Refused(failure) => failure.code.as_str(),
            Self::Rejected(_) => "rejected",
            Self::TooLarge { .. } => "message_too_large",
            Self::QueueOverflow => "queue_overflow",
            Self::QueueExpired => "queue_expired",
            Self::Unreadable(_) => "server_error",
            Self::Token(_) => "authentication_failed",
        }
    }

    /// Whether the same request may succeed later without being changed.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::NotConnected | Self::Timeout | Self::QueueOverflow | Self::QueueExpired => true,
            Self::Refused(failure) => failure.code.is_retryable(),
            Self::Cancelled
            | Self::Rejected(_)
            | Self::TooLarge { .. }
            | Self::Unreadable(_)
            | Self::Token(_) => false,
        }
    }

    /// The server's refusal, where there is one.
    #[must_use]
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Refused(failure) | Self::Rejected(failure) => Some(failure),
            _ => None,
        }
    }

    /// The refusal of a payload that is over the limit.
    pub(crate) fn too_large(bytes: usize, limit: u64) -> Self {
        Self::TooLarge {
            bytes: bytes as u64,
            limit,
        }
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotConnected => {
                f.write_str("there is no connection; connect first, or try again when it is back")
            }
            Self::Cancelled => {
                f.write_str("the client was disconnected or unsubscribed before the answer came")
            }
            Self::Timeout => f.write_str("the server did not answer in time; try again"),
            Self::Refused(failure) => f.write_str(&failure.message),
            Self::Rejected(failure) => {
                write!(
                    f,
                    "the server refused the message ({}): {}",
                    failure.code, failure.message
                )
            }
            Self::TooLarge { bytes, limit } => write!(
                f,
                "the message has {bytes} bytes and the server takes {limit} at most; send less, or upload a file"
            ),
            Self::QueueOverflow => {
                f.write_str("too many messages wait to be sent; try again when they are gone")
            }
            Self::QueueExpired => {
                f.write_str("the message waited too long for a connection and was dropped; send it again")
            }
            Self::Unreadable(error) => write!(f, "what the server sent cannot be read: {error}"),
            Self::Token(why) => write!(f, "no token to connect with: {why}"),
        }
    }
}

impl std::error::Error for ClientError {}

impl From<Failure> for ClientError {
    fn from(failure: Failure) -> Self {
        Self::Refused(failure)
    }
}
