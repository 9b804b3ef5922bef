//! What date it is: a clock that may be set at any time, made into one that cannot.

use crate::entry::Clock;
use crate::now::Now;

/// Times before 2020 are no server's clock, but a device's that has not heard the time yet.
const EARLIEST_UNIX_MS: u64 = 1_577_836_800_000;

/// Dates that go on as the monotonic clock does, from what the wall clock said at first, and from each greeting on
/// from what the server said: a wall clock that is wrong, or set while messages wait, changes none of them.
///
/// Where the monotonic clock stands still while the device sleeps, dates lag behind until the next greeting.
#[derive(Debug, Default)]
pub(crate) struct Calendar(Option<Anchor>);

/// Both clocks at one moment.
#[derive(Clone, Copy, Debug)]
struct Anchor {
    at: Now,
    clock: Clock,
}

impl Calendar {
    /// The first times that are told decide, until the server says better.
    pub(crate) fn begin(&mut self, now: Now) {
        self.0.get_or_insert(Anchor {
            at: now,
            clock: Clock::Own,
        });
    }

    /// The server says what time it is; whether that can be.
    pub(crate) fn learn(&mut self, monotonic_ms: u64, server_ms: u64) -> bool {
        if server_ms < EARLIEST_UNIX_MS {
            return false;
        }
        let at = Now {
            monotonic_ms,
            unix_ms: server_ms,
        };
        let clock = Clock::Server;
        self.0 = Some(Anchor { at, clock });
        true
    }

    /// Ms since the Unix epoch.
    pub(crate) fn unix_ms(&self, now: Now) -> u64 {
        match self.0 {
            Some(Anchor { at, .. }) => {
                let passed = now.monotonic_ms.saturating_sub(at.monotonic_ms);
                at.unix_ms.saturating_add(passed)
            }
            None => now.unix_ms,
        }
    }

    /// Whose clock that is.
    pub(crate) fn clock(&self) -> Clock {
        self.0.map_or(Clock::Own, |anchor| anchor.clock)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: u64 = 86_400_000;
    const START_MS: u64 = 1_700_000_000_000;

    fn at(monotonic_ms: u64, unix_ms: u64) -> Now {
        Now {
            monotonic_ms,
            unix_ms,
        }
    }

    #[test]
    fn a_clock_that_is_set_changes_no_date() {
        let mut calendar = Calendar::default();
        calendar.begin(at(10, START_MS));
        for set in [START_MS - DAY_MS, START_MS, START_MS + DAY_MS] {
            calendar.begin(at(15, set));
            assert_eq!(calendar.unix_ms(at(15, set)), START_MS + 5);
        }
        assert_eq!(calendar.clock(), Clock::Own);
    }

    #[test]
    fn the_server_knows_better_unless_it_knows_nothing() {
        let mut calendar = Calendar::default();
        calendar.begin(at(10, START_MS));
        assert!(!calendar.learn(10, 5));
        assert_eq!(calendar.unix_ms(at(11, START_MS)), START_MS + 1);
        assert!(calendar.learn(20, START_MS + DAY_MS));
        assert_eq!(calendar.unix_ms(at(27, START_MS)), START_MS + DAY_MS + 7);
        assert_eq!(calendar.clock(), Clock::Server);
    }
}
