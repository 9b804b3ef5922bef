//! To how many connections the newest messages were handed: a repeated publish is answered as the first was.

use std::collections::VecDeque;

use bmt_shared::position::Seq;

/// Messages whose count is remembered. Nearly all repetitions follow within seconds, after a reconnect; for an
/// older one the count is told as 0.
pub const DELIVERED_KNOWN: usize = 1_024;

/// Counts by seq, ascending.
#[derive(Debug, Default)]
pub(super) struct Delivered(VecDeque<(Seq, u64)>);

impl Delivered {
    /// Notes a message above all that were noted.
    pub(super) fn note(&mut self, seq: Seq, count: u64) {
        if self.0.len() == DELIVERED_KNOWN {
            self.0.pop_front();
        }
        self.0.push_back((seq, count));
    }

    pub(super) fn of(&self, seq: Seq) -> u64 {
        let at = self.0.binary_search_by_key(&seq, |(known, _)| *known);
        at.map_or(0, |at| self.0[at].1)
    }

    /// The numbering began again.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_counts_are_known() {
        let mut delivered = Delivered::default();
        for seq in 1..=DELIVERED_KNOWN as u64 + 1 {
            delivered.note(seq, seq * 2);
        }
        assert_eq!((delivered.of(1), delivered.of(2)), (0, 4));
        assert_eq!(delivered.of(DELIVERED_KNOWN as u64 + 2), 0);
    }
}
