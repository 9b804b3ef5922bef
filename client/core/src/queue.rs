//! The offline queue: every publish waits here until it is acked (SPEC §9).

use std::collections::{BTreeSet, VecDeque};

use bmt_shared::channel::ChannelName;
use bmt_shared::id::{MessageId, UserId};
use bmt_shared::message::Priority;

use crate::entry::Entry;
use crate::event::RequestId;

/// How far ahead of the clock the time of an entry may be, ms, so that one wrong clock does not spoil the rest.
const MAX_LEAD_MS: u64 = 60_000;
/// Most entries of one batch (SPEC §9).
pub(crate) const BATCH_ENTRIES: usize = 50;

/// The queue in the order of its entries' age.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    slots: VecDeque<Slot>,
    last_timestamp: u64,
}

/// An entry and how it stands.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) entry: Entry,
    pub(crate) standing: SlotStanding,
    pub(crate) source: Source,
    /// Whose `publish` has not been answered.
    pub(crate) waiters: Vec<RequestId>,
}

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
        self.last_timestamp = unix_ms.max(follows.min(latest));
        self.last_timestamp
    }

    /// Adds a new entry.
    pub(crate) fn push(&mut self, slot: Slot) {
        self.slots.push_back(slot);
    }

    /// Adds an entry of an earlier page, behind all that are as old.
    pub(crate) fn insert(&mut self, slot: Slot) {
        self.last_timestamp = self.last_timestamp.max(slot.entry.timestamp);
        let younger = self
            .slots
            .iter()
            .rev()
            .take_while(|other| other.entry.timestamp > slot.entry.timestamp)
            .count();
        self.slots.insert(self.slots.len() - younger, slot);
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
    fn busy(&self) -> BTreeSet<&ChannelName> {
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
        let mut high = BTreeSet::new();
        let mut ready = Vec::new();
        for slot in self.slots.iter().filter(|slot| sender.owns(&slot.entry)) {
            let topic = &slot.entry.publish.topic;
            if slot.standing != SlotStanding::Ready || blocked.contains(topic) {
                continue;
            }
            if !may_send(slot) {
                blocked.insert(topic);
                continue;
            }
            if slot.entry.publish.priority == Priority::High {
                high.insert(topic);
            }
            ready.push(slot);
        }
        // Stable: within a channel, and among the others, age decides.
        ready.sort_by_key(|slot| !high.contains(&slot.entry.publish.topic));
        ready
    }
}
