//! One channel: its numbering, its newest messages, its subscribers and who is present.
//!
//! A [`Channel`] is made from what the history knows ([`Opened`]) and owned by one place, which calls it in one
//! order. It does no I/O and reads no clock: times are ms since the Unix epoch, `S` stands for the way to a
//! connection. Mutate, then drain [`Channel::poll_output`] until it is empty; [`Channel::poll_timeout`] says when
//! [`Channel::handle_timeout`] is due.
//!
//! # The way of a publish
//!
//! [`Channel::begin_publish`] makes a [`Draft`]; the owner hands it to its history, which alone assigns the seq.
//! What the history did with it comes back through [`Channel::finish_publish`], in the order of the seqs, once for
//! each draft: a message that is kept is delivered by the outputs, and the publisher is answered. So nobody ever
//! sees a message that a crash can take back.
//!
//! # What subscribers can rely on
//!
//! A subscription begins at the `seq` of its reply: everything up to there is in the reply or is told to be
//! missing, everything after it is an output, ascending, each once. Where a subscription skips messages (`params`,
//! a ttl) the next one carries `prev`, the last seq it was entitled to. Should the history ever number a message
//! that does not follow the newest one, or with another epoch, all subscribers get a `gap` and recover.

mod about;
mod amendment;
mod delivered;
mod delivering;
mod delivery;
mod entry;
mod erasure;
mod filter;
mod fingerprint;
mod paging;
mod presence;
mod read;
mod readers;
mod recovery;
mod retention;
mod rules;
mod stream;
mod subscription;
mod tail;

#[cfg(test)]
mod interleavings;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;

use bmt_shared::channel::ChannelName;
use bmt_shared::error::{ErrorCode, Failure};
use bmt_shared::event::{Delivery, Gap, PresenceAction, PresenceChange, Receipt};
use bmt_shared::id::{ConnectionId, MessageId, UserId};
use bmt_shared::limits::{FALLBACK_PAGE, HISTORY_PAGE_MAX};
use bmt_shared::message::Signal;
use bmt_shared::namespace::Namespace;
use bmt_shared::payload::Payload;
use bmt_shared::position::{Epoch, Position, Seq};
use bmt_shared::reply::{NotRecovered, PresenceList, Present, Published, Subscribed};
use bmt_shared::request::{HistoryQuery, Subscribe};
use indexmap::IndexMap;

use delivered::Delivered;
use delivering::MISSED;
use delivery::Unsettled;
use filter::Filter;
use presence::Presence;
use readers::Readers;
use recovery::Wanted;
use subscription::Subscription;
use tail::Tail;

pub use about::About;
pub use amendment::{Act, Amendment, Amends, EDITED_BYTES, EDITS, emptied};
pub use delivered::DELIVERED_KNOWN;
pub use delivery::{Author, OWED, RESEND_MS, RESENDS, UNCONFIRMED};
pub use entry::{Draft, ENVELOPE_BYTES, Entry, Prepared};
pub use erasure::Traced;
pub use fingerprint::Fingerprint;
pub use paging::{ColdPage, PAGE_BYTES, Paging};
pub use presence::{FLAP_MS, LISTED_USERS};
pub use read::{Opened, Page, Range, Read};
pub use readers::{Marking, READERS, READERS_LISTED, RECEIPT_SUBSCRIBERS, ReadMark};
pub use recovery::{Cold, Subscribing};
pub use retention::Retention;
use rules::Rules;
pub use stream::{Appended, STREAM_BYTES, STREAM_KEYS, Stream};
pub use subscription::Subscriber;
pub use tail::{TAIL_BYTES, TAIL_MESSAGES};

/// What a channel has to say, and to whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output<S> {
    /// A message for these subscribers, who share one encoding.
    Message {
        /// The message.
        entry: Arc<Entry>,
        /// Their `prev`, where it is not the seq before.
        prev: Option<Seq>,
        /// Who gets it.
        to: Vec<S>,
    },
    /// A signal for all subscribers but its sender.
    Signal {
        /// The signal.
        signal: Signal,
        /// Who gets it.
        to: Vec<S>,
    },
    /// A user came or went.
    Presence {
        /// Who and which.
        change: PresenceChange,
        /// Subscribers who asked for presence.
        to: Vec<S>,
    },
    /// A user read on.
    Receipt {
        /// Who, and up to where.
        receipt: Receipt,
        /// Who gets it.
        to: Vec<S>,
    },
    /// How it stands with a message that is to be confirmed.
    Delivery {
        /// Which message, and how many have and have not.
        delivery: Delivery,
        /// Its author.
        to: Vec<S>,
    },
    /// The stream broke: these subscribers must recover.
    Gap {
        /// Why, and where the stream goes on.
        gap: Gap,
        /// All subscribers.
        to: Vec<S>,
    },
}

/// See the [module](self).
pub struct Channel<S> {
    name: ChannelName,
    rules: Rules,
    epoch: Epoch,
    top: Seq,
    /// Oldest seq that is kept, as far as is known: by age it may be higher.
    oldest: Seq,
    tail: Tail,
    // In an order of its own, so that the same calls have the same outputs; one beside the other, since each message
    // looks at all of them, and since most channels have few.
    subscriptions: IndexMap<ConnectionId, Subscription<S>>,
    presence: Presence,
    readers: Readers,
    delivered: Delivered,
    unsettled: Unsettled<S>,
    /// Who was handed the newest message, where that is to be confirmed, with their `prev`.
    asked_to_confirm: Vec<(ConnectionId, Option<Seq>)>,
    /// Drafts and read positions whose fate is not known.
    in_flight: usize,
    /// Since when nobody needs this channel in memory.
    idle_since_ms: u64,
    created_ms: u64,
    outputs: VecDeque<Output<S>>,
}

impl<S: Clone> Channel<S> {
    /// A channel as its history knows it, without subscribers.
    #[must_use]
    pub fn new(name: ChannelName, namespace: &Namespace, opened: Opened, now_ms: u64) -> Self {
        Self {
            name,
            rules: Rules::of(namespace),
            epoch: opened.epoch,
            top: opened.top,
            oldest: opened.oldest,
            tail: Tail::new(opened.newest),
            subscriptions: IndexMap::new(),
            presence: Presence::default(),
            readers: Readers::new(opened.readers, opened.top),
            delivered: Delivered::default(),
            unsettled: Unsettled::default(),
            asked_to_confirm: Vec::new(),
            in_flight: 0,
            idle_since_ms: now_ms,
            created_ms: opened.created_ms.unwrap_or(now_ms),
            outputs: VecDeque::new(),
        }
    }

    /// Puts a subscription in place and answers its past. For a connection that is subscribed already only the
    /// options change.
    ///
    /// # Errors
    /// `subscribe_failed` where the channel is full.
    pub fn subscribe(
        &mut self,
        connection: ConnectionId,
        who: Subscriber<S>,
        request: &Subscribe,
        now_ms: u64,
    ) -> Result<Subscribing, Failure> {
        let filter = Filter::new(&request.params);
        let user_id = who.user.user_id.clone();
        if let Some(known) = self.subscriptions.get_mut(&connection) {
            known.filter = filter.clone();
            known.presence = request.presence;
            if request.since.is_some() {
                known.cover(self.top);
            }
        } else {
            self.admit()?;
            self.join(&who, now_ms);
            self.unsettled.take_over(&connection, &user_id, &who.to);
            let subscription = Subscription::new(who, filter.clone(), request.presence, self.top);
            self.subscriptions.insert(connection, subscription);
        }
        let read_seq = self.readers.seq(&user_id);
        let reply = Subscribed {
            topic: self.name.clone(),
            subscriber_count: self.subscriber_count(),
            seq: self.top,
            epoch: self.epoch.clone(),
            recovered: None,
            reason: None,
            oldest_seq: None,
            messages: Vec::new(),
            presence: (request.presence && self.rules.presence).then(|| self.presence.list()),
            read_seq,
            unread: self.unread(&user_id, now_ms),
            readers: request.readers.then(|| self.readers.list()),
        };
        Ok(self.past(request, filter, reply, now_ms))
    }

    /// Ends a subscription; answers whether there was one.
    pub fn unsubscribe(&mut self, connection: &ConnectionId, now_ms: u64) -> bool {
        self.leave(connection, now_ms, Presence::leave)
    }

    /// Ends the subscription of a connection that was silent until its heartbeat ran out. Its user does not stay
    /// present for [`FLAP_MS`] more: the silence was longer than that.
    pub fn lapse(&mut self, connection: &ConnectionId, now_ms: u64) -> bool {
        self.leave(connection, now_ms, Presence::lapse)
    }

    fn leave(
        &mut self,
        connection: &ConnectionId,
        now_ms: u64,
        count_out: impl FnOnce(&mut Presence, &UserId, u64),
    ) -> bool {
        self.unsettled.part(connection);
        let Some(subscription) = self.subscriptions.swap_remove(connection) else {
            return false;
        };
        if self.rules.presence {
            count_out(&mut self.presence, &subscription.who.user.user_id, now_ms);
        }
        self.idle_since_ms = now_ms;
        true
    }

    /// Takes a publish; see [the way of a publish](self#the-way-of-a-publish).
    #[must_use]
    pub fn begin_publish(
        &mut self,
        publish: impl Into<Prepared>,
        from: UserId,
        key: MessageId,
        now_ms: u64,
        random: u128,
    ) -> Draft {
        self.in_flight += 1;
        Draft::new(publish, from, key, now_ms, random)
    }

    /// Ends a publish by what its history did with the draft, and answers the publisher.
    ///
    /// # Errors
    /// The history's own refusal, `idempotency_conflict`, or why a message cannot be amended.
    pub fn finish_publish(
        &mut self,
        outcome: Result<Appended, Failure>,
        now_ms: u64,
    ) -> Result<Published, Failure> {
        assert!(self.in_flight > 0, "every draft ends once");
        self.in_flight -= 1;
        self.idle_since_ms = now_ms;
        let (message_id, seq, delivered_to, duplicate) = match outcome? {
            Appended::Stored {
                entry,
                epoch,
                amended,
            } => {
                for changed in amended {
                    self.tail.replace(changed);
                }
                let (id, seq) = (entry.message.id.clone(), entry.seq());
                (id, seq, self.take_message(entry, &epoch, now_ms), false)
            }
            Appended::Duplicate { id, seq } => {
                if seq > self.top {
                    // The first one was told to have failed, and had been kept: nobody has seen it.
                    self.skip_to(seq);
                    self.tell_gap(MISSED);
                }
                (id, seq, self.delivered.of(seq), true)
            }
            Appended::Conflict => return Err(conflict()),
            Appended::Refused(failure) => return Err(failure),
        };
        Ok(Published {
            message_id,
            topic: self.name.clone(),
            seq,
            delivered_to,
            duplicate,
        })
    }

    /// Hands something to all subscribers but the connection `except`, without a seq and without a trace.
    pub fn signal(&mut self, from: UserId, payload: Payload, except: Option<&ConnectionId>, now_ms: u64) {
        let to = self.receivers(|connection, _| Some(connection) != except);
        if to.is_empty() {
            return;
        }
        let signal = Signal {
            topic: self.name.clone(),
            from,
            payload,
            timestamp: now_ms,
        };
        self.outputs.push_back(Output::Signal { signal, to });
    }

    /// A page of what is kept.
    pub fn history(&mut self, query: &HistoryQuery, now_ms: u64) -> Paging {
        self.trim(now_ms);
        let read = Read {
            range: paging::range(query.range, self.top),
            messages: query.limit.clamp(1, HISTORY_PAGE_MAX),
            bytes: PAGE_BYTES,
            ..self.read(now_ms)
        };
        let position = (&self.epoch, self.top);
        let ready = match read.range {
            Range::Up { after, .. } if self.reaches(after) => {
                paging::from_tail(&read, self.tail.after(after), true, position)
            }
            Range::Up { .. } => None,
            Range::Down { below } => {
                paging::from_tail(&read, self.tail.below(below), self.reaches_oldest(), position)
            }
        };
        ready.map_or_else(|| Paging::Cold(ColdPage { read, top: self.top }), Paging::Ready)
    }

    /// Who is present.
    #[must_use]
    pub fn presence(&self) -> PresenceList {
        PresenceList {
            users: self.presence.list(),
            count: self.presence.count(),
        }
    }

    /// The next thing to send, in order.
    pub fn poll_output(&mut self) -> Option<Output<S>> {
        self.outputs.pop_front()
    }

    /// When [`Self::handle_timeout`] has something to do: a leave to tell, a message to send again.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<u64> {
        let (leave, resend) = (self.presence.next_leave_ms(), self.unsettled.next_ms());
        leave.into_iter().chain(resend).min()
    }

    /// Tells the leaves that are due, and sends again what was not confirmed.
    pub fn handle_timeout(&mut self, now_ms: u64) {
        self.resend(now_ms);
        for user in self.presence.take_left(now_ms) {
            self.tell_presence(PresenceAction::Leave, user);
        }
    }

    /// Since when nobody is subscribed and nothing is in flight, ms since the Unix epoch; `None` while it is used.
    #[must_use]
    pub fn idle_since_ms(&self) -> Option<u64> {
        let used = !self.subscriptions.is_empty()
            || self.in_flight > 0
            || self.presence.count() > 0
            || !self.unsettled.is_empty();
        (!used).then_some(self.idle_since_ms)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &ChannelName {
        &self.name
    }

    /// The numbering and the newest seq in it.
    #[must_use]
    pub fn position(&self) -> Position {
        Position {
            seq: self.top,
            epoch: self.epoch.clone(),
        }
    }

    /// Connections subscribed.
    #[must_use]
    pub fn subscriber_count(&self) -> u64 {
        self.subscriptions.len() as u64
    }

    /// Bytes of messages held in memory.
    #[must_use]
    pub fn tail_bytes(&self) -> usize {
        self.tail.bytes()
    }

    /// Lets the oldest messages in memory go, down to so many bytes: its owner is short of memory.
    pub fn shrink_tail(&mut self, bytes: usize) {
        self.tail.shrink(TAIL_MESSAGES, bytes);
    }
}

/// Inner workings.
impl<S: Clone> Channel<S> {
    fn admit(&self) -> Result<(), Failure> {
        let limit = u64::from(self.rules.max_subscribers);
        if limit == 0 || self.subscriber_count() < limit {
            return Ok(());
        }
        Err(Failure::new(
            ErrorCode::SubscribeFailed,
            format!(
                "{} has {limit} subscribers, which is as many as a channel may have; try later",
                self.name
            ),
        ))
    }

    fn join(&mut self, who: &Subscriber<S>, now_ms: u64) {
        if !self.rules.presence {
            return;
        }
        if let Some(user) = self.presence.join(&who.user, now_ms) {
            // Told before the subscription stands: the reply lists its own user already.
            self.tell_presence(PresenceAction::Join, user);
        }
    }

    fn tell_presence(&mut self, action: PresenceAction, user: Present) {
        if !self.rules.join_leave {
            return;
        }
        let to = self.receivers(|_, subscription| subscription.presence);
        if !to.is_empty() {
            let change = PresenceChange {
                topic: self.name.clone(),
                action,
                user,
            };
            self.outputs.push_back(Output::Presence { change, to });
        }
    }

    fn receivers(&self, wanted: impl Fn(&ConnectionId, &Subscription<S>) -> bool) -> Vec<S> {
        let chosen = self.subscriptions.iter().filter(|(id, one)| wanted(id, one));
        chosen.map(|(_, one)| one.who.to.clone()).collect()
    }

    fn past(&mut self, request: &Subscribe, filter: Filter, reply: Subscribed, now_ms: u64) -> Subscribing {
        self.trim(now_ms);
        let wanted = match (&request.since, request.history) {
            (Some(since), _) => self
                .judge(since, &filter, now_ms)
                .map_or_else(Wanted::Oldest, Wanted::Since),
            (None, Some(1..)) => Wanted::Newest,
            (None, _) => return Subscribing::Ready(reply),
        };
        let count = match (wanted, request.history) {
            (Wanted::Newest, Some(count)) => count.min(HISTORY_PAGE_MAX),
            _ => FALLBACK_PAGE,
        };
        let newest = recovery::newest_page(self.tail.after(0).rev(), &filter, count, now_ms);
        match wanted {
            Wanted::Since(since) if self.reaches(since) => {
                let missed = self.tail.after(since);
                Subscribing::Ready(recovery::recovered(reply, since, missed, &filter, now_ms))
            }
            Wanted::Oldest(reason) if self.reaches_oldest() || self.rules.retention.ttl_ms == 0 => {
                Subscribing::Ready(recovery::not_recovered(reply, reason, self.oldest, &newest))
            }
            Wanted::Newest if self.reaches_oldest() || newest.len() == count => {
                Subscribing::Ready(recovery::with_newest(reply, &newest))
            }
            _ => Subscribing::Cold(Box::new(Cold {
                wanted,
                read: wanted.bound(self.read(now_ms), self.top, count),
                reply,
                filter,
                newest,
                oldest: self.oldest,
            })),
        }
    }

    /// Whether a recovery from this position can be tried: answers the seq after which all is wanted.
    fn judge(&self, since: &Position, filter: &Filter, now_ms: u64) -> Result<Seq, NotRecovered> {
        if since.epoch != self.epoch {
            Err(NotRecovered::EpochChanged)
        } else if since.seq > self.top {
            Err(NotRecovered::PositionAhead)
        } else if since.seq + 1 < self.oldest {
            Err(NotRecovered::Trimmed)
        } else if self.top - since.seq > bmt_shared::limits::RECOVERY_MESSAGES as u64
            || (self.reaches(since.seq)
                && !recovery::fits_in_parts(self.tail.after(since.seq), filter, now_ms))
        {
            Err(NotRecovered::Limit)
        } else {
            Ok(since.seq)
        }
    }

    /// Whether the tail has every kept message above `after`.
    fn reaches(&self, after: Seq) -> bool {
        after >= self.top
            || self.reaches_oldest()
            || self.tail.first().is_some_and(|first| first <= after + 1)
    }

    /// Whether the tail is all there is.
    fn reaches_oldest(&self) -> bool {
        self.oldest > self.top || self.tail.first() == Some(self.oldest)
    }

    /// Lets go of what is no longer kept.
    fn trim(&mut self, now_ms: u64) {
        let had_oldest = self.reaches_oldest();
        self.tail.trim(self.top, self.rules.retention, now_ms);
        if had_oldest {
            // The tail was all there is, so what it lost by age is gone.
            self.oldest = self.oldest.max(self.tail.first().unwrap_or(self.top + 1));
        }
    }

    fn read(&self, now_ms: u64) -> Read {
        Read {
            topic: self.name.clone(),
            range: Range::Down { below: self.top + 1 },
            messages: 0,
            bytes: 0,
            retention: self.rules.retention,
            now_ms,
        }
    }
}

fn conflict() -> Failure {
    Failure::new(
        ErrorCode::IdempotencyConflict,
        "this `messageId` was used before for another message on this topic; a new message needs a new id",
    )
}
