//! One client, the server's end of its transport, and the clock: the one place that knows the driver's contract.

use std::collections::BTreeMap;

use bmt_client_core::event::{Received, StateChange};
use bmt_client_core::{
    Client, ClientError, Config, Connect, Entry, Event, Fetch, Frame, GroupChange, LockChange, Native, Now,
    Output, QueueChange, RequestId, Status, Timeout, Transmit,
};
use bmt_shared::channel::ChannelName;
use bmt_shared::codec::{engineio, socketio};
use bmt_shared::id::MessageId;
use bmt_shared::payload::Payload;
use bmt_shared::reply::Reply;
use bmt_shared::request::{Publish, Subscribe};
use serde_json::{Value, json};

pub(crate) const START_UNIX_MS: u64 = 1_700_000_000_000;

/// A client and everything around it.
pub(crate) struct World {
    pub(crate) client: Client<Native>,
    pub(crate) now: Now,
    /// The server's clock, ms since the Unix epoch: right, and never set.
    pub(crate) server_ms: u64,
    pub(crate) timeout: Option<Timeout>,
    /// What the application was told, until it is looked at.
    pub(crate) events: Vec<Event<Payload>>,
    /// Text frames sent, until they are looked at.
    pub(crate) frames: Vec<String>,
    pub(crate) binary: Vec<Vec<u8>>,
    /// The stored queue.
    pub(crate) stored: BTreeMap<MessageId, Entry>,
    /// Transports asked for, until they are looked at.
    pub(crate) connects: Vec<Connect>,
    /// HTTP requests asked for, until they are looked at.
    pub(crate) fetches: Vec<Fetch>,
    /// Times that requests under way were given up.
    pub(crate) aborts: u32,
    pub(crate) closes: Vec<u16>,
    pub(crate) locks: Vec<LockChange>,
    /// What was to be said or done about the tabs that share a connection, until it is.
    pub(crate) group: Vec<GroupChange>,
    /// The application's answer when asked for a token.
    pub(crate) token: Result<Option<String>, String>,
    /// Whether that is all there is, as a text that an application gave.
    pub(crate) has_fixed_token: bool,
    pub(crate) tokens_asked: u32,
    /// What the application does as soon as it is told of a connection, amid everything else.
    pub(crate) on_connected: Option<fn(&mut Client<Native>, Now)>,
    /// What came out, in order, as words.
    pub(crate) log: Vec<String>,
}

/// A request as the server sees it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Request {
    pub(crate) name: String,
    pub(crate) key: Option<u64>,
    pub(crate) body: Value,
}

pub(crate) fn topic(name: &str) -> ChannelName {
    ChannelName::parse(name).unwrap()
}

pub(crate) fn text(content: &str) -> Payload {
    Payload::encode(&json!({"type": "text", "content": content})).unwrap()
}

/// A channel message of the server's.
pub(crate) fn message(channel: &str, seq: u64) -> Value {
    json!({"id": format!("{channel}-{seq}"), "topic": channel, "type": "event", "payload": {"n": seq},
        "timestamp": 1, "from": "bob", "seq": seq})
}

impl World {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            client: Client::new(config, Native),
            now: Now {
                monotonic_ms: 0,
                unix_ms: START_UNIX_MS,
            },
            server_ms: START_UNIX_MS,
            timeout: None,
            events: Vec::new(),
            frames: Vec::new(),
            binary: Vec::new(),
            stored: BTreeMap::new(),
            connects: Vec::new(),
            fetches: Vec::new(),
            aborts: 0,
            closes: Vec::new(),
            locks: Vec::new(),
            group: Vec::new(),
            token: Ok(Some("t".to_owned())),
            has_fixed_token: false,
            tokens_asked: 0,
            on_connected: None,
            log: Vec::new(),
        }
    }

    /// A client that a whole server has greeted as `alice`.
    pub(crate) fn greeted() -> Self {
        let mut world = Self::new(Config::default());
        world.connect();
        world.greet();
        world
    }

    /// The same, on a connection whose heartbeats are not looked at: whatever waits there waits for its own bound.
    pub(crate) fn greeted_without_heartbeats() -> Self {
        let mut world = Self::new(Config {
            heartbeat_interval_ms: 0,
            ..Config::default()
        });
        world.connect();
        world.greet();
        world
    }

    /// Calls the client, then does everything it asks.
    pub(crate) fn act<T>(&mut self, act: impl FnOnce(&mut Client<Native>, Now) -> T) -> T {
        let result = act(&mut self.client, self.now);
        self.drain();
        result
    }

    fn drain(&mut self) {
        loop {
            match self.client.poll_output() {
                Output::Timeout(timeout) => {
                    self.timeout = timeout;
                    return;
                }
                Output::AskToken => {
                    self.tokens_asked += 1;
                    match self.token.clone() {
                        Ok(token) if self.has_fixed_token => self.client.handle_fixed_token(self.now, token),
                        token => self.client.handle_token(self.now, token),
                    }
                }
                Output::Connect(connect) => self.connects.push(connect),
                Output::Fetch(fetch) => self.fetches.push(fetch),
                Output::Abort => self.aborts += 1,
                Output::Transmit(Transmit::Text(frame)) => {
                    self.log
                        .push(format!("send {}", frame.get(..12).unwrap_or(&frame)));
                    self.frames.push(frame);
                }
                Output::Transmit(Transmit::Binary(bytes)) => self.binary.push(bytes.to_vec()),
                Output::Close { code, .. } => self.closes.push(code),
                Output::Persist(QueueChange::Put(entry)) => {
                    self.log.push(format!("put {}", entry.message_id));
                    self.stored.insert(entry.message_id.clone(), entry);
                }
                Output::Persist(QueueChange::Remove(id) | QueueChange::Acked(id)) => {
                    self.log.push(format!("remove {id}"));
                    assert!(self.stored.remove(&id).is_some(), "{id} was not stored");
                }
                Output::Lock(change) => self.locks.push(change),
                Output::Group(change) => self.group.push(change),
                Output::Event(event) => {
                    self.log.push(event_word(&event));
                    if let (Event::Connected(_), Some(act)) = (&event, self.on_connected) {
                        act(&mut self.client, self.now);
                    }
                    self.events.push(event);
                }
            }
        }
    }

    /// Lets time pass, stopping at every timeout on the way.
    pub(crate) fn advance(&mut self, ms: u64) {
        let target = self.now.monotonic_ms + ms;
        let mut turns = 0;
        while let Some(timeout) = self.timeout.filter(|timeout| timeout.at_ms <= target) {
            self.set_clock(timeout.at_ms.max(self.now.monotonic_ms));
            self.act(|client, now| client.handle_timeout(now));
            turns += 1;
            assert!(turns < 10_000, "the timeout {timeout:?} comes again and again");
        }
        self.set_clock(target);
    }

    pub(crate) fn set_clock(&mut self, monotonic_ms: u64) {
        let passed = monotonic_ms - self.now.monotonic_ms;
        self.now.unix_ms += passed;
        self.server_ms += passed;
        self.now.monotonic_ms = monotonic_ms;
    }

    /// Somebody sets the device's clock.
    pub(crate) fn set_wall(&mut self, by_ms: i64) {
        self.now.unix_ms = self.now.unix_ms.saturating_add_signed(by_ms);
    }

    /// The device sleeps, and with it its monotonic clock.
    pub(crate) fn sleep(&mut self, ms: u64) {
        self.now.unix_ms += ms;
        self.server_ms += ms;
    }

    /// The application connects and the transport opens.
    pub(crate) fn connect(&mut self) {
        self.act(|client, now| client.connect(now));
        self.open();
    }

    /// The transport that was asked for opens.
    pub(crate) fn open(&mut self) {
        assert!(!self.connects.is_empty(), "no transport was asked for");
        self.connects.clear();
        self.act(|client, now| client.handle_opened(now));
    }

    pub(crate) fn receive(&mut self, frame: &str) {
        self.act(|client, now| client.handle_frame(now, Frame::Text(frame)));
    }

    /// The server sends an event.
    pub(crate) fn event(&mut self, name: &str, body: &Value) {
        self.receive(&format!("42{}", json!([name, body])));
    }

    pub(crate) fn message(&mut self, channel: &str, seq: u64) {
        self.event("message", &message(channel, seq));
    }

    /// The handshake of a whole server, up to `connected`.
    pub(crate) fn greet(&mut self) {
        let limits = json!({"messageBytes": 65536, "frameBytes": 135168, "idempotencyWindowMs": 86_400_000u64,
            "batch": 200, "subscriptions": 1000, "publishPerSecond": 50, "publishBurst": 100, "signalPerSecond": 30});
        self.greet_as("alice", Some(limits));
    }

    pub(crate) fn greet_as(&mut self, user: &str, limits: Option<Value>) {
        self.handshake();
        let mut body = json!({"connectionId": "c", "timestamp": self.server_ms, "serverTime": self.server_ms,
            "user": {"userId": user, "name": user, "role": "user"}});
        if let Some(limits) = limits {
            body["limits"] = limits;
        }
        self.frames.clear();
        self.event("connected", &body);
        assert_eq!(self.client.status(), Status::Connected);
    }

    /// Engine.IO's handshake with pings an hour apart, and Socket.IO's grant.
    pub(crate) fn handshake(&mut self) {
        self.receive(
            r#"0{"sid":"s","upgrades":[],"pingInterval":3600000,"pingTimeout":20000,"maxPayload":1000000}"#,
        );
        self.receive(r#"40{"sid":"x"}"#);
    }

    /// The transport breaks.
    pub(crate) fn cut(&mut self) {
        self.act(|client, now| client.handle_closed(now, 1006, ""));
    }

    /// Waits until the next attempt is made, and takes it to the greeting.
    pub(crate) fn come_back(&mut self) {
        while self.connects.is_empty() {
            let timeout = self.timeout.expect("a retry is planned");
            self.advance(timeout.at_ms - self.now.monotonic_ms);
        }
        self.open();
        self.greet();
    }

    /// The requests sent since the last look, heartbeats and pongs left out.
    pub(crate) fn requests(&mut self) -> Vec<Request> {
        let frames = std::mem::take(&mut self.frames);
        frames.iter().filter_map(|frame| request(frame)).collect()
    }

    /// The one request sent since the last look.
    pub(crate) fn request(&mut self) -> Request {
        let mut requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        requests.remove(0)
    }

    /// The server answers a request.
    pub(crate) fn reply(&mut self, to: &Request, body: &Value) {
        let key = to.key.expect("the request wants an answer");
        self.receive(&format!("43{key}{}", json!([body])));
    }

    /// The server answers a subscribe, at `seq` of epoch `e`, with more fields.
    pub(crate) fn reply_subscribed(&mut self, to: &Request, seq: u64, more: &Value) {
        let channel = to.body["topic"].as_str().unwrap();
        self.reply(to, &subscribed(channel, seq, more));
    }

    pub(crate) fn reply_published(&mut self, to: &Request, seq: u64) {
        let body = published(&to.body, seq);
        self.reply(to, &body);
    }

    /// Subscribes, and the server takes it at `seq`.
    pub(crate) fn subscribed(&mut self, channel: &str, seq: u64) -> RequestId {
        let id = self.subscribe(channel);
        let request = self.request();
        self.reply_subscribed(&request, seq, &json!({}));
        id
    }

    pub(crate) fn subscribe(&mut self, channel: &str) -> RequestId {
        let subscribe = Subscribe::to(topic(channel));
        self.act(|client, now| client.subscribe(now, subscribe))
    }

    /// Publishes under a given id.
    pub(crate) fn publish(&mut self, channel: &str, id: &str) -> RequestId {
        let publish = Publish::new(topic(channel), text(id));
        let id = MessageId::parse(id).unwrap();
        self.act(|client, now| client.publish(now, publish, Some(id)))
            .unwrap()
            .request
    }

    /// The seqs handed on since the last look at events, which this is.
    pub(crate) fn seqs(&mut self) -> Vec<u64> {
        let events = std::mem::take(&mut self.events);
        events.iter().filter_map(seq_of).collect()
    }

    /// The status changes since the last look at events, which this is.
    pub(crate) fn statuses(&mut self) -> Vec<Status> {
        let events = std::mem::take(&mut self.events);
        let to = |event: &Event<Payload>| match event {
            Event::StateChange(StateChange { to, .. }) => Some(*to),
            _ => None,
        };
        events.iter().filter_map(to).collect()
    }

    /// The answer to a request, which must have come.
    pub(crate) fn answer(&mut self, id: RequestId) -> Result<Reply, ClientError> {
        let at = self
            .events
            .iter()
            .position(|event| matches!(event, Event::Reply { request, .. } if *request == id))
            .unwrap_or_else(|| panic!("{id:?} was not answered"));
        let Event::Reply { result, .. } = self.events.remove(at) else {
            unreachable!("that is what was looked for")
        };
        result
    }

    pub(crate) fn is_answered(&self, id: RequestId) -> bool {
        self.events
            .iter()
            .any(|event| matches!(event, Event::Reply { request, .. } if *request == id))
    }
}

pub(crate) fn seq_of(event: &Event<Payload>) -> Option<u64> {
    match event {
        Event::Message(Received { message, .. }) => Some(message.seq),
        _ => None,
    }
}

pub(crate) fn subscribed(channel: &str, seq: u64, more: &Value) -> Value {
    let mut body = json!({"type": "ack", "id": "", "status": "success", "topic": channel, "subscriberCount": 1,
        "seq": seq, "epoch": "e"});
    for (key, value) in more.as_object().unwrap() {
        body[key] = value.clone();
    }
    body
}

/// The success of one publish, whose request or batch entry is `of`.
pub(crate) fn published(of: &Value, seq: u64) -> Value {
    json!({"type": "ack", "id": of["messageId"], "status": "success", "messageId": format!("m{seq}"),
        "topic": of["topic"], "seq": seq, "deliveredTo": 1})
}

pub(crate) fn failed(code: &str, retry_after_ms: Option<u64>) -> Value {
    json!({"type": "error", "status": "error", "code": code, "message": code, "retryAfterMs": retry_after_ms})
}

fn request(frame: &str) -> Option<Request> {
    let engineio::Packet::Message(packet) = engineio::Packet::decode(frame).unwrap() else {
        return None;
    };
    let socketio::Packet::Event { id, data, .. } = socketio::Packet::decode(packet).unwrap() else {
        return None;
    };
    let event = socketio::split_event(data).unwrap();
    let body = event.args.clone().next().unwrap().unwrap();
    let name = event.name.into_owned();
    (name != "heartbeat").then(|| Request {
        name,
        key: id,
        body: serde_json::from_str(body).unwrap(),
    })
}

fn event_word(event: &Event<Payload>) -> String {
    match event {
        Event::StateChange(change) => change.to.as_str().to_owned(),
        Event::Connected(_) => "event connected".to_owned(),
        Event::Message(received) => format!("message {}", received.message.seq),
        Event::Reply { result: Ok(_), .. } => "reply".to_owned(),
        Event::Reply {
            result: Err(error), ..
        } => format!("reply {}", error.code()),
        Event::Ack(acked) => format!("ack {}", acked.message_id),
        _ => "event".to_owned(),
    }
}
