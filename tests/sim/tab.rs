//! One browser tab: a client core, its driver's part, and an application that notes what it is told.

use std::collections::{BTreeMap, BTreeSet};

use bmt_client_core::{Client, Config, Entry, Event, Native, Now, Output, QueuePolicy, RequestId, Timeout};
use bmt_shared::channel::ChannelName;
use bmt_shared::event::Unsubscribed;
use bmt_shared::id::{MessageId, UserId};
use bmt_shared::payload::Payload;
use bmt_shared::position::{Epoch, Position};
use bmt_shared::reply::Reply;
use bmt_shared::request::{Publish, Subscribe};

use crate::access::Access;
use crate::observer::Observer;
use crate::record::{Page, Record, Violation};
use crate::server::{EPOCH, Sabotage};
use crate::wire::WireId;

/// The wall clock when a run begins; the server's is right.
pub(crate) const UNIX_START_MS: u64 = 1_700_000_000_000;

/// A tab over all its loads.
pub(crate) struct Tab {
    pub(crate) at: usize,
    pub(crate) person: usize,
    pub(crate) user: UserId,
    pub(crate) client: Client<Native>,
    /// Whether it shares a connection with the person's other tabs.
    pub(crate) shares: bool,
    /// How far its device's wall clock is ahead of the server's, ms.
    pub(crate) clock_ahead_ms: i64,
    /// How often it was loaded.
    pub(crate) load: u32,
    pub(crate) wire: Option<WireId>,
    pub(crate) timeout: Option<Timeout>,
    /// The timer that is set, and for which load.
    pub(crate) timer_set: Option<(u64, u32)>,
    observers: BTreeMap<ChannelName, Observer>,
    /// Where the application stood when it was last told something; it survives a reload.
    positions: BTreeMap<ChannelName, Position>,
    subscribing: BTreeMap<RequestId, ChannelName>,
    answered: BTreeSet<RequestId>,
    count: u32,
    sabotage: Sabotage,
    messages_seen: u64,
    pub(crate) access: Access,
}

fn client(user: &UserId, seed: u64, shared: bool, access: &Access) -> Client<Native> {
    let config = Config {
        transports: access.transports(),
        server: "sim".to_owned(),
        shared,
        seed,
        queue: QueuePolicy {
            expiry_ms: 0,
            shared: true,
            ..QueuePolicy::default()
        },
        client_id: Some(user.to_string()),
        ..Config::default()
    };
    Client::new(config, Native)
}

impl Tab {
    pub(crate) fn new(at: usize, person: usize, seed: u64, access: Access, sabotage: Sabotage) -> Self {
        let user = UserId::new(&format!("person{person}"));
        Self {
            at,
            person,
            client: client(&user, seed, false, &access),
            shares: false,
            access,
            user,
            clock_ahead_ms: 0,
            load: 0,
            wire: None,
            timeout: None,
            timer_set: None,
            observers: BTreeMap::new(),
            positions: BTreeMap::new(),
            subscribing: BTreeMap::new(),
            answered: BTreeSet::new(),
            count: 0,
            sabotage,
            messages_seen: 0,
        }
    }

    /// From here on, before it does anything, it shares a connection.
    pub(crate) fn share(&mut self, seed: u64) {
        self.shares = true;
        self.client = client(&self.user, seed, true, &self.access);
    }

    /// What the device's clocks say.
    pub(crate) fn now_at(&self, ms: u64) -> Now {
        Now {
            monotonic_ms: ms,
            unix_ms: (UNIX_START_MS + ms).saturating_add_signed(self.clock_ahead_ms),
        }
    }

    pub(crate) fn page(&self) -> Page {
        (self.at, self.load)
    }

    /// The page is loaded anew: memory is gone, the stored queue and the application's positions are not.
    pub(crate) fn reload(&mut self, seed: u64) -> Vec<ChannelName> {
        self.client = client(&self.user, seed, self.shares, &self.access);
        self.access.begin();
        self.load += 1;
        self.wire = None;
        self.subscribing.clear();
        self.answered.clear();
        std::mem::take(&mut self.observers).into_keys().collect()
    }

    pub(crate) fn restore(&mut self, now: u64, stored: Vec<Entry>) {
        let now = self.now_at(now);
        self.client.handle_restored(now, stored);
    }

    pub(crate) fn subscribe(&mut self, now: u64, topic: &ChannelName) {
        let mut subscribe = Subscribe::to(topic.clone());
        subscribe.since = self.positions.get(topic).cloned();
        let last = subscribe.since.as_ref().map(|since| since.seq);
        let observer = Observer::new(self.page(), topic, last);
        self.observers.entry(topic.clone()).or_insert(observer);
        self.access.lost.remove(topic);
        let id = self.client.subscribe(self.now_at(now), subscribe);
        self.subscribing.insert(id, topic.clone());
    }

    /// The application forgets where it stood.
    pub(crate) fn unsubscribe(&mut self, now: u64, topic: &ChannelName) {
        self.observers.remove(topic);
        self.access.lost.remove(topic);
        self.positions.remove(topic);
        self.client.unsubscribe(self.now_at(now), topic);
    }

    pub(crate) fn publish(&mut self, now: u64, topic: &ChannelName, record: &mut Record) {
        self.count += 1;
        let id = format!("{}-{}-{}", self.at, self.load, self.count);
        let id = MessageId::parse(&id).expect("a short id");
        let payload = Payload::encode(&self.count).expect("a number");
        let publish = Publish::new(topic.clone(), payload);
        record.published(self.page(), &self.user, topic, &id);
        self.client
            .publish(self.now_at(now), publish, Some(id))
            .expect("the message is small and the queue has room");
    }

    /// Polls the client dry. What the application is told is noted here; the rest is for the world.
    pub(crate) fn drain(&mut self, record: &mut Record) -> Vec<Output<Payload>> {
        let mut outputs = Vec::new();
        loop {
            match self.client.poll_output() {
                Output::Timeout(timeout) => {
                    self.timeout = timeout;
                    break;
                }
                Output::Event(event) => self.note(event, record),
                output => outputs.push(output),
            }
        }
        for (topic, observer) in &self.observers {
            let Some(position) = self.client.position(topic) else {
                continue;
            };
            if !observer.stands_at(position.seq) {
                let what = format!(
                    "{:?} on {topic}: is at {position:?} after {:?}",
                    self.page(),
                    observer.last()
                );
                record.violated(Violation::Missed(what));
            }
            self.positions.insert(topic.clone(), position.clone());
        }
        outputs
    }

    /// The application has the token that it was asked for.
    pub(crate) fn take_token(&mut self, now: u64) {
        let token = Some(self.access.token(now));
        let now = self.now_at(now);
        if self.access.is_fixed {
            self.client.handle_fixed_token(now, token);
        } else {
            self.client.handle_token(now, Ok(token));
        }
    }

    fn note(&mut self, event: Event<Payload>, record: &mut Record) {
        match event {
            Event::Message(received) => {
                self.note_message(&received.message.topic, received.message.seq, record);
            }
            Event::Gap(gap) => {
                record.told_gap(self.page(), &gap);
                if let Some(observer) = self.observers.get_mut(&gap.topic) {
                    observer.told_gap();
                }
            }
            Event::Ack(acked) => match acked.published {
                Some(published) => record.acked(&acked.message_id, published.seq),
                None => record.violated(Violation::Unanswered(format!(
                    "{} was acked without a seq",
                    acked.message_id
                ))),
            },
            // It may wait for a day, and no run lasts an hour: only a clock that was set says otherwise.
            Event::QueueExpired(entry) => {
                record.violated(Violation::Expired(entry.message_id.to_string()));
            }
            Event::QueueOverflow(entry) | Event::QueueRejected { entry, .. } => {
                record.reported(&entry.message_id);
            }
            Event::Reply { request, result } => {
                if !self.answered.insert(request) {
                    record.violated(Violation::Unanswered(format!("{request:?} was answered twice")));
                }
                let topic = self.subscribing.remove(&request);
                if let (Some(topic), Ok(Reply::Subscribed(subscribed))) = (topic, result)
                    && let Some(observer) = self.observers.get_mut(&topic)
                {
                    observer.began(subscribed.seq);
                }
            }
            Event::TokenExpired => self.access.log_out(),
            Event::Unsubscribed(Unsubscribed { topic, .. }) | Event::SubscribeFailed { topic, .. } => {
                self.lose(topic);
            }
            _ => {}
        }
    }

    /// The application is told that it has lost a channel. Where it stood it remembers.
    fn lose(&mut self, topic: ChannelName) {
        if let Some(last) = self.observers.remove(&topic).and_then(|observer| observer.last()) {
            let epoch = Epoch::new(EPOCH);
            self.positions
                .insert(topic.clone(), Position { seq: last, epoch });
        }
        self.access.lost.insert(topic);
    }

    fn note_message(&mut self, topic: &ChannelName, seq: u64, record: &mut Record) {
        self.messages_seen += 1;
        record.handed_on += 1;
        let times = match self.sabotage {
            Sabotage::SwallowMessage if self.messages_seen.is_multiple_of(7) => 0,
            Sabotage::RepeatMessage if self.messages_seen.is_multiple_of(7) => 2,
            _ => 1,
        };
        let Some(observer) = self.observers.get_mut(topic) else {
            if self.access.lost.contains(topic) {
                let what = format!("{:?}: {seq} of {topic}", self.page());
                record.violated(Violation::SentWithoutRight(what));
            }
            return;
        };
        for _ in 0..times {
            if let Err(violation) = observer.handed(seq) {
                record.violated(violation);
            }
        }
    }

    /// Holds the tab against the newest messages, after everything healed.
    pub(crate) fn check(&self, tops: &BTreeMap<ChannelName, u64>, record: &mut Record) {
        let status = self.client.status();
        if status != bmt_client_core::Status::Connected {
            let page = self.page();
            return record.violated(Violation::NotBack(format!("{page:?} is {}", status.as_str())));
        }
        if self.client.queue_len() > 0 {
            let left: Vec<_> = self
                .client
                .queue()
                .map(|entry| entry.message_id.clone())
                .collect();
            record.violated(Violation::QueueStuck(format!(
                "{:?} still has {left:?}",
                self.page()
            )));
        }
        for (topic, observer) in &self.observers {
            let top = tops.get(topic).copied().unwrap_or(0);
            if !self.client.is_subscribed(topic) {
                let what = format!("{:?} is not subscribed to {topic}", self.page());
                record.violated(Violation::NotBack(what));
            } else if observer.last() != Some(top) {
                let what = format!(
                    "{:?} on {topic}: ended at {:?} of {top}",
                    self.page(),
                    observer.last()
                );
                record.violated(Violation::Missed(what));
            }
        }
        for (request, topic) in &self.subscribing {
            let what = format!("{:?}: {request:?} for {topic}", self.page());
            record.violated(Violation::Unanswered(what));
        }
    }
}
