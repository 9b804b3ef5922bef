//! The channels of this node, spread over a few tasks: the one place where a channel changes.
//!
//! A channel belongs to one shard, found by its name. A shard is a task that owns its channels outright: seq,
//! tail, subscribers and presence change there, in one order, without a lock that connections share. Requests
//! are handed over by the methods of [`Shards`], which never wait; each is answered through its [`Answer`].

mod command;
mod directory;
mod erasure;
mod random;
mod room;
mod survey;
mod task;
mod timetable;
mod writers;

#[cfg(test)]
mod tests;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::num::NonZero;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use bmt_server_core::channel::Prepared;
use bmt_shared::channel::ChannelName;
use bmt_shared::error::{ErrorCode, Failure};
use bmt_shared::id::{ConnectionId, MessageId, ServerMessageId};
use bmt_shared::identity::{Role, User};
use bmt_shared::payload::Payload;
use bmt_shared::position::Seq;
use bmt_shared::reply::Reply;
use bmt_shared::request::{HistoryQuery, Publish, Subscribe};
use tokio::sync::{mpsc, oneshot};

use crate::clock::Clock;
use crate::history::Histories;
use crate::meters::Meters;
use crate::namespaces::CurrentNamespaces;
use crate::outbox::{Outbox, Outgoing, ReplyTo, Slot};
use crate::telemetry::Telemetry;
use command::{Command, Confirmation, Pending, Request};
use room::Rooms;
use task::Shard;
use writers::Writers;

pub use room::{SHARD_BYTES, SHARD_REQUESTS};
pub use survey::ChannelDetail;

/// Most shards of a node: beyond this the store is what limits, not the fan-out.
const MOST_SHARDS: usize = 16;
/// When a client that met a full shard should come again, ms.
const FULL_RETRY_MS: u64 = 500;
/// When a client that met a stopping server should come again, ms.
const STOPPING_RETRY_MS: u64 = 1_000;

/// What the operator can set about channels.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// A channel without subscribers leaves the memory after this, ms (SPEC §10).
    pub empty_channel_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            empty_channel_ms: 5 * 60 * 1_000,
        }
    }
}

/// One connection as channels see it.
#[derive(Clone)]
pub struct Subscriber {
    /// The connection's public name.
    pub connection: ConnectionId,
    /// Who it speaks for.
    pub user: Arc<User>,
    /// Its way out.
    pub outbox: Outbox,
}

/// Who publishes or signals: a connection, or the server's own API.
#[derive(Clone)]
pub struct Publisher {
    /// Who the message is from.
    pub user: Arc<User>,
    /// The connection, which does not get its own signals back.
    pub connection: Option<ConnectionId>,
    /// Its way out: it hears of the confirmations of its messages.
    pub outbox: Option<Outbox>,
}

/// How a connection left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Departure {
    /// It closed, or was closed: its user may be back in a moment.
    Left,
    /// It was silent until its heartbeat ran out.
    Lapsed,
}

/// Where the reply to a request goes. It is used up by [`Answer::give`].
pub enum Answer {
    /// Into a place that was taken in the connection's order when the request arrived.
    Slot(Slot, ReplyTo),
    /// To the end of the connection's order when the reply is known.
    Outbox(Outbox, ReplyTo),
    /// The same, but only a failure: a publish with `ackRequired: false`.
    FailureOnly(Outbox, ReplyTo),
    /// To whoever waits for it: a batch, or an HTTP request.
    Waiter(oneshot::Sender<Reply>),
    /// The same, of one publish in a row of them.
    Entry(oneshot::Sender<Reply>, Row),
}

/// One place in a row of publishes that must not overtake each other: a refusal that may be tried again stops those
/// behind it that no store has taken yet, and answers them with the same code (SPEC §4, batch).
///
/// Of one channel none overtakes another: what a store has in hand fails with what was before it (see
/// [`crate::history`]). What another channel had already taken when the refusal became known stays taken, and is
/// answered so.
#[derive(Clone, Default)]
pub struct Row {
    at: usize,
    /// The first place that was refused, and why.
    // Held for a comparison, by shards that refuse; nobody waits in it.
    refused: Arc<Mutex<Option<(usize, Failure)>>>,
}

impl Row {
    /// The place behind this one.
    #[must_use]
    pub fn next(&self) -> Self {
        Self {
            at: self.at + 1,
            refused: self.refused.clone(),
        }
    }

    /// What was refused before this place.
    #[must_use]
    pub fn stopped(&self) -> Option<Failure> {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let before = refused.as_ref().filter(|(at, _)| *at < self.at);
        before.map(|(_, failure)| failure.clone())
    }

    /// This place was refused; where it may be tried again, the row stops behind it.
    pub fn refused(&self, failure: &Failure) {
        if !failure.code.is_retryable() {
            return;
        }
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if refused.as_ref().is_none_or(|(at, _)| self.at < *at) {
            *refused = Some((self.at, failure.clone()));
        }
    }
}

impl Answer {
    /// Hands the reply over.
    pub fn give(self, reply: Reply) {
        match self {
            Self::Slot(slot, to) => slot.fill(Outgoing::Reply(to, reply)),
            Self::Outbox(outbox, to) => outbox.push(Outgoing::Reply(to, reply)),
            Self::FailureOnly(outbox, to) => {
                if !reply.is_success() {
                    outbox.push(Outgoing::Reply(to, reply));
                }
            }
            // The waiter may be gone: its connection closed, its HTTP client hung up.
            Self::Waiter(waiter) => drop(waiter.send(reply)),
            Self::Entry(waiter, row) => {
                if let Reply::Failed(failure) = &reply {
                    row.refused(failure);
                }
                drop(waiter.send(reply));
            }
        }
    }

    /// Why a publish is not to be begun any more.
    fn stopped(&self) -> Option<Failure> {
        match self {
            Self::Entry(_, row) => row.stopped(),
            _ => None,
        }
    }

    /// The same, but the connection's writer is woken with the others of this turn.
    fn give_with(self, writers: &mut Writers, reply: Reply) {
        match self {
            Self::Outbox(outbox, to) => writers.give(&outbox, Outgoing::Reply(to, reply)),
            other => other.give(reply),
        }
    }

    /// Takes a place in the connection's order now, for a reply that will be known later.
    fn hold_place(self) -> Self {
        match self {
            Self::Outbox(outbox, to) => Self::Slot(outbox.reserve(), to),
            other => other,
        }
    }
}

/// A handle to all shards; a clone is the same shards. None of its methods wait: what cannot be taken now is
/// answered with a failure that says when to come again. When the last handle is dropped the shards end.
#[derive(Clone)]
pub struct Shards(Arc<Inner>);

struct Inner {
    shards: Vec<Door>,
    world: Arc<World>,
    /// Set by [`Shards::drain`]; from then on requests are refused.
    is_stopping: AtomicBool,
    /// What the end of the server is called in replies and in the log.
    incident: Arc<str>,
}

/// What all shards share.
struct World {
    histories: Histories,
    namespaces: CurrentNamespaces,
    empty_channel_ms: AtomicU64,
    clock: Clock,
    meters: Arc<Meters>,
    telemetry: Telemetry,
}

impl World {
    fn empty_channel_ms(&self) -> u64 {
        self.empty_channel_ms.load(Ordering::Relaxed)
    }
}

struct Door {
    // Unbounded by itself: `rooms` bounds the requests, and a closed connection must always be let out.
    commands: mpsc::UnboundedSender<Command>,
    rooms: Rooms,
    /// What the end is called, here too: the shard may be gone.
    incident: Arc<str>,
}

impl Shards {
    /// Starts about as many shards as there are cores. Needs a running runtime.
    #[must_use]
    pub fn start(
        histories: Histories,
        namespaces: CurrentNamespaces,
        settings: Settings,
        clock: Clock,
        telemetry: Telemetry,
    ) -> Self {
        let count = thread::available_parallelism()
            .map_or(1, NonZero::get)
            .min(MOST_SHARDS);
        let world = Arc::new(World {
            histories,
            namespaces,
            empty_channel_ms: AtomicU64::new(settings.empty_channel_ms),
            clock,
            meters: Arc::default(),
            telemetry,
        });
        let incident: Arc<str> = crate::random::text::<9>().into();
        let start = |_| {
            let (commands, inbox) = mpsc::unbounded_channel();
            let shard = Shard::new(inbox, commands.clone(), world.clone());
            tokio::spawn(shard.run());
            Door {
                commands,
                rooms: Rooms::default(),
                incident: incident.clone(),
            }
        };
        Self(Arc::new(Inner {
            shards: (0..count).map(start).collect(),
            world,
            is_stopping: AtomicBool::new(false),
            incident: incident.clone(),
        }))
    }

    /// Subscribes a connection, or changes the options of its subscription. The reply stands before all live
    /// messages of the channel.
    pub fn subscribe(&self, who: &Subscriber, request: Subscribe, answer: Answer) {
        let topic = request.topic.clone();
        self.request(topic, 0, answer, |pending| {
            Request::Subscribe(who.clone(), request, pending)
        });
    }

    /// Ends a subscription; an unknown one is a success. Answered through [`Answer::Outbox`], no message of the
    /// channel stands behind the reply.
    pub fn unsubscribe(&self, connection: &ConnectionId, topic: ChannelName, answer: Answer) {
        let connection = connection.clone();
        // Never refused: a subscription that its connection believes gone would cost every publish.
        let door = self.door(&topic);
        let pending = Pending::new(answer, door.rooms.take_always());
        door.tell(topic, Request::Unsubscribe(connection, pending));
    }

    /// Publishes a message. `id` is the publisher's key: the same one publishes once.
    pub fn publish(&self, from: &Publisher, id: MessageId, publish: Publish, answer: Answer) {
        let topic = publish.topic.clone();
        let bytes = publish.payload.size_bytes();
        // Read here and not in the shard: callers are many, a channel's owner is one.
        let namespaces = self.0.world.namespaces.load();
        let namespace = namespaces.of(&topic);
        let is_known = namespace.is_some();
        let prepared = match namespace {
            Some(namespace) => Prepared::new(publish, &namespace, from.user.role == Role::Admin),
            // The shard refuses it.
            None => Ok(Prepared::from(publish)),
        };
        let prepared = match prepared {
            Ok(prepared) => Box::new(prepared),
            Err(failure) => return answer.give(Reply::Failed(failure)),
        };
        let tracing = is_known.then(|| self.0.world.telemetry.publish(&topic, bytes));
        self.request(topic, bytes, answer, |pending| {
            let pending = pending.traced(tracing.flatten());
            Request::Publish(from.clone(), id, prepared, pending)
        });
    }

    /// Hands a signal to the channel's subscribers but the sending connection. Success has nothing to tell.
    pub fn signal(&self, from: &Publisher, topic: ChannelName, payload: Payload, answer: Answer) {
        let bytes = payload.size_bytes();
        self.request(topic, bytes, answer, |pending| {
            Request::Signal(from.clone(), payload, pending)
        });
    }

    /// Answers a page of a channel's history.
    pub fn history(&self, query: HistoryQuery, answer: Answer) {
        let topic = query.topic.clone();
        self.request(topic, 0, answer, |pending| Request::History(query, pending));
    }

    /// Answers who is present on a channel; `invalid_operation` where its namespace keeps no presence, so that
    /// nobody takes an empty list for an empty channel.
    pub fn presence(&self, topic: ChannelName, answer: Answer) {
        let namespaces = self.0.world.namespaces.load();
        let namespace = namespaces.of(&topic);
        if namespace.is_some_and(|namespace| !namespace.presence) {
            return answer.give(Reply::Failed(no_presence(&topic)));
        }
        self.request(topic, 0, answer, Request::Presence);
    }

    /// Notes how far a user has read, and tells the others on the channel.
    pub fn read(&self, who: &Subscriber, topic: ChannelName, seq: Seq, answer: Answer) {
        self.request(topic, 0, answer, |pending| {
            Request::Read(who.clone(), seq, pending)
        });
    }

    /// A connection has a message that was to be confirmed. Of any other message it is no fault. Where a shard has
    /// no room for it the message is sent again, and confirmed again.
    pub fn confirm(&self, who: &Subscriber, id: &ServerMessageId) {
        for door in &self.0.shards {
            if let Some(room) = door.rooms.take(0) {
                let confirmation = Confirmation {
                    id: id.clone(),
                    connection: who.connection.clone(),
                    user: who.user.user_id.clone(),
                    _room: room,
                };
                // A shard that is gone waits for nothing any more.
                let _ = door.commands.send(Command::Confirm(confirmation));
            }
        }
    }

    /// A connection is gone: it leaves these channels.
    pub fn closed(&self, connection: &ConnectionId, topics: impl IntoIterator<Item = ChannelName>) {
        self.depart(connection, topics, Departure::Left);
    }

    /// A connection was silent until its heartbeat ran out: it leaves these channels, and its user is not taken
    /// for one who may be back in a moment.
    pub fn lapsed(&self, connection: &ConnectionId, topics: impl IntoIterator<Item = ChannelName>) {
        self.depart(connection, topics, Departure::Lapsed);
    }

    fn depart(
        &self,
        connection: &ConnectionId,
        topics: impl IntoIterator<Item = ChannelName>,
        departure: Departure,
    ) {
        for topic in topics {
            let door = self.door(&topic);
            door.tell(topic, Request::Closed(connection.clone(), departure));
        }
    }

    /// Goes on by these settings, and by the namespaces as they are now: channels in use are told of them.
    pub fn change_rules(&self, settings: Settings) {
        let Settings { empty_channel_ms } = settings;
        self.0
            .world
            .empty_channel_ms
            .store(empty_channel_ms, Ordering::Relaxed);
        for door in &self.0.shards {
            // A shard that is gone has no channels.
            let _ = door.commands.send(Command::Rules);
        }
    }

    /// Whether a publish in a stored namespace could succeed now (`/readyz`).
    #[must_use]
    pub fn is_writable(&self) -> bool {
        self.0.world.histories.is_writable()
    }

    /// What is counted of all that passes here.
    #[must_use]
    pub fn meters(&self) -> &Arc<Meters> {
        &self.0.world.meters
    }

    /// What a request is answered that the end of the server came before.
    #[must_use]
    pub fn stopping(&self) -> Failure {
        stopping(&self.0.incident)
    }

    /// Requests that are not answered yet, for gauges.
    #[must_use]
    pub fn unanswered(&self) -> usize {
        self.0.shards.iter().map(|door| door.rooms.taken()).sum()
    }

    /// Stops in good order: refuses new requests, answers those in flight, ends the shards, closes the stores.
    pub async fn drain(&self) {
        self.0.is_stopping.store(true, Ordering::Release);
        tracing::info!(incident = %self.0.incident, "stopping: requests are refused from now on");
        let stopping: Vec<_> = self.0.shards.iter().map(Door::stop).collect();
        for stopped in stopping {
            // An error is a shard that ended before: nothing is left to wait for.
            let _ = stopped.await;
        }
        let histories = self.0.world.histories.clone();
        tokio::task::spawn_blocking(move || histories.close())
            .await
            .expect("closing a store does not panic");
    }

    fn request(
        &self,
        topic: ChannelName,
        bytes: usize,
        answer: Answer,
        request: impl FnOnce(Pending) -> Request,
    ) {
        let door = self.door(&topic);
        if self.0.is_stopping.load(Ordering::Acquire) {
            return answer.give(Reply::Failed(self.stopping()));
        }
        match door.rooms.take(bytes) {
            Some(room) => door.tell(topic, request(Pending::new(answer, room))),
            None => answer.give(Reply::Failed(full())),
        }
    }

    fn door(&self, topic: &ChannelName) -> &Door {
        let mut hasher = DefaultHasher::new();
        topic.hash(&mut hasher);
        let shards = &self.0.shards;
        let at = hasher.finish() % shards.len() as u64;
        &shards[usize::try_from(at).expect("below the number of shards")]
    }
}

impl Door {
    fn tell(&self, topic: ChannelName, request: Request) {
        if let Err(mpsc::error::SendError(Command::Request(_, request))) =
            self.commands.send(Command::Request(topic, request))
        {
            request.refuse(&stopping(&self.incident));
        }
    }

    fn stop(&self) -> oneshot::Receiver<()> {
        let (done, stopped) = oneshot::channel();
        // A shard that is gone drops `done`, which ends the wait.
        let _ = self.commands.send(Command::Drain(done));
        stopped
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        for door in &self.shards {
            drop(door.stop());
        }
    }
}

fn full() -> Failure {
    Failure::new(
        ErrorCode::RateLimited,
        "the server has more requests in hand than it may hold; try again in a moment",
    )
    .retry_after(FULL_RETRY_MS)
}

fn no_presence(topic: &ChannelName) -> Failure {
    let namespace = topic.namespace();
    Failure::new(
        ErrorCode::InvalidOperation,
        format!(
            "no presence is kept on {topic}; the operator can switch it on with `namespaces.{namespace}.presence`"
        ),
    )
}

fn stopping(incident: &str) -> Failure {
    Failure::new(
        ErrorCode::ServerError,
        format!("the server is stopping (incident {incident}); connect again and repeat the request"),
    )
    .retry_after(STOPPING_RETRY_MS)
}
