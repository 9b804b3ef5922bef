//! What a client asks of the server, parsed once at the edge (SPEC §4).

mod encode;
mod parse;

use crate::channel::ChannelName;
use crate::error::Failure;
use crate::id::{MessageId, ServerMessageId};
use crate::message::Priority;
use crate::payload::Payload;
use crate::position::{Position, Seq};
use crate::sorted::SortedMap;

pub use parse::ParseError;

/// A request with the key under which it is answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The client's `messageId`; the server makes one where it is missing.
    pub message_id: Option<MessageId>,
    /// What is asked.
    pub request: Request,
}

/// What a client asks. The variant's name in lower case is the event's name on Socket.IO and the frame's `type`
/// on raw; the batch forms share the name of the single form.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// `subscribe {topic, …}`
    Subscribe(Subscribe),
    /// `subscribe {topics:[…]}`: each entry stands for itself, so a malformed one does not stop the rest.
    SubscribeBatch(Vec<Result<Subscribe, Failure>>),
    /// `unsubscribe {topic}`
    Unsubscribe(ChannelName),
    /// `publish {topic, payload, …}`
    Publish(Publish),
    /// `publish {messages:[…]}`: each entry with its own key.
    PublishBatch(Vec<PublishEntry>),
    /// `signal {topic, payload}`
    Signal(ChannelName, Payload),
    /// `history {topic, before?, after?, limit?}`
    History(HistoryQuery),
    /// `presence {topic}`
    Presence(ChannelName),
    /// `read {topic, seq}`
    Read(ChannelName, Seq),
    /// `heartbeat {timestamp}`
    Heartbeat(Option<u64>),
    /// `refresh {token}`
    Refresh(String),
    /// `ack {id}`
    Ack(ServerMessageId),
}

/// One subscription asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Subscribe {
    /// The channel.
    pub topic: ChannelName,
    /// Where the reader stands: everything after it is wanted.
    pub since: Option<Position>,
    /// This many of the newest messages are wanted, where `since` is not given.
    pub history: Option<usize>,
    /// Only messages whose payload has these field values (JSON text by field name).
    pub params: SortedMap<String, Payload>,
    /// Whether the reply lists who is present, and joins and leaves are wanted.
    pub presence: bool,
    /// Whether the reply lists how far others have read.
    pub readers: bool,
}

impl Subscribe {
    /// A plain subscription to a channel's live messages.
    #[must_use]
    pub fn to(topic: ChannelName) -> Self {
        Self {
            topic,
            since: None,
            history: None,
            params: SortedMap::new(),
            presence: false,
            readers: false,
        }
    }
}

/// One message to publish.
#[derive(Clone, Debug, PartialEq)]
pub struct Publish {
    /// The channel.
    pub topic: ChannelName,
    /// The content.
    pub payload: Payload,
    /// Whether success is answered; failure always is.
    pub ack_required: bool,
    /// See [`Priority`].
    pub priority: Priority,
    /// The message is never delivered later than this after it was taken, ms; 0 is "no end".
    pub ttl_ms: u64,
    /// Whether subscribers confirm it one by one.
    pub require_delivery: bool,
}

impl Publish {
    /// A message with the default options.
    #[must_use]
    pub fn new(topic: ChannelName, payload: Payload) -> Self {
        Self {
            topic,
            payload,
            ack_required: true,
            priority: Priority::Normal,
            ttl_ms: 0,
            require_delivery: false,
        }
    }
}

/// One entry of a batch publish.
#[derive(Clone, Debug, PartialEq)]
pub struct PublishEntry {
    /// The entry's own key.
    pub message_id: Option<MessageId>,
    /// The message, or why this entry cannot be read.
    pub publish: Result<Publish, Failure>,
}

/// A page of a channel's history asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct HistoryQuery {
    /// The channel.
    pub topic: ChannelName,
    /// Which side of which seq.
    pub range: HistoryRange,
    /// Most messages in the page, 1–200.
    pub limit: usize,
}

/// Which part of a history a page is cut from. A page is always in ascending order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HistoryRange {
    /// The newest messages.
    Newest,
    /// The newest messages below a seq.
    Before(Seq),
    /// The oldest messages above a seq.
    After(Seq),
}

impl Request {
    /// The event's name on Socket.IO, the frame's `type` on raw.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Subscribe(_) | Self::SubscribeBatch(_) => "subscribe",
            Self::Unsubscribe(_) => "unsubscribe",
            Self::Publish(_) | Self::PublishBatch(_) => "publish",
            Self::Signal(..) => "signal",
            Self::History(_) => "history",
            Self::Presence(_) => "presence",
            Self::Read(..) => "read",
            Self::Heartbeat(_) => "heartbeat",
            Self::Refresh(_) => "refresh",
            Self::Ack(_) => "ack",
        }
    }
}
