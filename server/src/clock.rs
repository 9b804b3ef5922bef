//! The wall clock, read at the edge and handed inwards as a number.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since the Unix epoch.
#[must_use]
pub fn unix_ms() -> u64 {
    // A clock before 1970 is a machine without a clock: every token is then valid "not yet".
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).expect("the year is below 500 million")
}
