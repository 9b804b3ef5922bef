//! What a shard is told: by connections, and by the stores.

use bmt_server_core::channel::{Appended, Author, Cold, ColdPage, Opened, Page, Prepared, ReadMark};
use bmt_shared::channel::ChannelName;
use bmt_shared::error::Failure;
use bmt_shared::id::{ConnectionId, MessageId, ServerMessageId, UserId};
use bmt_shared::payload::Payload;
use bmt_shared::position::Seq;
use bmt_shared::reply::Reply;
use bmt_shared::request::{HistoryQuery, Subscribe};
use tokio::sync::oneshot;

use super::room::Room;
use super::survey::Survey;
use super::{Answer, Departure, Publisher, Subscriber};
use crate::history::{Erasure, Kind, StoreFailure};
use crate::outbox::Outbox;
use crate::telemetry::Publishing;

/// One thing a shard is told.
pub(super) enum Command {
    /// A request on one channel.
    Request(ChannelName, Request),
    /// A store knows a channel that was asked for.
    Opened(ChannelName, Result<Opened, StoreFailure>),
    /// A store is done with a batch.
    Appended(
        Kind,
        Turn<InFlight, MarkInFlight>,
        Result<Vec<Appended>, StoreFailure>,
    ),
    /// A store read what a request needs.
    Read(Reading, Result<Page, StoreFailure>),
    /// A store is done with an erasure.
    Erased(ChannelName, Erasing, Result<u64, StoreFailure>),
    /// A client has a message that was to be confirmed.
    Confirm(Confirmation),
    /// The namespaces are others now.
    Rules,
    /// Tell of the channels that are in use.
    Survey(Survey),
    /// Answer what is in flight, then say so and end.
    Drain(oneshot::Sender<()>),
}

/// A request on one channel.
pub(super) enum Request {
    Subscribe(Subscriber, Subscribe, Pending),
    Unsubscribe(ConnectionId, Pending),
    Publish(Publisher, MessageId, Box<Prepared>, Pending),
    Signal(Publisher, Payload, Pending),
    History(HistoryQuery, Pending),
    Presence(Pending),
    Read(Subscriber, Seq, Pending),
    Erase(Erasure, Erasing),
    /// The connection is gone; nobody waits for an answer.
    Closed(ConnectionId, Departure),
}

impl Request {
    /// Answers the request without carrying it out.
    pub(super) fn refuse(self, failure: &Failure) {
        let pending = match self {
            Self::Subscribe(_, _, pending)
            | Self::Unsubscribe(_, pending)
            | Self::Publish(_, _, _, pending)
            | Self::Signal(_, _, pending)
            | Self::History(_, pending)
            | Self::Presence(pending)
            | Self::Read(_, _, pending) => pending,
            Self::Erase(_, erasing) => return erasing.answer(Err(failure.clone())),
            Self::Closed(..) => return,
        };
        let Pending { answer, tracing, .. } = pending;
        if let Some(mut tracing) = tracing {
            tracing.settled(Err(failure));
        }
        answer.give(Reply::Failed(failure.clone()));
    }
}

/// Who waits for an erasure.
pub(super) struct Erasing {
    pub(super) waiter: oneshot::Sender<Result<u64, Failure>>,
    pub(super) _room: Room,
}

impl Erasing {
    /// The waiter may have given up.
    pub(super) fn answer(self, result: Result<u64, Failure>) {
        let _ = self.waiter.send(result);
    }
}

/// An answer that is owed, with the room its request takes until then.
pub(super) struct Pending {
    pub(super) answer: Answer,
    pub(super) room: Room,
    /// The span of a publish, where it has one.
    pub(super) tracing: Option<Publishing>,
}

impl Pending {
    pub(super) fn new(answer: Answer, room: Room) -> Self {
        Self {
            answer,
            room,
            tracing: None,
        }
    }

    pub(super) fn traced(self, tracing: Option<Publishing>) -> Self {
        Self { tracing, ..self }
    }

    pub(super) fn hold_place(self) -> Self {
        Self {
            answer: self.answer.hold_place(),
            ..self
        }
    }
}

/// A publish whose fate is with the store.
pub(super) struct InFlight {
    pub(super) topic: ChannelName,
    pub(super) pending: Pending,
    /// Who hears of its confirmations, where it is to be confirmed.
    pub(super) author: Option<Author<Outbox>>,
}

/// A confirmation of a message that may lie in any shard.
pub(super) struct Confirmation {
    pub(super) id: ServerMessageId,
    pub(super) connection: ConnectionId,
    pub(super) user: UserId,
    pub(super) _room: Room,
}

/// A read position whose fate is with the store.
pub(super) struct MarkInFlight {
    pub(super) mark: ReadMark,
    pub(super) by: ConnectionId,
    pub(super) pending: Pending,
}

/// What goes to a store together: of publishes and of read positions.
pub(super) struct Turn<P, R> {
    pub(super) publishes: Vec<P>,
    pub(super) reads: Vec<R>,
}

impl<P, R> Default for Turn<P, R> {
    fn default() -> Self {
        Self {
            publishes: Vec::new(),
            reads: Vec::new(),
        }
    }
}

/// A request that waits for messages of the store.
pub(super) enum Reading {
    Subscribe(Box<Cold>, Pending),
    History(ColdPage, Pending),
}
