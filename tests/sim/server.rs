//! The server core in a shell without sockets: connections by wire, a disk that outlives a kill.

mod publishing;
mod restart;
mod rights;
mod tokens;

use std::collections::BTreeMap;
use std::sync::Arc;

use bmt_server_core::channel::{
    Channel, Output, Paging, Range, Read, Retention, Stream, Subscriber, Subscribing,
};
use bmt_server_core::session::{Rules, Session};
use bmt_shared::channel::ChannelName;
use bmt_shared::codec::{engineio, socketio};
use bmt_shared::event::{Connected, HeartbeatAck, ServerEvent};
use bmt_shared::id::{ConnectionId, MessageId};
use bmt_shared::message::Message;
use bmt_shared::namespace::Namespaces;
use bmt_shared::position::Epoch;
use bmt_shared::reply::{NotRecovered, Reply, Subscribed};
use bmt_shared::request::{Call, Request, Subscribe};

use crate::plan::Plan;
use crate::random::Random;
use crate::tab::UNIX_START_MS;
use crate::wire::WireId;
use publishing::{AnswerTo, Batch, Drafts, Owed};
use rights::Rights;

/// Server to client: Engine.IO's pings, as the server's configuration has them (SPEC §10).
pub(crate) const PING_EVERY_MS: u64 = 10_000;
const PING_TIMEOUT_MS: u64 = 5_000;

/// How the packet begins that refuses a token.
pub(crate) const REFUSAL: &str = "44";

/// The numbering of every channel: the disk outlives everything.
pub(crate) const EPOCH: &str = "the disk's";

/// A fault put in on purpose, to see that it is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sabotage {
    None,
    /// Some acks are sent for messages that are not kept.
    AckUnstored,
    /// Published ids are not remembered.
    ForgetIds,
    /// Some publishes are never answered, whatever the connection.
    NeverAnswer,
    /// Some messages are lost between the client and its application.
    SwallowMessage,
    /// Some messages are handed to the application twice.
    RepeatMessage,
    /// A channel that one tab gives up is given up for all that share its connection.
    ForgetHolds,
    /// Storage says that it has written what it has not.
    LoseWrites,
    /// A tab whose token was refused for good comes back with another one that has ended.
    KnockOn,
    /// Nobody asks the application for the next token of a connection that lives.
    ForgetRefresh,
    /// No WebSocket is let take a polled session over.
    RefuseUpgrade,
}

/// The server.
pub(crate) struct Server {
    connections: BTreeMap<WireId, Connection>,
    channels: BTreeMap<ChannelName, Channel<WireId>>,
    /// The disk.
    streams: BTreeMap<ChannelName, Stream>,
    drafts: Drafts,
    batches: BTreeMap<u64, Batch>,
    last_batch: u64,
    rules: Arc<Rules>,
    pub(crate) sabotage: Sabotage,
    drop_live: u64,
    recovery_messages: usize,
    random: Random,
    rights: Rights,
    /// What became of tokens.
    pub(crate) verdicts: Vec<(WireId, Verdict)>,
    /// What was written to the disk.
    pub(crate) landed: Vec<Message>,
    /// When to come back for a connection, ms.
    pub(crate) alarms: Vec<(WireId, u64)>,
    /// What goes out: a frame, or the end of the wire.
    pub(crate) out: Vec<(WireId, Down)>,
}

/// What the server says to a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Admitted,
    Refused,
    /// Its time is over, and nobody has brought a new one.
    Ended,
}

/// What the server does to a wire.
pub(crate) enum Down {
    Frame(String),
    Close,
}

struct Connection {
    session: Option<Session>,
    /// Answered the last ping.
    is_alive: bool,
}

impl Server {
    pub(crate) fn new(plan: &Plan, topics: &[ChannelName], sabotage: Sabotage, random: Random) -> Self {
        let mut rules = Rules {
            namespaces: Namespaces::default(),
            subscribe_per_second: 100,
            backlog_requests: 4_096,
            backlog_bytes: 1_024 * 1_024,
            ..Rules::default()
        };
        rules.limits.publish_per_second = plan.publish_per_second;
        rules.limits.publish_burst = plan.publish_per_second * 2;
        Self {
            connections: BTreeMap::new(),
            channels: BTreeMap::new(),
            streams: BTreeMap::new(),
            drafts: Drafts::new(),
            batches: BTreeMap::new(),
            last_batch: 0,
            rules: Arc::new(rules),
            sabotage,
            drop_live: plan.drop_live,
            recovery_messages: plan.recovery_messages,
            random,
            rights: Rights::to(topics),
            verdicts: Vec::new(),
            landed: Vec::new(),
            alarms: Vec::new(),
            out: Vec::new(),
        }
    }

    /// Whether something is on its way to the disk.
    pub(crate) fn has_drafts(&self) -> bool {
        !self.drafts.is_empty()
    }

    /// No more live messages are dropped.
    pub(crate) fn heal(&mut self) {
        self.drop_live = 0;
    }

    pub(crate) fn handle_opened(&mut self, wire: WireId) {
        let connection = Connection {
            session: None,
            is_alive: true,
        };
        self.connections.insert(wire, connection);
        let handshake = engineio::Handshake {
            sid: wire.to_string().into(),
            upgrades: vec!["websocket".into()],
            ping_interval_ms: PING_EVERY_MS,
            ping_timeout_ms: PING_TIMEOUT_MS,
            max_payload_bytes: Some(1_000_000),
        };
        self.send(wire, format!("0{}", handshake.encode()));
    }

    pub(crate) fn handle_closed(&mut self, wire: WireId, now: u64) {
        self.connections.remove(&wire);
        for channel in self.channels.values_mut() {
            channel.unsubscribe(&connection_id(wire), now);
        }
    }

    /// A ping is due; a client that did not answer the last one is gone.
    pub(crate) fn ping(&mut self, wire: WireId, now: u64) {
        match self.connections.get_mut(&wire) {
            Some(connection) if connection.is_alive => {
                connection.is_alive = false;
                self.send(wire, "2".to_owned());
            }
            Some(_) => {
                self.close(wire, now);
            }
            None => {}
        }
    }

    /// Everything the disk has.
    pub(crate) fn history(&mut self) -> BTreeMap<ChannelName, Vec<Message>> {
        let topics: Vec<ChannelName> = self.streams.keys().cloned().collect();
        let all = topics.into_iter().map(|topic| {
            let read = Read {
                topic: topic.clone(),
                range: Range::Up {
                    after: 0,
                    through: u64::MAX,
                },
                messages: usize::MAX,
                bytes: usize::MAX,
                retention: self.retention(&topic),
                now_ms: 0,
            };
            let page = self.stream(&topic).read(&read);
            let messages = page.entries.iter().map(|entry| entry.message.clone()).collect();
            (topic, messages)
        });
        all.collect()
    }

    pub(crate) fn handle_frame(&mut self, wire: WireId, frame: &str, now: u64) {
        if let Some(connection) = self.connections.get_mut(&wire) {
            connection.is_alive = true;
        }
        let Ok(engineio::Packet::Message(packet)) = engineio::Packet::decode(frame) else {
            return;
        };
        match socketio::Packet::decode(packet).expect("our client writes whole packets") {
            socketio::Packet::Connect { data, .. } => self.greet(wire, data, now),
            socketio::Packet::Disconnect { .. } => {
                self.close(wire, now);
            }
            socketio::Packet::Event { id, data, .. } => {
                let event = socketio::split_event(data).expect("our client names its events");
                let body = event.args.clone().next().expect("a body").expect("that is JSON");
                let call =
                    Call::parse(&event.name, body, Vec::new()).expect("our client writes whole requests");
                self.handle_call(wire, id, call, now);
            }
            socketio::Packet::Ack { .. } | socketio::Packet::ConnectError { .. } => {}
        }
    }

    fn greet(&mut self, wire: WireId, data: Option<&str>, now: u64) {
        let token: serde_json::Value =
            serde_json::from_str(data.expect("our client has a token")).expect("an object");
        let token = token["token"].as_str().expect("a string");
        let Some((user, ends_at_ms)) = self.verify(token, now) else {
            return self.refuse_token(wire);
        };
        let session = Session::new(Arc::new(user.clone()), self.rules.clone(), ends_at_ms, now);
        if let Some(connection) = self.connections.get_mut(&wire) {
            connection.session = Some(session);
        }
        self.verdicts.push((wire, Verdict::Admitted));
        self.set_alarm(wire);
        self.send(wire, r#"40{"sid":"public"}"#.to_owned());
        let connected = Connected {
            connection_id: connection_id(wire),
            timestamp: UNIX_START_MS + now,
            user,
            server_time: Some(UNIX_START_MS + now),
            heartbeat_interval: Some(PING_EVERY_MS),
            limits: Some(self.rules.limits.clone()),
        };
        self.say(wire, &ServerEvent::Connected(connected));
    }

    fn handle_call(&mut self, wire: WireId, callback: Option<u64>, call: Call, now: u64) {
        let id = call
            .message_id
            .unwrap_or_else(|| MessageId::mint(now, self.random.bits()));
        match call.request {
            Request::Subscribe(subscribe) => {
                let reply = self.subscribe(wire, &subscribe, now);
                self.reply(wire, callback, &id, &reply);
                self.deliver(&subscribe.topic);
            }
            Request::SubscribeBatch(topics) => {
                let subscribes: Vec<Subscribe> = topics.into_iter().filter_map(Result::ok).collect();
                let replies = subscribes
                    .iter()
                    .map(|one| (None, self.subscribe(wire, one, now)));
                let replies = Reply::Batch(replies.collect());
                self.reply(wire, callback, &id, &replies);
                for subscribe in &subscribes {
                    self.deliver(&subscribe.topic);
                }
            }
            Request::Unsubscribe(topic) => {
                if let Some(session) = self.session(wire) {
                    session.unsubscribe(&topic);
                }
                self.channel(&topic, now).unsubscribe(&connection_id(wire), now);
                self.reply(wire, callback, &id, &Reply::Unsubscribed(topic));
            }
            Request::Publish(publish) => {
                let to = AnswerTo::Callback(callback);
                let owed = Owed { wire, id, to };
                if let Err(failure) = self.admit(wire, &publish, now) {
                    return self.answer(&owed, Reply::Failed(failure));
                }
                self.take(wire, publish, owed, now);
            }
            Request::PublishBatch(entries) => self.publish_batch(wire, callback, entries, now),
            Request::History(mut query) => {
                query.limit = query.limit.min(self.recovery_messages);
                let paging = self.channel(&query.topic, now).history(&query, now);
                let page = match paging {
                    Paging::Ready(page) => page,
                    Paging::Cold(cold) => {
                        let read = self.stream(&query.topic).read(cold.read());
                        cold.finish(&read)
                    }
                };
                self.reply(wire, callback, &id, &Reply::History(page));
            }
            Request::Heartbeat(timestamp) => {
                let ack = HeartbeatAck {
                    timestamp: timestamp.unwrap_or(now),
                };
                self.say(wire, &ServerEvent::HeartbeatAck(ack));
            }
            Request::Refresh(token) => {
                let reply = self.refresh(wire, &token, now);
                self.reply(wire, callback, &id, &reply);
            }
            _ => self.reply(wire, callback, &id, &Reply::Done),
        }
    }

    fn subscribe(&mut self, wire: WireId, request: &Subscribe, now: u64) -> Reply {
        let Some(session) = self.session(wire) else {
            return Reply::Done;
        };
        let user = session.user().clone();
        let admitted = session
            .admit_subscribe(now)
            .and_then(|_| session.subscribe(&request.topic, 0));
        if let Err(failure) = admitted {
            return Reply::Failed(failure);
        }
        let most = self.recovery_messages;
        let who = Subscriber { to: wire, user };
        let subscribing = self
            .channel(&request.topic, now)
            .subscribe(connection_id(wire), who, request, now);
        let mut subscribed = match subscribing {
            Ok(Subscribing::Ready(subscribed)) => subscribed,
            Ok(Subscribing::Cold(cold)) => {
                let page = self.stream(&request.topic).read(cold.read());
                cold.finish(Some(&page))
            }
            Err(failure) => return Reply::Failed(failure),
        };
        leave_to_history(&mut subscribed, most);
        Reply::Subscribed(subscribed)
    }

    /// What the channel has to say goes out behind what was said before.
    fn deliver(&mut self, topic: &ChannelName) {
        let Some(channel) = self.channels.get_mut(topic) else {
            return;
        };
        let outputs: Vec<Output<WireId>> = std::iter::from_fn(|| channel.poll_output()).collect();
        for output in outputs {
            let (event, to) = match output {
                Output::Message { entry, prev, to } => (ServerEvent::Message(entry.message_after(prev)), to),
                Output::Signal { signal, to } => (ServerEvent::Signal(signal), to),
                Output::Presence { change, to } => (ServerEvent::Presence(change), to),
                Output::Receipt { receipt, to } => (ServerEvent::Receipt(receipt), to),
                Output::Delivery { delivery, to } => (ServerEvent::Delivery(delivery), to),
                Output::Gap { gap, to } => (ServerEvent::Gap(gap), to),
            };
            let may_drop = matches!(event, ServerEvent::Message(_));
            for wire in to {
                if !(may_drop && self.random.per_mille(self.drop_live)) {
                    self.say(wire, &event);
                }
            }
        }
    }

    fn say(&mut self, wire: WireId, event: &ServerEvent) {
        let mut body = String::new();
        event.write_json(&mut body);
        let mut frame = String::from(engineio::MESSAGE);
        socketio::encode_event(
            &mut frame,
            socketio::Namespace::MAIN,
            None,
            event.name(),
            &[&body],
            0,
        );
        self.send(wire, frame);
    }

    fn reply(&mut self, wire: WireId, callback: Option<u64>, id: &MessageId, reply: &Reply) {
        let Some(callback) = callback else { return };
        let mut body = String::new();
        reply.write_socketio(id.as_str(), &mut body);
        let mut frame = String::from(engineio::MESSAGE);
        socketio::encode_ack(&mut frame, socketio::Namespace::MAIN, callback, &[&body], 0);
        self.send(wire, frame);
    }

    fn send(&mut self, wire: WireId, frame: String) {
        if self.connections.contains_key(&wire) {
            self.out.push((wire, Down::Frame(frame)));
        }
    }

    fn session(&mut self, wire: WireId) -> Option<&mut Session> {
        self.connections.get_mut(&wire)?.session.as_mut()
    }

    fn stream(&mut self, topic: &ChannelName) -> &mut Stream {
        let epoch = || Stream::new(Epoch::new(EPOCH));
        self.streams.entry(topic.clone()).or_insert_with(epoch)
    }

    fn channel(&mut self, topic: &ChannelName, now: u64) -> &mut Channel<WireId> {
        if !self.channels.contains_key(topic) {
            let retention = self.retention(topic);
            let opened = self.stream(topic).open(retention, now);
            let namespace = self.rules.namespaces.of(topic).expect("a known namespace");
            let channel = Channel::new(topic.clone(), &namespace, opened, now);
            self.channels.insert(topic.clone(), channel);
        }
        self.channels.get_mut(topic).expect("it was put there just now")
    }

    fn retention(&self, topic: &ChannelName) -> Retention {
        Retention::of(&self.rules.namespaces.of(topic).expect("a known namespace"))
    }
}

/// A recovery that is too large for one reply is left to `history`, whole (SPEC §4).
fn leave_to_history(subscribed: &mut Subscribed, most: usize) {
    if subscribed.recovered == Some(true) && subscribed.messages.len() > most {
        subscribed.recovered = Some(false);
        subscribed.reason = Some(NotRecovered::Limit);
        subscribed.messages.clear();
    }
}

fn connection_id(wire: WireId) -> ConnectionId {
    ConnectionId::new(&format!("c{wire}"))
}
