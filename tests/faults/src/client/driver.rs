//! The driver of one core: socket, timer, token, journal.

use std::time::Duration;

use bmt_client_core::{
    Client as Core, Config, Connect, Event as Told, Frame, Native, Output, Overflow, QueuePolicy,
    ReconnectPolicy, Status, Timeout, Transmit, Transports,
};
use bmt_histcheck::Event;
use bmt_shared::channel::ChannelName;
use bmt_shared::id::MessageId;
use bmt_shared::payload::Payload;
use bmt_shared::reply::Reply;
use bmt_shared::request::{Publish, Subscribe};
use futures_util::{SinkExt, StreamExt};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_tungstenite::tungstenite::Message;

use super::door::{Door, Socket};
use super::{Manner, Seen, Wish};
use crate::journal::Journal;
use crate::{clock, token};

type ReceivedMessage = bmt_shared::message::Message<Payload>;

/// How long a frame may take into the kernel before the transport counts as dead.
const WRITE: Duration = Duration::from_secs(10);
/// Publishes that may wait: more than any row has under way.
const QUEUE: usize = 100_000;
/// What a transport that broke is closed with (RFC 6455 §7.4.1).
const BROKEN: u16 = 1006;

pub(super) struct Driver {
    core: Core<Native>,
    name: String,
    door: Door,
    padding: String,
    journal: Journal,
    shows: watch::Sender<Seen>,
    socket: Option<Socket>,
    /// A transport that is being opened.
    opening: Option<oneshot::Receiver<Result<Socket, String>>>,
    timeout: Option<Timeout>,
    published: u64,
}

/// What the world brought.
enum Input {
    Wish(Option<Wish>),
    Opened(Box<Result<Socket, String>>),
    Frame(Option<Result<Message, String>>),
    Due,
}

impl Driver {
    pub(super) fn new(manner: Manner, journal: Journal, shows: watch::Sender<Seen>) -> Self {
        let config = Config {
            transports: Transports::WebSocket,
            server: "faults".to_owned(),
            seed: manner.seed,
            heartbeat_interval_ms: 2_000,
            pong_timeout_ms: manner.pong_timeout_ms,
            reconnect: ReconnectPolicy {
                base_ms: 100,
                cap_ms: manner.backoff_cap_ms,
                ..ReconnectPolicy::default()
            },
            queue: QueuePolicy {
                max_entries: QUEUE,
                expiry_ms: 0,
                overflow: Overflow::Refuse,
                ..QueuePolicy::default()
            },
            ..Config::default()
        };
        Self {
            core: Core::new(config, Native),
            name: manner.name,
            door: manner.door,
            padding: "x".repeat(manner.padding_bytes),
            journal,
            shows,
            socket: None,
            opening: None,
            timeout: None,
            published: 0,
        }
    }

    /// Runs until nobody has wishes any more.
    pub(super) async fn run(mut self, mut wished: mpsc::UnboundedReceiver<Wish>) {
        self.core.connect(clock::now());
        loop {
            self.drain().await;
            let input = self.next(&mut wished).await;
            match input {
                Input::Wish(None) => return,
                Input::Wish(Some(wish)) => self.grant(wish),
                Input::Opened(opened) => self.opened(*opened),
                Input::Frame(frame) => self.take(frame),
                Input::Due => self.core.handle_timeout(clock::now()),
            }
        }
    }

    async fn next(&mut self, wished: &mut mpsc::UnboundedReceiver<Wish>) -> Input {
        let due = self.timeout.map(|timeout| clock::at(timeout.at_ms));
        let (opening, socket) = (&mut self.opening, &mut self.socket);
        tokio::select! {
            wish = wished.recv() => Input::Wish(wish),
            opened = async {
                match opening {
                    Some(opening) => opening.await,
                    None => std::future::pending().await,
                }
            } => Input::Opened(Box::new(opened.unwrap_or_else(|_| Err("given up".to_owned())))),
            frame = async {
                match socket {
                    Some(socket) => socket.next().await,
                    None => std::future::pending().await,
                }
            } => Input::Frame(frame.map(|frame| frame.map_err(|error| error.to_string()))),
            () = async {
                match due {
                    Some(due) => tokio::time::sleep_until(due).await,
                    None => std::future::pending().await,
                }
            } => Input::Due,
        }
    }

    fn opened(&mut self, opened: Result<Socket, String>) {
        self.opening = None;
        match opened {
            Ok(socket) => {
                self.socket = Some(socket);
                self.core.handle_opened(clock::now());
            }
            Err(reason) => {
                self.core.handle_closed(clock::now(), BROKEN, &reason);
                let told = self.core.state().error.clone();
                self.shows.send_modify(|seen| seen.last_failure = told);
            }
        }
    }

    fn take(&mut self, frame: Option<Result<Message, String>>) {
        let now = clock::now();
        match frame {
            Some(Ok(Message::Text(text))) => self.core.handle_frame(now, Frame::Text(&text)),
            Some(Ok(Message::Binary(bytes))) => self.core.handle_frame(now, Frame::Binary(&bytes)),
            Some(Ok(Message::Close(frame))) => {
                let (code, reason) = frame.map_or((1005, String::new()), |frame| {
                    (frame.code.into(), frame.reason.to_string())
                });
                self.closed(code, &reason);
            }
            Some(Ok(_)) => {}
            Some(Err(reason)) => self.closed(BROKEN, &reason),
            None => self.closed(BROKEN, "the stream ended"),
        }
    }

    fn closed(&mut self, code: u16, reason: &str) {
        self.socket = None;
        self.core.handle_closed(clock::now(), code, reason);
    }

    fn grant(&mut self, wish: Wish) {
        let now = clock::now();
        match wish {
            Wish::Publish {
                channel,
                require_delivery,
            } => self.publish(&channel, require_delivery),
            Wish::Subscribe { channel } => {
                let channel = ChannelName::parse(&channel).expect("the rows name channels rightly");
                self.core.subscribe(now, Subscribe::to(channel));
            }
            Wish::Cover { channel, epoch, to } => self.journal.note(Event::Covered { channel, epoch, to }),
        }
    }

    fn publish(&mut self, channel: &str, require_delivery: bool) {
        self.published += 1;
        let id = format!("{}-{}", self.name, self.published);
        let body = self.published.to_string();
        self.journal.note(Event::Invoke {
            id: id.clone(),
            channel: channel.to_owned(),
            body,
            conn: 0,
        });
        let topic = ChannelName::parse(channel).expect("the rows name channels rightly");
        let payload = Payload::encode(&(self.published, &self.padding)).expect("a number and a text");
        let key = MessageId::parse(&id).expect("a short name and a number");
        let publish = Publish {
            require_delivery,
            ..Publish::new(topic, payload)
        };
        self.shows.send_modify(|seen| seen.pending += 1);
        if let Err(error) = self.core.publish(clock::now(), publish, Some(key)) {
            self.refused(id, channel.to_owned(), error.code().to_owned());
        }
    }

    fn refused(&mut self, id: String, channel: String, reason: String) {
        self.journal.note(Event::Fail { id, channel, reason });
        self.shows.send_modify(|seen| {
            seen.pending -= 1;
            seen.refused += 1;
        });
    }

    /// Does what the core asks, until it asks to wait.
    async fn drain(&mut self) {
        loop {
            match self.core.poll_output() {
                Output::Timeout(timeout) => {
                    self.timeout = timeout;
                    return;
                }
                Output::AskToken => {
                    let token = token::of(&self.name).map(Some);
                    self.core.handle_token(clock::now(), token);
                }
                Output::Connect(connect) => self.open(&connect),
                Output::Transmit(frame) => self.transmit(frame).await,
                Output::Close { reason, .. } => {
                    // A server that is frozen would not answer a close; the end of the stream says enough.
                    self.shows
                        .send_modify(|seen| seen.last_failure = Some(format!("given up: {reason}")));
                    self.socket = None;
                    self.opening = None;
                }
                Output::Event(told) => self.tell(told),
                Output::Fetch(_) | Output::Abort => unreachable!("these clients want a WebSocket alone"),
                Output::Persist(_) | Output::Lock(_) | Output::Group(_) => {}
            }
        }
    }

    fn open(&mut self, connect: &Connect) {
        self.shows.send_modify(|seen| seen.attempts += 1);
        let (door, path) = (self.door.clone(), connect.path_and_query.clone());
        let (opens, opening) = oneshot::channel();
        self.opening = Some(opening);
        tokio::spawn(async move {
            // Nobody waits any more for a transport that was given up.
            let _ = opens.send(door.open(&path).await);
        });
    }

    async fn transmit(&mut self, frame: Transmit) {
        let Some(socket) = &mut self.socket else { return };
        let message = match frame {
            Transmit::Text(text) => Message::text(text),
            Transmit::Binary(bytes) => Message::binary(bytes),
        };
        let sent = tokio::time::timeout(WRITE, socket.send(message)).await;
        if !matches!(sent, Ok(Ok(()))) {
            self.closed(BROKEN, "a frame could not be written");
        }
    }

    fn tell(&mut self, told: Told<Payload>) {
        match told {
            Told::Message(received) => self.delivered(&received.message),
            Told::Gap(gap) => {
                self.journal.note(Event::Gap {
                    channel: gap.topic.to_string(),
                    reason: Some(gap.reason.clone()),
                });
                self.shows.send_modify(|seen| seen.gaps.push(gap.reason));
            }
            Told::Reply {
                result: Ok(Reply::Subscribed(subscribed)),
                ..
            } => {
                let (channel, epoch) = (subscribed.topic.to_string(), subscribed.epoch.to_string());
                self.journal.note(Event::Subscribed {
                    channel: channel.clone(),
                    epoch: epoch.clone(),
                    recovered: None,
                    reason: None,
                    from: None,
                    to: subscribed.seq,
                });
                let position = (epoch, subscribed.seq);
                self.shows.send_modify(|seen| {
                    seen.positions.insert(channel, position);
                });
            }
            Told::Ack(acked) => {
                let (id, channel) = (acked.message_id.to_string(), acked.topic.to_string());
                let seq = acked.published.map_or(0, |published| published.seq);
                let epoch = None;
                self.journal.note(Event::Ok {
                    id,
                    channel,
                    seq,
                    epoch,
                });
                self.shows.send_modify(|seen| {
                    seen.pending -= 1;
                    seen.acked += 1;
                });
            }
            Told::QueueRejected { entry, failure } => {
                let channel = entry.publish.topic.to_string();
                self.refused(
                    entry.message_id.to_string(),
                    channel,
                    failure.code.as_str().to_owned(),
                );
            }
            Told::Delivery(delivery) => self.shows.send_modify(|seen| {
                seen.confirmed = Some((delivery.confirmed, delivery.pending));
            }),
            Told::StateChange(change) => self.shows.send_modify(|seen| {
                seen.status = Some(change.to);
                seen.connections += usize::from(change.to == Status::Connected);
            }),
            Told::Disconnected(lost) => self.shows.send_modify(|seen| {
                seen.lost_at_us = Some(clock::monotonic_us());
                seen.last_loss = Some((lost.code, lost.reason));
            }),
            _ => {}
        }
    }

    fn delivered(&mut self, message: &ReceivedMessage) {
        let topic = message.topic.to_string();
        let epoch = self.core.position(&message.topic);
        let epoch = epoch.map_or_else(String::new, |position| position.epoch.to_string());
        let key = message.client_message_id.as_ref().map(ToString::to_string);
        self.journal.note(Event::Deliver {
            channel: topic.clone(),
            epoch: epoch.clone(),
            seq: message.seq,
            id: key.unwrap_or_else(|| message.id.to_string()),
            prev: message.prev,
        });
        self.shows.send_modify(|seen| {
            seen.delivered += 1;
            seen.positions.insert(topic, (epoch, message.seq));
        });
    }
}
