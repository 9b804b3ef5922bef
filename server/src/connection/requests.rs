//! The way of one request: read, admitted by the session, handed to the shards.
//!
//! A transport calls [`Connection::handle`] for each frame in the order in which it came, from its reading task
//! and never from two at once. Everything up to the hand-over to the shards happens in that call, without a
//! wait: that is what keeps the requests of a connection in order. Answers come back through the outbox.

use std::sync::Arc;

use bmt_server_core::session::Admitted;
use bmt_shared::channel::ChannelName;
use bmt_shared::error::Failure;
use bmt_shared::event::{HeartbeatAck, ServerEvent};
use bmt_shared::id::MessageId;
use bmt_shared::reply::Reply;
use bmt_shared::request::{Call, ParseError, Publish, Request, Subscribe};
use bytes::Bytes;

use super::Connection;
use super::calls::{Pending, Speak};
use super::link::{Open, mint_message_id};
use crate::budgets::Act;
use crate::outbox::ReplyTo;
use crate::shards::Answer;

/// One request as a transport took it off the wire.
pub(super) struct Incoming<'a> {
    /// The event's name or the frame's type.
    pub(super) name: &'a str,
    /// The body's JSON text, not looked at yet.
    pub(super) body: &'a str,
    /// The body's binary parts.
    pub(super) attachments: Vec<Bytes>,
    /// The `messageId` beside the body (raw), used where the body has none.
    pub(super) message_id: Option<MessageId>,
    /// The number of the Socket.IO callback to call.
    pub(super) callback: Option<i64>,
}

impl Connection {
    /// Handles one request. See the [module](self).
    pub(super) fn handle(self: &Arc<Self>, incoming: Incoming<'_>) {
        // Its answer would not be sent. This also keeps the calls as few as the outbox lets answers wait.
        if !self.outbox.is_open() {
            return;
        }
        let now_ms = self.context.now_ms();
        let bytes = incoming.body.len() + incoming.attachments.iter().map(Bytes::len).sum::<usize>();
        let callback = incoming.callback;
        let parsed = Call::parse(incoming.name, incoming.body, incoming.attachments);
        let (message_id, parsed) = match parsed {
            Ok(call) => (call.message_id, Ok(call.request)),
            Err(ParseError { message_id, failure }) => (message_id, Err(failure)),
        };
        let message_id = message_id
            .or(incoming.message_id)
            .unwrap_or_else(|| mint_message_id(now_ms));
        let pending = Pending {
            callback,
            bytes,
            speak: parsed
                .as_ref()
                .map_or(Speak::Always, |request| speak(request, callback)),
            subscribes: None,
        };
        self.with(|open| {
            let taken = open.session.take(bytes);
            let bytes = if taken.is_ok() { bytes } else { 0 };
            let call = open.calls.open(Pending { bytes, ..pending });
            let to = ReplyTo { message_id, call };
            match taken.and(parsed) {
                Ok(request) => self.dispatch(open, to, request, now_ms),
                Err(failure) => self.refuse(to, failure),
            }
        });
    }

    /// Refuses a frame that names no request. `message_id` and `callback` as in [`Incoming`].
    pub(super) fn refuse_frame(
        &self,
        message_id: Option<MessageId>,
        callback: Option<i64>,
        failure: Failure,
    ) {
        if !self.outbox.is_open() {
            return;
        }
        let message_id = message_id.unwrap_or_else(|| mint_message_id(self.context.now_ms()));
        self.with(|open| {
            let call = open.calls.open(Pending {
                callback,
                bytes: 0,
                speak: Speak::Always,
                subscribes: None,
            });
            self.refuse(ReplyTo { message_id, call }, failure);
        });
    }

    fn dispatch(self: &Arc<Self>, open: &mut Open, to: ReplyTo, request: Request, now_ms: u64) {
        let shards = &self.context.shards;
        match request {
            Request::Subscribe(subscribe) => self.subscribe(open, to, subscribe, now_ms),
            Request::SubscribeBatch(topics) => self.subscribe_batch(open, to, topics, now_ms),
            Request::Unsubscribe(topic) => {
                open.session.unsubscribe(&topic);
                shards.unsubscribe(self.id(), topic, Answer::Outbox(self.outbox.clone(), to));
            }
            Request::Publish(publish) => self.publish(open, to, publish, now_ms),
            Request::PublishBatch(entries) => self.publish_batch(open, to, entries, now_ms),
            Request::Signal(topic, payload) => match open
                .session
                .admit_signal(&topic, &payload, now_ms)
                .and_then(|()| self.spend(Act::Signal, now_ms))
            {
                Ok(()) => {
                    let from = self.publisher(open.session.user().clone());
                    let answer = Answer::FailureOnly(self.outbox.clone(), to.clone());
                    shards.signal(&from, topic, payload, answer);
                    self.reply(to, Reply::Done);
                }
                Err(failure) => self.refuse(to, failure),
            },
            Request::History(query) => match self.admit_read(open, &query.topic, now_ms) {
                Ok(()) => shards.history(query, Answer::Outbox(self.outbox.clone(), to)),
                Err(failure) => self.refuse(to, failure),
            },
            Request::Presence(topic) => match self.admit_read(open, &topic, now_ms) {
                Ok(()) => shards.presence(topic, Answer::Outbox(self.outbox.clone(), to)),
                Err(failure) => self.refuse(to, failure),
            },
            Request::Heartbeat(timestamp) => {
                self.say(ServerEvent::HeartbeatAck(HeartbeatAck {
                    timestamp: timestamp.unwrap_or(now_ms),
                }));
                self.reply(to, Reply::Done);
            }
            Request::Refresh(token) => self.refresh(open, to, token, now_ms),
            Request::Read(topic, seq) => match open
                .session
                .admit_mark(&topic, now_ms)
                .and_then(|()| self.spend(Act::Signal, now_ms))
            {
                Ok(()) => {
                    let who = self.subscriber(open.session.user().clone());
                    shards.read(&who, topic, seq, Answer::Outbox(self.outbox.clone(), to));
                }
                Err(failure) => self.refuse(to, failure),
            },
            Request::Ack(id) => {
                shards.confirm(&self.subscriber(open.session.user().clone()), &id);
                self.reply(to, Reply::Done);
            }
        }
    }

    /// Admits a request to subscribe, single or batch. What a connection restores in its first seconds is no share
    /// of its user's or its address's: all of them come back at once.
    pub(super) fn admit_subscribe(&self, open: &mut Open, now_ms: u64) -> Result<(), Failure> {
        match open.session.admit_subscribe(now_ms)? {
            Admitted::Restoring => Ok(()),
            Admitted::ByRate => self.spend(Act::Subscribe, now_ms),
        }
    }

    fn admit_read(&self, open: &mut Open, topic: &ChannelName, now_ms: u64) -> Result<(), Failure> {
        open.session.admit_read(topic, now_ms)?;
        self.spend(Act::Read, now_ms)
    }

    fn subscribe(self: &Arc<Self>, open: &mut Open, to: ReplyTo, subscribe: Subscribe, now_ms: u64) {
        let admitted = self
            .admit_subscribe(open, now_ms)
            .and_then(|()| open.session.admit_filter(&subscribe.params))
            .and_then(|()| open.session.subscribe(&subscribe.topic, to.call));
        if let Err(failure) = admitted {
            return self.refuse(to, failure);
        }
        if let Some(pending) = open.calls.get_mut(to.call) {
            pending.subscribes = Some(subscribe.topic.clone());
        }
        let who = self.subscriber(open.session.user().clone());
        let answer = Answer::Outbox(self.outbox.clone(), to);
        self.context.shards.subscribe(&who, subscribe, answer);
    }

    fn publish(self: &Arc<Self>, open: &mut Open, to: ReplyTo, publish: Publish, now_ms: u64) {
        let admitted = open
            .session
            .admit_publish(&publish.topic, &publish.payload, now_ms)
            .and_then(|()| self.spend(Act::Publish, now_ms));
        if let Err(failure) = admitted {
            return self.refuse(to, failure);
        }
        let from = self.publisher(open.session.user().clone());
        let id = to.message_id.clone();
        let answer = Answer::Outbox(self.outbox.clone(), to);
        self.context.shards.publish(&from, id, publish, answer);
    }
}

fn speak(request: &Request, callback: Option<i64>) -> Speak {
    match request {
        _ if callback.is_some() => Speak::Always,
        Request::Publish(publish) if !publish.ack_required => Speak::OfFailure,
        Request::Signal(..) | Request::Heartbeat(_) | Request::Ack(_) => Speak::Never,
        _ => Speak::Always,
    }
}
