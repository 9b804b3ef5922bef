//! The wall clock, read at the edge and handed inwards as a number.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// A clock that is handed over: ms since the Unix epoch. Tests hand over their own.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// Milliseconds since the Unix epoch.
#[must_use]
pub fn unix_ms() -> u64 {
    // A clock before 1970 is a machine without a clock: every token is then valid "not yet".
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).expect("the year is below 500 million")
}
