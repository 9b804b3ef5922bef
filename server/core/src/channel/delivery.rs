//! Messages that every subscriber is to confirm (`requireDelivery`, SPEC §4).
//!
//! Who is subscribed when such a message is delivered owes a confirmation (`ack {id}`), the publishing connection
//! excepted. Who has not confirmed is sent the message again after [`RESEND_MS`], [`RESENDS`] times, with the same
//! id and seq. The publisher is told how it stands with each of these, and at once when nobody is left: the event
//! `delivery {messageId, confirmed, pending}`.
//!
//! A connection that closes still owes: its user's next connection here takes the debt over. It gets the message
//! by its recovery or by the next sending.
//!
//! Nothing of this is stored. What a restart could lose is not the message: it is in the history, and whoever
//! missed it recovers it. It is the count, which would cost a write for each subscriber and confirmation. So a
//! server that ends in order tells each author how it stands ([`Channel::settle_all`]), and after a crash an author
//! who was told nothing publishes again under the same key, which is answered as a duplicate.

use std::collections::BTreeMap;
use std::sync::Arc;

use bmt_shared::event::Delivery;
use bmt_shared::id::{ConnectionId, ServerMessageId, UserId};
use bmt_shared::position::Seq;

use super::entry::Entry;
use super::{Channel, Output};

/// An unconfirmed message is sent again after this, ms.
pub const RESEND_MS: u64 = 5_000;
/// So often.
pub const RESENDS: u32 = 3;
/// Most confirmations that one channel waits for: a message to as many subscribers as a channel may have, and some
/// more. Beyond it the oldest message is given up early, and its publisher told.
pub const OWED: usize = 16_384;
/// Most messages of one channel that wait for confirmations.
pub const UNCONFIRMED: usize = 256;

/// Who hears how it stands with a message.
#[derive(Clone, Debug)]
pub struct Author<S> {
    /// The publishing connection; `None` is the server's own API.
    pub connection: Option<ConnectionId>,
    /// Its way out, where there is one.
    pub to: Option<S>,
}

/// One subscriber who has not confirmed.
#[derive(Debug)]
struct Debtor<S> {
    user: UserId,
    to: S,
    /// As it was delivered first.
    prev: Option<Seq>,
}

/// One message that waits.
#[derive(Debug)]
struct Unconfirmed<S> {
    entry: Arc<Entry>,
    author: Author<S>,
    debtors: BTreeMap<ConnectionId, Debtor<S>>,
    /// Users whose connection closed before it confirmed; one entry a connection.
    away: Vec<UserId>,
    confirmed: u64,
    /// How often it was sent again.
    resent: u32,
    due_ms: u64,
    told: Option<(u64, u64)>,
}

impl<S> Unconfirmed<S> {
    fn owed(&self) -> usize {
        self.debtors.len() + self.away.len()
    }

    fn state(&self) -> (u64, u64) {
        (self.confirmed, self.owed() as u64)
    }
}

/// Messages of a channel that wait for confirmations, by seq.
#[derive(Debug)]
pub(super) struct Unsettled<S>(BTreeMap<Seq, Unconfirmed<S>>);

impl<S> Default for Unsettled<S> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<S> Unsettled<S> {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn next_ms(&self) -> Option<u64> {
        self.0.values().map(|one| one.due_ms).min()
    }

    fn owed(&self) -> usize {
        self.0.values().map(Unconfirmed::owed).sum()
    }

    fn seq_of(&self, id: &ServerMessageId) -> Option<Seq> {
        let found = self.0.iter().find(|(_, one)| one.entry.message.id == *id);
        found.map(|(seq, _)| *seq)
    }

    /// A connection of a user subscribed: it takes over what a closed one owed.
    pub(super) fn take_over(&mut self, connection: &ConnectionId, user: &UserId, to: &S)
    where
        S: Clone,
    {
        for one in self.0.values_mut() {
            if one.debtors.contains_key(connection) {
                continue;
            }
            if let Some(at) = one.away.iter().position(|away| away == user) {
                one.away.swap_remove(at);
                let debtor = Debtor {
                    user: user.clone(),
                    to: to.clone(),
                    prev: None,
                };
                one.debtors.insert(connection.clone(), debtor);
            }
        }
    }

    /// A connection is gone. What it owed, its user owes; what it published, it hears no more of.
    pub(super) fn part(&mut self, connection: &ConnectionId) {
        for one in self.0.values_mut() {
            if let Some(debtor) = one.debtors.remove(connection) {
                one.away.push(debtor.user);
            }
            if one.author.connection.as_ref() == Some(connection) {
                one.author.to = None;
            }
        }
    }
}

impl<S: Clone> Channel<S> {
    /// Begins to wait for the confirmations of the message with this seq, which was just delivered and asks for
    /// them. Another message, or one that is not the newest any more, is left alone.
    pub fn await_delivery(&mut self, seq: Seq, author: Author<S>, now_ms: u64) {
        let newest = self.tail.after(seq.saturating_sub(1)).next();
        let Some(entry) = newest.filter(|entry| entry.seq() == seq && entry.message.require_delivery) else {
            return;
        };
        let entry = entry.clone();
        let asked = std::mem::take(&mut self.asked_to_confirm);
        let debtors = asked.into_iter().filter_map(|(connection, prev)| {
            let subscription = self.subscriptions.get(&connection)?;
            let debtor = Debtor {
                user: subscription.who.user.user_id.clone(),
                to: subscription.who.to.clone(),
                prev,
            };
            (Some(&connection) != author.connection.as_ref()).then_some((connection, debtor))
        });
        let one = Unconfirmed {
            entry,
            debtors: debtors.collect(),
            author,
            away: Vec::new(),
            confirmed: 0,
            resent: 0,
            due_ms: now_ms + RESEND_MS,
            told: None,
        };
        self.unsettled.0.insert(seq, one);
        while self.unsettled.0.len() > UNCONFIRMED || self.unsettled.owed() > OWED {
            let Some(oldest) = self.unsettled.0.keys().next().copied() else {
                break;
            };
            self.settle(oldest);
            if oldest == seq {
                return;
            }
        }
        self.settle_if_confirmed(seq);
    }

    /// A connection confirms a message. Twice, too late, or of a message that asks for nothing is no fault.
    pub fn confirm(&mut self, id: &ServerMessageId, connection: &ConnectionId, user: &UserId, now_ms: u64) {
        let Some(seq) = self.unsettled.seq_of(id) else {
            return;
        };
        let Some(one) = self.unsettled.0.get_mut(&seq) else {
            return;
        };
        let away = one.away.iter().position(|away| away == user);
        if one.debtors.remove(connection).is_some() {
            one.confirmed += 1;
        } else if let Some(at) = away {
            one.away.swap_remove(at);
            one.confirmed += 1;
        }
        self.idle_since_ms = now_ms;
        self.settle_if_confirmed(seq);
    }

    /// Whether the message still waits for confirmations.
    #[must_use]
    pub fn awaits(&self, id: &ServerMessageId) -> bool {
        self.unsettled.seq_of(id).is_some()
    }

    /// Sends again what is due, or gives it up.
    pub(super) fn resend(&mut self, now_ms: u64) {
        let due = self.unsettled.0.iter().filter(|(_, one)| one.due_ms <= now_ms);
        let due: Vec<Seq> = due.map(|(seq, _)| *seq).collect();
        for seq in due {
            let Some(one) = self.unsettled.0.get_mut(&seq) else {
                continue;
            };
            // What was deleted or edited since is sent in its present form.
            let present = self.tail.after(seq - 1).next().filter(|entry| entry.seq() == seq);
            if let Some(present) = present {
                let mut present = Entry::clone(present);
                present.message.require_delivery = true;
                one.entry = present.into();
            }
            if one.resent == RESENDS || one.entry.is_expired(now_ms) {
                self.idle_since_ms = now_ms;
                self.settle(seq);
                continue;
            }
            one.resent += 1;
            one.due_ms = now_ms + RESEND_MS;
            let mut groups: BTreeMap<Option<Seq>, Vec<S>> = BTreeMap::new();
            for debtor in one.debtors.values() {
                groups.entry(debtor.prev).or_default().push(debtor.to.clone());
            }
            for (prev, to) in groups {
                let entry = one.entry.clone();
                self.outputs.push_back(Output::Message { entry, prev, to });
            }
            self.tell_delivery(seq);
        }
    }

    fn settle_if_confirmed(&mut self, seq: Seq) {
        if self.unsettled.0.get(&seq).is_some_and(|one| one.owed() == 0) {
            self.settle(seq);
        }
    }

    /// Waits for no confirmation any more, and tells each author how it stands: the server ends.
    pub fn settle_all(&mut self) {
        while let Some(oldest) = self.unsettled.0.keys().next().copied() {
            self.settle(oldest);
        }
    }

    /// Waits no longer, and says how it ended.
    fn settle(&mut self, seq: Seq) {
        self.tell_delivery(seq);
        self.unsettled.0.remove(&seq);
    }

    /// Tells the author how it stands, where that is news. An author whose connection is gone may be here again.
    fn tell_delivery(&mut self, seq: Seq) {
        let Some(one) = self.unsettled.0.get_mut(&seq) else {
            return;
        };
        let (confirmed, pending) = one.state();
        if one.told.replace((confirmed, pending)) == Some((confirmed, pending)) {
            return;
        }
        let delivery = Delivery {
            message_id: one.entry.message.id.clone(),
            confirmed,
            pending,
        };
        let (from, author) = (one.entry.message.from.clone(), one.author.clone());
        let to = match author {
            Author { to: Some(to), .. } => vec![to],
            Author { connection: None, .. } => Vec::new(),
            Author { .. } => self.receivers(|_, subscription| subscription.who.user.user_id == from),
        };
        if !to.is_empty() {
            self.outputs.push_back(Output::Delivery { delivery, to });
        }
    }
}
