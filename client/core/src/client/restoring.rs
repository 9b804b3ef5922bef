//! The stored queue: what an earlier page left, and the lock under which tabs share it.

use bmt_shared::sorted::SortedSet;

use crate::client::Client;
use crate::entry::{Clock, Entry};
use crate::face::Face;
use crate::lock::{LOCK_PATIENCE_MS, Lock};
use crate::now::Now;
use crate::output::{LockChange, Output};
use crate::queue::{Age, Slot, SlotStanding, Source};

impl<F: Face> Client<F> {
    /// All that the stored queue holds: at the start, and again whenever the lock was got.
    ///
    /// What is stored and not known here is added. What was read here before and is stored no more was settled
    /// by another tab, and is forgotten.
    pub fn handle_restored(&mut self, now: Now, entries: Vec<Entry>) {
        self.set_now(now);
        let stored: SortedSet<_> = entries.iter().map(|entry| entry.message_id.clone()).collect();
        self.queue.remove_where(|slot| {
            slot.source == Source::Restored
                && slot.standing == SlotStanding::Ready
                && !stored.contains(&slot.entry.message_id)
        });
        for entry in entries {
            self.take_in(entry);
        }
        if self.online().is_some() {
            self.begin_flush();
        }
    }

    /// Adds an entry that is stored. One that was read here before, and was dated anew since by the tab that wrote it,
    /// moves to its place: the tab's messages keep their order whoever sends them.
    fn take_in(&mut self, entry: Entry) {
        let mut age = self.age_of(&entry);
        let mut waiters = Vec::new();
        if let Some(known) = self.queue.get_mut(&entry.message_id) {
            let is_as_stored = known.source == Source::Restored && known.standing == SlotStanding::Ready;
            if !is_as_stored || known.entry.order() == entry.order() {
                return;
            }
            age = age.max(known.age, self.now);
            waiters = std::mem::take(&mut known.waiters);
            self.queue.remove(&entry.message_id);
        }
        let slot = Slot {
            entry,
            standing: SlotStanding::Ready,
            source: Source::Restored,
            age,
            waiters,
        };
        self.queue.insert(slot, self.calendar.clock());
    }

    /// How long an entry of an earlier page has waited. What another clock dates than the one that is known now says
    /// so only once the server has greeted; until then it has waited for as long as it is known.
    fn age_of(&self, entry: &Entry) -> Age {
        let is_known = entry.clock == Clock::Own || self.calendar.clock() == Clock::Server;
        let by = match entry.clock {
            Clock::Own => self.now.unix_ms,
            Clock::Server => self.today_ms(),
        };
        let before_ms = if is_known {
            by.saturating_sub(entry.timestamp)
        } else {
            0
        };
        Age::known(self.now, before_ms)
    }

    /// The lock of the stored queue is held (`true`), or was lost or cannot be had (`false`).
    pub fn handle_lock(&mut self, now: Now, granted: bool) {
        self.set_now(now);
        match (self.lock, granted) {
            // It came when it was not needed any more.
            (Lock::None, true) => self.outputs.push_back(Output::Lock(LockChange::Release)),
            (_, true) => {
                self.lock = Lock::Held;
                self.redate();
                self.adopt_for_user();
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
        self.adopt_for_user();
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

    fn adopt_for_user(&mut self) {
        if let Some(user) = self.connection.user.clone() {
            self.adopt(&user);
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
