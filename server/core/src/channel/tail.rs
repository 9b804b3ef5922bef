//! The newest messages of an active channel, so that hot recoveries and first pages never touch the disk.

use std::collections::VecDeque;
use std::sync::Arc;

use bmt_shared::position::Seq;

use super::entry::Entry;
use super::retention::Retention;

/// Most messages a tail holds: what one recovery may hold, so a whole one fits.
pub const TAIL_MESSAGES: usize = bmt_shared::limits::RECOVERY_MESSAGES;
/// Most bytes a tail holds: what one recovery may hold.
pub const TAIL_BYTES: usize = bmt_shared::limits::RECOVERY_BYTES;

/// A run of consecutive messages that ends with the channel's newest one. Beyond its bounds the oldest leave.
#[derive(Debug)]
pub(super) struct Tail {
    entries: VecDeque<Arc<Entry>>,
    bytes: usize,
}

impl Tail {
    pub(super) fn new(newest: Vec<Arc<Entry>>) -> Self {
        let mut tail = Self {
            entries: VecDeque::new(),
            bytes: 0,
        };
        for entry in newest {
            tail.push(entry);
        }
        tail
    }

    pub(super) fn push(&mut self, entry: Arc<Entry>) {
        let follows = self
            .entries
            .back()
            .is_none_or(|last| last.seq() + 1 == entry.seq());
        if !follows {
            self.clear();
        }
        self.bytes += entry.size_bytes();
        self.entries.push_back(entry);
        self.shrink(TAIL_MESSAGES, TAIL_BYTES);
    }

    /// Puts the new form of a message in the place of the old one, where that is here.
    pub(super) fn replace(&mut self, entry: Arc<Entry>) {
        let at = self.entries.partition_point(|held| held.seq() < entry.seq());
        if let Some(held) = self.entries.get_mut(at).filter(|held| held.seq() == entry.seq()) {
            self.bytes = self.bytes + entry.size_bytes() - held.size_bytes();
            *held = entry;
        }
    }

    /// Lets the oldest go until the bounds hold.
    pub(super) fn shrink(&mut self, messages: usize, bytes: usize) {
        while self.entries.len() > messages || self.bytes > bytes {
            let Some(oldest) = self.entries.pop_front() else {
                return;
            };
            self.bytes -= oldest.size_bytes();
        }
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.bytes = 0;
    }

    /// Lets go what the history does not keep any more.
    pub(super) fn trim(&mut self, top: Seq, retention: Retention, now_ms: u64) {
        let oldest = retention.oldest_by_size(top);
        let too_old = retention.expired_until_ms(now_ms);
        while let Some(entry) = self.entries.front() {
            if entry.seq() >= oldest && entry.message.timestamp > too_old {
                return;
            }
            self.bytes -= entry.size_bytes();
            self.entries.pop_front();
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Seq of the oldest message in the tail.
    pub(super) fn first(&self) -> Option<Seq> {
        self.entries.front().map(|entry| entry.seq())
    }

    /// Messages above `after`, oldest first.
    pub(super) fn after(&self, after: Seq) -> impl DoubleEndedIterator<Item = &Arc<Entry>> {
        let from = self.entries.partition_point(|entry| entry.seq() <= after);
        self.entries.range(from..)
    }

    /// Messages below `below`, oldest first.
    pub(super) fn below(&self, below: Seq) -> impl DoubleEndedIterator<Item = &Arc<Entry>> {
        let until = self.entries.partition_point(|entry| entry.seq() < below);
        self.entries.range(..until)
    }
}
