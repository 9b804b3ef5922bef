//! How long a commit waits for company.
//!
//! Publishers that wait for their acks come back all at once after a commit. The first of them would start the
//! next one alone and leave the others to wait for a whole further sync. So the writer waits a moment until about
//! as many rows are there as last time. A lone publisher never waits: last time there was one row.

use std::time::{Duration, Instant};

use crate::history::BATCH_ROWS;

/// Longest wait (DESIGN §2).
const MOST: Duration = Duration::from_millis(2);

/// What the last commit was like.
pub(super) struct Pace {
    rows: usize,
    took: Duration,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self {
            rows: 0,
            took: Duration::ZERO,
        }
    }

    /// A commit of so many rows is done.
    pub(super) fn note(&mut self, rows: usize, took: Duration) {
        self.rows = rows;
        self.took = took;
    }

    /// Until when to wait for more than `rows`; `None` for not at all.
    pub(super) fn wait_until(&self, rows: usize, now: Instant) -> Option<Instant> {
        let expected = self.rows.min(BATCH_ROWS);
        // Half a commit: what is gained is a whole one.
        (rows < expected).then(|| now + MOST.min(self.took / 2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_waits_for_nobody_and_many_wait_for_each_other() {
        let now = Instant::now();
        let mut pace = Pace::new();
        assert_eq!(pace.wait_until(1, now), None);
        pace.note(1, Duration::from_millis(4));
        assert_eq!(pace.wait_until(1, now), None);
        pace.note(64, Duration::from_millis(1));
        assert_eq!(pace.wait_until(1, now), Some(now + Duration::from_micros(500)));
        assert_eq!(pace.wait_until(64, now), None);
        pace.note(10 * BATCH_ROWS, Duration::from_secs(1));
        assert_eq!(pace.wait_until(1, now), Some(now + MOST));
        assert_eq!(pace.wait_until(BATCH_ROWS, now), None);
    }
}
