//! The stored queue: what an earlier page left, and the lock under which tabs share it.

use crate::client::Client;
use crate::entry::Entry;
use crate::face::Face;
use crate::lock::{LOCK_PATIENCE_MS, Lock};
use crate::now::Now;
use crate::output::{LockChange, Output};
use crate::queue::{Slot, SlotStanding, Source};

impl<F: Face> Client<F> {
    /// All that the stored queue holds: at the start, and again whenever the lock was got.
    ///
    /// What is stored and not known here is added. What was read here before and is stored no more was settled
    /// by another tab, and is forgotten.
    pub fn handle_restored(&mut self, now: Now, entries: Vec<Entry>) {
        self.set_now(now);
        let stored: std::collections::BTreeSet<_> =
            entries.iter().map(|entry| entry.message_id.clone()).collect();
        self.queue.remove_where(|slot| {
            slot.source == Source::Restored
                && slot.standing == SlotStanding::Ready
                && !stored.contains(&slot.entry.message_id)
        });
        for entry in entries {
            if self.queue.get_mut(&entry.message_id).is_none() {
                self.queue.insert(Slot {
                    entry,
                    standing: SlotStanding::Ready,
                    source: Source::Restored,
                    waiters: Vec::new(),
                });
            }
        }
        if self.online().is_some() {
            self.begin_flush();
        }
    }

    /// The lock of the stored queue is held (`true`), or was lost or cannot be had (`false`).
    pub fn handle_lock(&mut self, now: Now, granted: bool) {
        self.set_now(now);
        match (self.lock, granted) {
            // It came when it was not needed any more.
            (Lock::None, true) => self.outputs.push_back(Output::Lock(LockChange::Release)),
            (_, true) => {
                self.lock = Lock::Held;
                self.pump();
                self.end_flush_if_done();
            }
            (Lock::None, false) => {}
            (_, false) => {
                self.lock = Lock::Overdue;
                self.pump();
            }
        }
    }

    /// The connection is up: what waited is sent, under the lock where tabs share the queue.
    pub(super) fn begin_flush(&mut self) {
        if let Some(user) = self.connection.user.clone() {
            self.adopt(&user);
        }
        if self.config.queue.shared && self.lock == Lock::None && self.has_kept_entries() {
            self.lock = Lock::Asked {
                patience_ends: self.after(LOCK_PATIENCE_MS),
            };
            self.outputs.push_back(Output::Lock(LockChange::Acquire));
        }
        self.pump();
    }

    /// Gives the lock back when nothing is left that another tab might send too.
    pub(super) fn end_flush_if_done(&mut self) {
        if self.lock != Lock::None && !self.has_kept_entries() {
            self.lock = Lock::None;
            self.outputs.push_back(Output::Lock(LockChange::Release));
            self.pump();
        }
    }

    pub(super) fn lock_deadline(&mut self) {
        if let Lock::Asked { patience_ends } = self.lock
            && self.is_due(patience_ends)
        {
            self.lock = Lock::Overdue;
            self.pump();
        }
    }

    /// The connection is gone: what is not acked is sent again on the next one, and another tab may do it first.
    pub(super) fn queue_lost(&mut self) {
        self.queue.handle_unanswered(None);
        for slot in self.queue.slots_mut() {
            if slot.source == Source::Fresh {
                slot.source = Source::Kept;
            }
        }
        self.queue_retry_at = None;
        if self.lock != Lock::None {
            self.lock = Lock::None;
            self.outputs.push_back(Output::Lock(LockChange::Release));
        }
    }

    /// Whether entries of ours wait that another tab may know of.
    fn has_kept_entries(&self) -> bool {
        let Some(sender) = self.sender() else {
            return false;
        };
        let mut slots = self.queue.slots();
        slots.any(|slot| slot.source != Source::Fresh && sender.owns(&slot.entry))
    }
}
