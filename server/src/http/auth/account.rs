//! Refusals of what somebody wants with an account.

use axum::http::StatusCode;
use bmt_shared::error::ErrorCode;

use crate::accounts::{AccountError, ChoiceError};
use crate::http::Refusal;

/// How long to wait where all places for password hashes are taken, ms: about what the queue needs.
pub(super) const BUSY_RETRY_MS: u64 = 2_000;

impl From<AccountError> for Refusal {
    fn from(error: AccountError) -> Self {
        let message = error.to_string();
        match error {
            AccountError::Unknown => {
                Self::new(ErrorCode::InvalidOperation, message).with_status(StatusCode::NOT_FOUND)
            }
            AccountError::Taken => Self::new(ErrorCode::InvalidOperation, message),
            AccountError::Unfit(_) => Self::new(ErrorCode::InvalidMessage, message),
            AccountError::Busy => Self::new(ErrorCode::RateLimited, message).retry_after(BUSY_RETRY_MS),
            AccountError::Store(error) => Self::incident("an account could not be used", &error),
        }
    }
}

impl From<ChoiceError> for Refusal {
    fn from(error: ChoiceError) -> Self {
        match error {
            ChoiceError::Closed => Self::new(
                ErrorCode::PermissionDenied,
                "Nobody can make an account here by themselves. Ask an administrator for one.",
            ),
            // The token is good, so this is no 401: a client would throw the token away.
            ChoiceError::Wrong => Self::new(
                ErrorCode::PermissionDenied,
                "The old password is wrong. Check it and try again.",
            ),
            ChoiceError::Over => Self::new(
                ErrorCode::PermissionDenied,
                "This link was used already or has ended. Ask an administrator for a new one.",
            ),
            ChoiceError::TooMany(wait_ms) => Self::new(
                ErrorCode::RateLimited,
                format!(
                    "Too many attempts. Wait {} seconds and try again.",
                    wait_ms.div_ceil(1_000)
                ),
            )
            .retry_after(wait_ms),
            ChoiceError::Account(error) => error.into(),
        }
    }
}
