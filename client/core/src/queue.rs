//! The offline queue: every publish waits here until it is acked (SPEC §9).

use std::collections::VecDeque;

use bmt_shared::channel::ChannelName;
use bmt_shared::id::{MessageId, UserId};
use bmt_shared::message::Priority;
use bmt_shared::sorted::SortedSet;

use crate::entry::{Clock, Entry};
use crate::event::RequestId;
use crate::now::Now;

/// How far ahead of the clock the time of an entry may be, ms, so that one wrong clock does not spoil the rest.
const MAX_LEAD_MS: u64 = 60_000;
/// Most entries of one batch (SPEC §9).
pub(crate) const BATCH_ENTRIES: usize = 50;

/// The queue in the order of its entries' age.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    slots: VecDeque<Slot>,
    /// The latest date in the queue by the clock that is used now.
    last_timestamp: u64,
    /// The latest that was written here.
    last_own_timestamp: u64,
}

/// An entry and how it stands.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) entry: Entry,
    pub(crate) standing: SlotStanding,
    pub(crate) source: Source,
    pub(crate) age: Age,
    /// Whose `publish` has not been answered.
    pub(crate) waiters: Vec<RequestId>,
}

/// How long an entry has waited, at least: counted by the monotonic clock from when this client knew of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Age {
    known_at: Now,
    before_ms: u64,
}

impl Age {
    /// An entry that is known from now on, and waited for `before_ms` until then.
    pub(crate) fn known(now: Now, before_ms: u64) -> Self {
        Self {
            known_at: now,
            before_ms,
        }
    }

    /// The age, ms.
    pub(crate) fn at(self, monotonic_ms: u64) -> u64 {
        let since = monotonic_ms.saturating_sub(self.known_at.monotonic_ms);
        self.before_ms.saturating_add(since)
    }

    /// When it is `age_ms`, on the monotonic clock.
    pub(crate) fn reaches(self, age_ms: u64) -> u64 {
        let left = age_ms.saturating_sub(self.before_ms);
        self.known_at.monotonic_ms.saturating_add(left)
    }

    /// The longer of two.
    pub(crate) fn max(self, other: Self, now: Now) -> Self {
        let age_ms = self.at(now.monotonic_ms).max(other.at(now.monotonic_ms));
        Self::known(now, age_ms)
    }

    /// How much of a sleep of `slept_ms`, in which the monotonic clock stood still, came after the entry: as much as
    /// the wall clock went ahead since then. That alone proves no sleep, because it may have been set.
    fn slept(self, now: Now, slept_ms: u64) -> u64 {
        let wall = now.unix_ms.saturating_sub(self.known_at.unix_ms);
        let monotonic = now.monotonic_ms.saturating_sub(self.known_at.monotonic_ms);
        wall.saturating_sub(monotonic).min(slept_ms)
    }
}

/// How far a date may be from the server's clock before it is written again, ms: it is not worth the storage.
const REDATE_MS: u64 = 1_000;

/// Whether an entry is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SlotStanding {
    Ready,
    /// By the request with this key.
    InFlight(u64),
}

/// Where an entry comes from, which decides whether another tab may be sending it too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// Published on the present connection: nobody else knows of it.
    Fresh,
    /// Published by this client, and stored while it could not be sent.
    Kept,
    /// Read from storage: of an earlier page, or of another tab.
    Restored,
}

/// Who may send now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sender<'a> {
    pub(crate) user: &'a UserId,
    pub(crate) server: &'a str,
}

impl Sender<'_> {
    /// Whether the entry is this user's and for this server; one that says neither is anybody's.
    pub(crate) fn owns(&self, entry: &Entry) -> bool {
        entry.user.as_ref().is_none_or(|user| user == self.user)
            && entry.server.as_deref().is_none_or(|server| server == self.server)
    }
}

impl Queue {
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.slots.iter()
    }

    pub(crate) fn slots_mut(&mut self) -> impl Iterator<Item = &mut Slot> {
        self.slots.iter_mut()
    }

    pub(crate) fn get_mut(&mut self, id: &MessageId) -> Option<&mut Slot> {
        // New entries are at the end and are what is looked for most.
        self.slots
            .iter_mut()
            .rev()
            .find(|slot| slot.entry.message_id == *id)
    }

    /// The time to write on the next entry: no two of one page have the same, because the stored queue is put in
    /// order by it.
    pub(crate) fn stamp(&mut self, unix_ms: u64) -> u64 {
        let follows = self.last_timestamp.saturating_add(1);
        let latest = unix_ms.saturating_add(MAX_LEAD_MS);
        let follows_own = self.last_own_timestamp.saturating_add(1);
        self.last_own_timestamp = unix_ms.max(follows.min(latest)).max(follows_own);
        self.last_timestamp = self.last_own_timestamp;
        self.last_timestamp
    }

    /// Adds a new entry.
    pub(crate) fn push(&mut self, slot: Slot) {
        self.slots.push_back(slot);
    }

    /// Adds an entry of an earlier page, behind all that are as old. `clock` is what dates are written by now.
    pub(crate) fn insert(&mut self, slot: Slot, clock: Clock) {
        if clock == slot.entry.clock {
            self.last_timestamp = self.last_timestamp.max(slot.entry.timestamp);
        }
        self.put_in_place(slot);
    }

    fn put_in_place(&mut self, slot: Slot) {
        let younger = self
            .slots
            .iter()
            .rev()
            .take_while(|other| other.entry.order() > slot.entry.order())
            .count();
        self.slots.insert(self.slots.len() - younger, slot);
    }

    /// Puts everything in its place, after dates have changed. It is nearly there, and the sorts of the standard
    /// library are a tenth of the npm package.
    fn put_in_order(&mut self) {
        for slot in std::mem::take(&mut self.slots) {
            self.put_in_place(slot);
        }
    }

    /// The server says what time it is, after a sleep of `slept_ms` as far as that is known: ages are corrected.
    pub(crate) fn learn_time(&mut self, now: Now, server_ms: u64, slept_ms: u64) {
        for slot in &mut self.slots {
            let counted = slot.age.at(now.monotonic_ms);
            let age_ms = match (slot.source, slot.entry.clock) {
                (Source::Restored, Clock::Own) => counted,
                (Source::Restored, Clock::Server) => {
                    counted.max(server_ms.saturating_sub(slot.entry.timestamp))
                }
                (Source::Fresh | Source::Kept, _) => counted + slot.age.slept(now, slept_ms),
            };
            slot.age = Age::known(now, age_ms);
        }
    }

    /// Dates what this client wrote, and what earlier pages wrote of what `stored_of` owns, by the server's clock.
    /// Answers with what that changed.
    ///
    /// What others own is left to their clients: one of them may be sending it, and would find it stored again.
    pub(crate) fn redate(&mut self, now: Now, server_ms: u64, stored_of: Option<Sender<'_>>) -> Vec<Entry> {
        let mut redated = Vec::new();
        let mut last = 0;
        // Dated by other tabs, which may have heard the time a little earlier or later than this one: what their page
        // wrote next still follows.
        let mut dated_before = 0;
        for slot in &mut self.slots {
            let is_stored = slot.source == Source::Restored;
            let is_ours = stored_of.is_some_and(|sender| sender.owns(&slot.entry));
            let is_dated = slot.entry.clock == Clock::Server;
            if is_stored && (!is_ours || is_dated) {
                if is_ours {
                    dated_before = slot.entry.timestamp;
                }
                continue;
            }
            let entry = &mut slot.entry;
            let mut date = server_ms.saturating_sub(slot.age.at(now.monotonic_ms));
            if is_stored && dated_before <= date.saturating_add(MAX_LEAD_MS) {
                date = date.max(dated_before.saturating_add(1));
            }
            let is_off = entry.clock == Clock::Own || entry.timestamp.abs_diff(date) > REDATE_MS;
            let date = if is_off { date } else { entry.timestamp };
            // One after the other still.
            last = date.max(last + 1);
            if is_off || last != entry.timestamp {
                entry.timestamp = last;
                entry.clock = Clock::Server;
                redated.push(entry.clone());
            }
        }
        let of_server = self.slots.iter().filter(|slot| slot.entry.clock == Clock::Server);
        let own = of_server.clone().filter(|slot| slot.source != Source::Restored);
        self.last_timestamp = of_server.map(|slot| slot.entry.timestamp).max().unwrap_or(0);
        self.last_own_timestamp = own.map(|slot| slot.entry.timestamp).max().unwrap_or(0);
        if stored_of.is_some() {
            self.put_in_order();
        }
        redated
    }

    pub(crate) fn remove(&mut self, id: &MessageId) -> Option<Slot> {
        let at = self.slots.iter().position(|slot| slot.entry.message_id == *id)?;
        self.slots.remove(at)
    }

    /// Forgets what `gone` says.
    pub(crate) fn remove_where(&mut self, gone: impl Fn(&Slot) -> bool) {
        self.slots.retain(|slot| !gone(slot));
    }

    /// The oldest entry that is not on its way, else the oldest.
    pub(crate) fn oldest(&self) -> Option<MessageId> {
        let idle = self
            .slots
            .iter()
            .find(|slot| slot.standing == SlotStanding::Ready);
        idle.or(self.slots.front())
            .map(|slot| slot.entry.message_id.clone())
    }

    /// The connection is gone, or the answer to this request will not come: its entries are sent again.
    pub(crate) fn handle_unanswered(&mut self, key: Option<u64>) {
        for slot in &mut self.slots {
            if let SlotStanding::InFlight(by) = slot.standing
                && key.is_none_or(|key| key == by)
            {
                slot.standing = SlotStanding::Ready;
            }
        }
    }

    /// The channels that have an entry on its way: what follows there waits, so that the order holds.
    fn busy(&self) -> SortedSet<&ChannelName> {
        let in_flight = self
            .slots
            .iter()
            .filter(|slot| slot.standing != SlotStanding::Ready);
        in_flight.map(|slot| &slot.entry.publish.topic).collect()
    }

    /// The entries that may be sent now, each channel's in its own order, channels with a high entry first.
    ///
    /// An entry that `may_send` refuses holds back what follows it on its channel.
    pub(crate) fn ready(&self, sender: Sender<'_>, may_send: impl Fn(&Slot) -> bool) -> Vec<&Slot> {
        let mut blocked = self.busy();
        let mut ready: Vec<&Slot> = Vec::new();
        for slot in self.slots.iter().filter(|slot| sender.owns(&slot.entry)) {
            let topic = &slot.entry.publish.topic;
            if slot.standing != SlotStanding::Ready || blocked.contains(topic) {
                continue;
            }
            if !may_send(slot) {
                blocked.insert(topic);
                continue;
            }
            ready.push(slot);
        }
        let urgent = ready
            .iter()
            .filter(|slot| slot.entry.publish.priority == Priority::High);
        let high: SortedSet<_> = urgent.map(|slot| &slot.entry.publish.topic).collect();
        // Within a channel, and among the others, age decides.
        let of_high = |slot: &&&Slot| high.contains(&slot.entry.publish.topic);
        let (first, rest) = (
            ready.iter().filter(of_high),
            ready.iter().filter(|slot| !of_high(slot)),
        );
        first.chain(rest).copied().collect()
    }
}
