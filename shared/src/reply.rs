//! What the server answers to a request (SPEC §4): written by the server, read by native clients.

mod encode;

use serde::{Deserialize, Serialize};

use crate::channel::ChannelName;
use crate::error::{ErrorCode, Failure};
use crate::id::{MessageId, ServerMessageId, UserId};
use crate::message::Message;
use crate::payload::Payload;
use crate::position::{Epoch, Seq};

/// The answer to one request.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply<P = Payload> {
    /// To `subscribe`.
    Subscribed(Subscribed<P>),
    /// To a batch, in the order of its entries, each with its own key where it has one.
    Batch(Vec<(Option<MessageId>, Reply<P>)>),
    /// To `unsubscribe`.
    Unsubscribed(ChannelName),
    /// To `publish`.
    Published(Published),
    /// To `history`.
    History(HistoryPage<P>),
    /// To `presence`.
    Presence(PresenceList),
    /// To `read`.
    Read(ReadTo),
    /// To `refresh`, and whatever else succeeds without anything to tell.
    Done,
    /// The request was refused.
    Failed(Failure),
}

/// A subscription is in place.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Subscribed<P = Payload> {
    /// The channel.
    pub topic: ChannelName,
    /// Connections subscribed now, this one included.
    pub subscriber_count: u64,
    /// Where the live stream begins: everything up to here is in `messages`, or was known, or is lost.
    pub seq: Seq,
    /// The numbering that `seq` belongs to.
    pub epoch: Epoch,
    /// Whether `messages` holds all that was missed since `since`; absent where `since` was not given.
    #[serde(default)]
    pub recovered: Option<bool>,
    /// Why not, where `recovered` is false.
    #[serde(default)]
    pub reason: Option<NotRecovered>,
    /// The oldest seq that is still kept, where `recovered` is false.
    #[serde(default)]
    pub oldest_seq: Option<Seq>,
    /// What was missed, or the newest page; ascending.
    #[serde(default = "Vec::new")]
    pub messages: Vec<Message<P>>,
    /// Who is present, where it was asked for.
    #[serde(default)]
    pub presence: Option<Vec<Present>>,
    /// Up to where the user has read here; 0 before the first `read`.
    #[serde(default)]
    pub read_seq: Seq,
    /// Messages of others above `read_seq` that are kept. Exact among the newest ones in memory; of older ones
    /// each number counts.
    #[serde(default)]
    pub unread: u64,
    /// How far others have read, where it was asked for.
    #[serde(default)]
    pub readers: Option<Box<[Reader]>>,
}

/// How far one user has read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reader {
    /// Who.
    pub user_id: UserId,
    /// Up to here.
    pub seq: Seq,
}

/// A read position is kept.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReadTo {
    /// The channel.
    pub topic: ChannelName,
    /// The user's position now: the highest that was ever told, and never above the newest message.
    pub seq: Seq,
    /// As in [`Subscribed::unread`].
    pub unread: u64,
}

/// Why a recovery was not possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotRecovered {
    /// The channel's numbering began again.
    EpochChanged,
    /// What follows the position is no longer kept.
    Trimmed,
    /// The position is above the newest message.
    PositionAhead,
    /// More was missed than one recovery may hold: page `history {after}`.
    Limit,
    /// A reason of a later protocol version.
    #[serde(other)]
    Unknown,
}

impl NotRecovered {
    /// The reason as it stands on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EpochChanged => "epoch_changed",
            Self::Trimmed => "trimmed",
            Self::PositionAhead => "position_ahead",
            Self::Limit => "limit",
            Self::Unknown => "unknown",
        }
    }
}

/// A message is stored.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Published {
    /// The server's id of the message. On raw, where `messageId` is the request's, this field is `id`.
    #[serde(alias = "id")]
    pub message_id: ServerMessageId,
    /// The channel.
    pub topic: ChannelName,
    /// The message's number there.
    pub seq: Seq,
    /// Connections it was handed to. Of a duplicate: when it was published first; 0 where that is long ago.
    pub delivered_to: u64,
    /// Whether the same `messageId` was published before and this is the first result again.
    #[serde(default)]
    pub duplicate: bool,
}

/// A page of history, ascending.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HistoryPage<P = Payload> {
    /// The messages.
    pub messages: Vec<Message<P>>,
    /// Newest seq of the channel, not of the page.
    pub seq: Seq,
    /// The numbering.
    pub epoch: Epoch,
    /// Whether more lie in the direction that was asked for.
    pub has_more: bool,
}

/// Who is present on a channel.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct PresenceList {
    /// One entry per user.
    pub users: Vec<Present>,
    /// Users, not connections.
    pub count: u64,
}

/// One user present on a channel.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Present {
    /// Who.
    pub user_id: UserId,
    /// What to show.
    pub name: String,
    /// How many of the user's connections are subscribed.
    pub connections: u64,
    /// Since when, ms since the Unix epoch.
    pub since: u64,
}

/// How a native client reads a failure; the text stands under two names, of which one is enough.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FailureBody {
    code: Option<ErrorCode>,
    message: Option<String>,
    error: Option<String>,
    retry_after_ms: Option<u64>,
}

impl Failure {
    /// Reads a failure's body as Socket.IO and HTTP carry it. Servers of the seeds leave out the code.
    pub fn from_json(body: &str) -> Result<Self, serde_json::Error> {
        let body: FailureBody = serde_json::from_str(body)?;
        Ok(Self {
            code: body.code.unwrap_or(ErrorCode::ServerError),
            message: body.message.or(body.error).unwrap_or_default(),
            retry_after_ms: body.retry_after_ms,
        })
    }
}
