//! One shard: the task that owns its channels.

mod confirming;
mod erasing;
mod storing;

use std::collections::HashMap;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use bmt_server_core::channel::{
    Author, Channel, Opened, Output, Page, Paging, Prepared, Read, Retention,
    Subscriber as ChannelSubscriber, Subscribing,
};
use bmt_shared::channel::ChannelName;
use bmt_shared::error::{ErrorCode, Failure};
use bmt_shared::event::ServerEvent;
use bmt_shared::id::MessageId;
use bmt_shared::message::Priority;
use bmt_shared::namespace::Namespace;
use bmt_shared::reply::{PresenceList, Reply};
use bmt_shared::request::{HistoryQuery, Subscribe};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::command::{Command, InFlight, MarkInFlight, Pending, Reading, Request, Turn};
use confirming::Confirming;

use super::random::Random;
use super::survey::{ChannelDetail, Survey};
use super::timetable::Timetable;
use super::writers::Writers;
use super::{Departure, Publisher, Subscriber, World};
use crate::history::{Append, BATCH_ROWS, Kind, StoreFailure, Term};
use crate::meters::Meters;
use crate::outbox::{Encoded, Outbox, Outgoing};

/// Commands taken at once: their publishes go to the store as one batch.
const COMMANDS_AT_ONCE: usize = BATCH_ROWS;
/// Bytes of messages that the channels of one shard may hold in memory.
pub(super) const TAILS_BYTES: usize = 128 * 1_024 * 1_024;
/// What a channel may hold while the shard is over [`TAILS_BYTES`].
const SHORT_TAIL_BYTES: usize = 16 * 1_024;

enum Place {
    /// The store was asked; what comes meanwhile waits in order.
    Opening(Vec<Request>),
    Open(Box<Channel<Outbox>>),
}

pub(super) struct Shard {
    inbox: mpsc::UnboundedReceiver<Command>,
    /// The shard's own door, for the stores' answers.
    door: mpsc::UnboundedSender<Command>,
    world: Arc<World>,
    places: HashMap<ChannelName, Place>,
    timetable: Timetable,
    random: Random,
    /// Publishes and read positions of this turn, by store.
    turns: [Turn<(Append, InFlight), MarkInFlight>; Kind::ALL.len()],
    terms: [Term; Kind::ALL.len()],
    /// Questions to the stores that are not answered yet.
    awaited: usize,
    tails_bytes: usize,
    writers: Writers,
    confirming: Confirming,
    drained: Option<oneshot::Sender<()>>,
}

impl Shard {
    pub(super) fn new(
        inbox: mpsc::UnboundedReceiver<Command>,
        door: mpsc::UnboundedSender<Command>,
        world: Arc<World>,
    ) -> Self {
        Self {
            inbox,
            door,
            world,
            places: HashMap::new(),
            timetable: Timetable::default(),
            random: Random::new(),
            turns: Default::default(),
            terms: [0; Kind::ALL.len()],
            awaited: 0,
            tails_bytes: 0,
            writers: Writers::default(),
            confirming: Confirming::default(),
            drained: None,
        }
    }

    /// Runs until it is drained.
    pub(super) async fn run(mut self) {
        let mut commands = Vec::with_capacity(COMMANDS_AT_ONCE);
        loop {
            let timeout = self.timeout();
            tokio::select! {
                _ = self.inbox.recv_many(&mut commands, COMMANDS_AT_ONCE) => {}
                () = sleep(timeout) => {}
            }
            for command in commands.drain(..) {
                self.handle(command);
            }
            self.hand_over();
            self.handle_timeouts();
            self.writers.set_going();
            if self.awaited == 0
                && self.inbox.is_empty()
                && let Some(drained) = self.drained.take()
            {
                self.settle_unconfirmed();
                // Whoever asked may have given up waiting.
                let _ = drained.send(());
                return;
            }
        }
    }

    fn now_ms(&self) -> u64 {
        (self.world.clock)()
    }

    fn timeout(&self) -> Option<Duration> {
        let next = self.timetable.next_ms()?;
        Some(Duration::from_millis(next.saturating_sub(self.now_ms())))
    }

    fn handle(&mut self, command: Command) {
        match command {
            Command::Request(topic, request) => self.request(topic, request),
            Command::Opened(topic, result) => self.opened(&topic, result),
            Command::Appended(kind, turn, result) => self.appended(kind, turn, result),
            Command::Read(reading, result) => self.read(reading, result),
            Command::Erased(topic, erasing, result) => self.erased(&topic, erasing, result),
            Command::Rules => self.change_rules(),
            Command::Survey(survey) => self.survey(survey),
            Command::Confirm(confirmation) => self.confirm(&confirmation),
            Command::Drain(done) => self.drained = Some(done),
        }
    }

    fn survey(&self, survey: Survey) {
        let open = self.places.iter().filter_map(|(name, place)| match place {
            Place::Open(channel) if survey.wanted.includes(name) => Some(ChannelDetail::of(name, channel)),
            _ => None,
        });
        let details = open.collect();
        survey.finish(self.places.len(), details);
    }

    fn request(&mut self, topic: ChannelName, request: Request) {
        match self.places.get_mut(&topic) {
            Some(Place::Open(_)) => self.carry_out(&topic, request),
            Some(Place::Opening(waiting)) => waiting.push(request),
            None => match request {
                // These need no channel where there is none.
                Request::Unsubscribe(_, pending) => pending.answer.give(Reply::Unsubscribed(topic)),
                Request::Signal(_, _, pending) => pending.answer.give(Reply::Done),
                Request::Presence(pending) => pending.answer.give(Reply::Presence(nobody())),
                Request::Closed(..) => {}
                request => self.open(topic, request),
            },
        }
    }

    fn open(&mut self, topic: ChannelName, request: Request) {
        let namespaces = self.world.namespaces.load();
        let Some(namespace) = namespaces.of(&topic) else {
            return request.refuse(&unknown_namespace(&topic));
        };
        let (kind, retention) = kept(&namespace);
        self.places.insert(topic.clone(), Place::Opening(vec![request]));
        self.awaited += 1;
        let door = self.door.clone();
        let name = topic.clone();
        let done = Box::new(move |result| tell(&door, Command::Opened(name, result)));
        let now_ms = self.now_ms();
        self.world.histories.of(kind).open(topic, retention, now_ms, done);
    }

    fn opened(&mut self, topic: &ChannelName, result: Result<Opened, StoreFailure>) {
        self.awaited -= 1;
        let Some(Place::Opening(waiting)) = self.places.remove(topic) else {
            unreachable!("a channel is opened once, and nothing else takes its place");
        };
        let opened = match result {
            Ok(opened) => opened,
            Err(failure) => {
                let failure = Failure::from(failure);
                return waiting.into_iter().for_each(|request| request.refuse(&failure));
            }
        };
        let now_ms = self.now_ms();
        let channel = self.by_namespace(topic, |namespace| {
            Channel::new(topic.clone(), namespace, opened, now_ms)
        });
        self.tails_bytes += channel.tail_bytes();
        self.places.insert(topic.clone(), Place::Open(Box::new(channel)));
        for request in waiting {
            self.carry_out(topic, request);
        }
    }

    fn carry_out(&mut self, topic: &ChannelName, request: Request) {
        match request {
            Request::Subscribe(who, subscribe, pending) => self.subscribe(topic, who, &subscribe, pending),
            Request::Unsubscribe(connection, pending) => {
                self.with(topic, |channel, now_ms| channel.unsubscribe(&connection, now_ms));
                pending.answer.give(Reply::Unsubscribed(topic.clone()));
            }
            Request::Publish(from, key, publish, pending) => {
                if let Some(failure) = pending.answer.stopped() {
                    return pending.answer.give(Reply::Failed(failure));
                }
                self.publish(topic, &from, key, *publish, pending);
            }
            Request::Signal(from, payload, pending) => {
                self.with(topic, |channel, now_ms| {
                    channel.signal(
                        from.user.user_id.clone(),
                        payload,
                        from.connection.as_ref(),
                        now_ms,
                    );
                });
                pending.answer.give(Reply::Done);
            }
            Request::History(query, pending) => self.history(topic, &query, pending),
            Request::Presence(pending) => {
                let list = self.with(topic, |channel, _| channel.presence());
                pending.answer.give(Reply::Presence(list));
            }
            Request::Read(who, seq, pending) => self.mark(topic, &who, seq, pending),
            Request::Erase(erasure, erasing) => self.erase(topic, erasure, erasing),
            Request::Closed(connection, departure) => {
                self.with(topic, |channel, now_ms| match departure {
                    Departure::Left => channel.unsubscribe(&connection, now_ms),
                    Departure::Lapsed => channel.lapse(&connection, now_ms),
                });
            }
        }
    }

    fn subscribe(&mut self, topic: &ChannelName, who: Subscriber, request: &Subscribe, pending: Pending) {
        let subscriber = ChannelSubscriber {
            to: who.outbox,
            user: who.user,
        };
        let subscribing = self.with(topic, |channel, now_ms| {
            channel.subscribe(who.connection, subscriber, request, now_ms)
        });
        match subscribing {
            Ok(Subscribing::Ready(reply)) => pending.answer.give(Reply::Subscribed(reply)),
            Ok(Subscribing::Cold(cold)) => {
                let read = cold.read().clone();
                // Live messages of the channel follow from now on, and must stand behind the reply.
                let pending = pending.hold_place();
                self.ask(topic, read, Reading::Subscribe(cold, pending));
            }
            Err(failure) => pending.answer.give(Reply::Failed(failure)),
        }
    }

    fn publish(
        &mut self,
        topic: &ChannelName,
        from: &Publisher,
        key: MessageId,
        publish: Prepared,
        mut pending: Pending,
    ) {
        let random = self.random.number();
        let author = Author {
            connection: from.connection.clone(),
            to: from.outbox.clone(),
        };
        let from = from.user.user_id.clone();
        let draft = self.with(topic, |channel, now_ms| {
            channel.begin_publish(publish, from, key, now_ms, random)
        });
        let (kind, retention) = self.by_namespace(topic, kept);
        if let Some(tracing) = &mut pending.tracing {
            tracing.handed_over();
        }
        let in_flight = InFlight {
            topic: topic.clone(),
            pending,
            author: draft.require_delivery.then_some(author),
        };
        self.turns[kind as usize]
            .publishes
            .push((Append { draft, retention }, in_flight));
    }

    fn history(&mut self, topic: &ChannelName, query: &HistoryQuery, pending: Pending) {
        match self.with(topic, |channel, now_ms| channel.history(query, now_ms)) {
            Paging::Ready(page) => pending.answer.give(Reply::History(page)),
            Paging::Cold(cold) => {
                let read = cold.read().clone();
                self.ask(topic, read, Reading::History(cold, pending));
            }
        }
    }

    fn ask(&mut self, topic: &ChannelName, read: Read, reading: Reading) {
        self.awaited += 1;
        let kind = self.by_namespace(topic, kept).0;
        let door = self.door.clone();
        let done = Box::new(move |result| tell(&door, Command::Read(reading, result)));
        self.world.histories.of(kind).read(read, done);
    }

    fn read(&mut self, reading: Reading, result: Result<Page, StoreFailure>) {
        self.awaited -= 1;
        match reading {
            Reading::Subscribe(cold, pending) => {
                let reply = cold.finish(result.as_ref().ok());
                pending.answer.give(Reply::Subscribed(reply));
            }
            Reading::History(cold, pending) => pending.answer.give(match result {
                Ok(page) => Reply::History(cold.finish(&page)),
                Err(failure) => Reply::Failed(failure.into()),
            }),
        }
    }

    fn handle_timeouts(&mut self) {
        let now_ms = self.now_ms();
        while let Some(topic) = self.timetable.take_due(now_ms) {
            let idle_since = self.with(&topic, |channel, now_ms| {
                channel.handle_timeout(now_ms);
                channel.idle_since_ms()
            });
            if idle_since.is_some_and(|since| since + self.world.empty_channel_ms() <= now_ms) {
                self.free(&topic);
            }
        }
    }

    fn free(&mut self, topic: &ChannelName) {
        if let Some(Place::Open(channel)) = self.places.remove(topic) {
            self.tails_bytes -= channel.tail_bytes();
            self.timetable.strike(topic);
            let kind = self.by_namespace(topic, kept).0;
            self.world.histories.of(kind).release(topic);
        }
    }

    /// Changes an open channel, then sends what it has to say and notes when it wants to be looked at.
    fn with<T>(&mut self, topic: &ChannelName, change: impl FnOnce(&mut Channel<Outbox>, u64) -> T) -> T {
        let now_ms = (self.world.clock)();
        let Some(Place::Open(channel)) = self.places.get_mut(topic) else {
            unreachable!("a channel in use is open: it is freed only when idle");
        };
        let before = channel.tail_bytes();
        let result = change(channel, now_ms);
        while let Some(output) = channel.poll_output() {
            send(output, now_ms, &self.world.meters, &mut self.writers);
        }
        self.tails_bytes = self.tails_bytes + channel.tail_bytes() - before;
        if self.tails_bytes > TAILS_BYTES {
            let before = channel.tail_bytes();
            channel.shrink_tail(SHORT_TAIL_BYTES);
            self.tails_bytes = self.tails_bytes + channel.tail_bytes() - before;
        }
        let free_at = channel
            .idle_since_ms()
            .map(|since| since + self.world.empty_channel_ms());
        if let Some(at_ms) = [channel.poll_timeout(), free_at].into_iter().flatten().min() {
            self.timetable.note(topic, at_ms);
        }
        result
    }

    /// Tells the channels of their namespaces' rules as they are now. One that is being opened begins with them.
    fn change_rules(&mut self) {
        let open = self
            .places
            .iter()
            .filter(|(_, place)| matches!(place, Place::Open(_)));
        let topics: Vec<ChannelName> = open.map(|(topic, _)| topic.clone()).collect();
        let namespaces = self.world.namespaces.load_full();
        for topic in topics {
            if let Some(namespace) = namespaces.of(&topic) {
                self.with(&topic, |channel, now_ms| channel.change_rules(&namespace, now_ms));
            }
        }
    }

    /// Asks the rules of a channel that is open or being opened.
    fn by_namespace<T>(&self, topic: &ChannelName, ask: impl FnOnce(&Namespace) -> T) -> T {
        let namespaces = self.world.namespaces.load();
        let namespace = namespaces
            .of(topic)
            .expect("a channel is opened only in a known namespace, and none vanishes");
        ask(&namespace)
    }
}

/// Where a channel's messages are kept, and how many of them.
fn kept(namespace: &Namespace) -> (Kind, Retention) {
    (Kind::of(namespace.durability), Retention::of(namespace))
}

async fn sleep(timeout: Option<Duration>) {
    match timeout {
        Some(timeout) => tokio::time::sleep(timeout).await,
        None => pending().await,
    }
}

/// The shard may have ended: then the process ends, and nobody waits.
fn tell(door: &mpsc::UnboundedSender<Command>, command: Command) {
    let _ = door.send(command);
}

fn send(output: Output<Outbox>, now_ms: u64, meters: &Meters, writers: &mut Writers) {
    let mut notification = None;
    let mut ends_at = None;
    let (event, to) = match output {
        Output::Message { entry, prev, to } => {
            notification = entry.notification();
            ends_at = entry.expires_at_ms.and_then(|end_ms| instant(end_ms, now_ms));
            let event = ServerEvent::Message(entry.message_after(prev));
            meters.deliveries.add(to.len() as u64);
            (Encoded::with_priority(event, entry.priority), to)
        }
        // Nothing is missing where a signal is: it goes first when a connection is slow.
        Output::Signal { signal, to } => {
            meters.signals.add(1);
            let event = ServerEvent::Signal(signal);
            (Encoded::with_priority(event, Priority::Low), to)
        }
        Output::Presence { change, to } => (Encoded::new(ServerEvent::Presence(change)), to),
        Output::Receipt { receipt, to } => (
            Encoded::with_priority(ServerEvent::Receipt(receipt), Priority::Low),
            to,
        ),
        Output::Delivery { delivery, to } => (Encoded::new(ServerEvent::Delivery(delivery)), to),
        Output::Gap { gap, to } => (Encoded::new(ServerEvent::Gap(gap)), to),
    };
    let event = Arc::new(event.until(ends_at));
    let notification = notification.map(|body| Encoded::new(ServerEvent::Notification(body)).until(ends_at));
    let notification = notification.map(Arc::new);
    for outbox in to {
        writers.give(&outbox, Outgoing::Event(event.clone()));
        if let Some(notification) = &notification {
            writers.give(&outbox, Outgoing::Event(notification.clone()));
        }
    }
}

/// That time on the clock that does not jump; [`None`] where that has no such time.
fn instant(at_ms: u64, now_ms: u64) -> Option<Instant> {
    Instant::now().checked_add(Duration::from_millis(at_ms.saturating_sub(now_ms)))
}

fn unknown_namespace(topic: &ChannelName) -> Failure {
    Failure::new(
        ErrorCode::ChannelNotFound,
        format!("there is no namespace {:?} on this server", topic.namespace()),
    )
}

fn nobody() -> PresenceList {
    PresenceList {
        users: Vec::new(),
        count: 0,
    }
}
