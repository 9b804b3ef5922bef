//! A connection that asks for more than it gets is read more slowly.
//!
//! A refusal is cheap and not free: reading a request and answering it costs as much as most that are granted. So
//! who is refused all the time is not read for a while, and what it sends waits in its own machine: others notice
//! nothing, and nothing of it is lost. Every refusal counts, whatever its reason.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What a refusal costs, ms: 250 a second are answered without a pause.
const REFUSAL_MS: u64 = 4;
/// Refusals at once before the first pause, as what they cost, ms: a burst of a client that has not heard yet of
/// its limit.
const FREE_MS: u64 = 1_000 * REFUSAL_MS;
/// Most that is held against a connection beyond that, ms: so long at most it is not read.
const PAUSE_MOST_MS: u64 = 2_000;
/// The shortest pause, ms: several requests are read together after it.
const PAUSE_LEAST_MS: u64 = 20;

/// See the [module](self).
#[derive(Debug, Default)]
pub(super) struct Patience {
    /// Until when the refusals so far have been paid for, ms since the Unix epoch.
    paid_at_ms: AtomicU64,
}

impl Patience {
    /// One more request was refused.
    pub(super) fn lose(&self, now_ms: u64) {
        let most = now_ms + FREE_MS + PAUSE_MOST_MS;
        let next = |paid_at_ms: u64| Some((paid_at_ms.max(now_ms) + REFUSAL_MS).min(most));
        // The closure never declines.
        let _ = self
            .paid_at_ms
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
    }

    /// For how long the connection is not to be read.
    pub(super) fn pause(&self, now_ms: u64) -> Option<Duration> {
        let owed_ms = self.paid_at_ms.load(Ordering::Relaxed).saturating_sub(now_ms);
        let over_ms = owed_ms.checked_sub(FREE_MS).filter(|over_ms| *over_ms > 0)?;
        // A clock that was set back is no reason to wait for it.
        Some(Duration::from_millis(
            over_ms.clamp(PAUSE_LEAST_MS, PAUSE_MOST_MS),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_000_000;

    #[test]
    fn a_burst_of_refusals_is_free_and_then_each_costs() {
        let patience = Patience::default();
        for _ in 0..1_000 {
            patience.lose(NOW);
        }
        assert_eq!(patience.pause(NOW), None);
        for _ in 0..25 {
            patience.lose(NOW);
        }
        assert_eq!(patience.pause(NOW), Some(Duration::from_millis(100)));
        assert_eq!(patience.pause(NOW + 100), None);
    }

    #[test]
    fn a_flood_is_held_up_for_two_seconds_at_most_and_then_forgiven() {
        let patience = Patience::default();
        for _ in 0..100_000 {
            patience.lose(NOW);
        }
        assert_eq!(patience.pause(NOW), Some(Duration::from_secs(2)));
        assert_eq!(patience.pause(NOW + 2_000), None);
    }

    #[test]
    fn in_the_long_run_250_refusals_a_second_are_answered() {
        let patience = Patience::default();
        let (mut now_ms, mut refused) = (NOW, 0);
        while now_ms < NOW + 60_000 {
            // As many as one read brings.
            for _ in 0..40 {
                patience.lose(now_ms);
                refused += 1;
            }
            now_ms += patience
                .pause(now_ms)
                .map_or(1, |pause| u64::try_from(pause.as_millis()).unwrap());
        }
        assert!((15_000..17_000).contains(&refused), "{refused} in a minute");
    }
}
