//! How long a commit waits for company.
//!
//! Publishers that wait for their acks come back all at once after a commit. The first of them would start the next
//! one alone and leave the others to wait for a whole further sync. And who came while a commit was under way would
//! start the next one without those whom it has just answered: two crowds would take turns, each waiting for the
//! other's sync. So the writer waits a moment for both. Where they do not come, it does not wait for them for a
//! while. A lone publisher never waits: last time there was one row, and nobody came meanwhile.

use std::time::Duration;

use crate::history::BATCH_ROWS;

/// Longest wait (DESIGN §2).
const MOST: Duration = Duration::from_millis(2);
/// Commits for which two crowds are left alone that did not meet.
const APART: u32 = 64;

/// What the last commit was like.
pub(super) struct Pace {
    rows: usize,
    took: Duration,
    expected: usize,
    /// Commits until the next attempt to bring two crowds together.
    apart: u32,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self {
            rows: 0,
            took: Duration::ZERO,
            expected: 0,
            apart: 0,
        }
    }

    /// How many rows the next commit waits for, where so many came while the last one was under way.
    pub(super) fn expect(&mut self, meanwhile: usize) -> usize {
        let expected = if self.apart == 0 {
            self.rows + meanwhile
        } else {
            self.rows
        };
        self.expected = expected.min(BATCH_ROWS);
        self.expected
    }

    /// How long it waits for them: half a commit, for what is gained is a whole one.
    pub(super) fn patience(&self) -> Duration {
        MOST.min(self.took / 2)
    }

    /// A commit of so many rows is done.
    pub(super) fn note(&mut self, rows: usize, took: Duration) {
        // Of two crowds as large as each other that do not meet, half of those who are expected come; of messages
        // that come by the clock, three quarters.
        let met = rows * 8 >= self.expected * 7;
        self.apart = if met { self.apart.saturating_sub(1) } else { APART };
        self.rows = rows;
        self.took = took;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYNC: Duration = Duration::from_millis(16);

    #[test]
    fn one_waits_for_nobody_and_many_wait_for_each_other() {
        let mut pace = Pace::new();
        assert_eq!(pace.expect(0), 0);
        pace.note(1, SYNC);
        assert_eq!(pace.expect(0), 1);
        pace.note(64, Duration::from_millis(1));
        assert_eq!(
            (pace.expect(0), pace.patience()),
            (64, Duration::from_micros(500))
        );
        pace.note(10 * BATCH_ROWS, Duration::from_secs(1));
        assert_eq!((pace.expect(0), pace.patience()), (BATCH_ROWS, MOST));
    }

    #[test]
    fn two_crowds_that_take_turns_are_brought_together() {
        let mut pace = Pace::new();
        pace.note(32, SYNC);
        assert_eq!(pace.expect(32), 64);
        pace.note(64, SYNC);
        assert_eq!(pace.expect(0), 64);
    }

    #[test]
    fn who_does_not_come_is_not_waited_for_again_and_again() {
        let mut pace = Pace::new();
        pace.note(48, SYNC);
        for _ in 0..2 {
            assert_eq!(pace.expect(32), 80);
            pace.note(48, SYNC);
            for _ in 0..APART {
                assert_eq!(pace.expect(32), 48);
                pace.note(48, SYNC);
            }
        }
    }
}
