//! One clock for all clients of a run.

use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bmt_client_core::Now;

fn began() -> Instant {
    static BEGAN: OnceLock<Instant> = OnceLock::new();
    *BEGAN.get_or_init(Instant::now)
}

/// Microseconds since the run began.
pub(crate) fn monotonic_us() -> u64 {
    u64::try_from(began().elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// Ms since the Unix epoch.
pub(crate) fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Both clocks as the client core wants them.
pub(crate) fn now() -> Now {
    Now {
        monotonic_ms: monotonic_us() / 1_000,
        unix_ms: unix_ms(),
    }
}

/// When the monotonic clock will show so many ms.
pub(crate) fn at(monotonic_ms: u64) -> tokio::time::Instant {
    tokio::time::Instant::from_std(began() + Duration::from_millis(monotonic_ms))
}
