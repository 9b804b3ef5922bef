//! What the core tells the application.

use bmt_shared::channel::ChannelName;
use bmt_shared::error::Failure;
use bmt_shared::event::{
    Closing, Connected, Delivery, Notification, PresenceChange, Receipt, TokenExpiring, Unsubscribed,
};
use bmt_shared::id::MessageId;
use bmt_shared::message::{Message, Signal};
use bmt_shared::position::{Position, Seq};
use bmt_shared::reply::{Published, Reply, Subscribed};

use crate::entry::Entry;
use crate::error::ClientError;
use crate::state::Status;

/// Names one request of the application, so that its answer finds whoever waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub u64);

/// One thing the application may want to know.
#[derive(Clone, Debug, PartialEq)]
pub enum Event<P> {
    /// The connection's state is another one.
    StateChange(StateChange),
    /// The server greeted; comes before anything else of the connection.
    Connected(Connected),
    /// An open connection is over.
    Disconnected(Disconnected),
    /// The next attempt is planned.
    Reconnecting(Reconnecting),
    /// A connection is back; `attempts` it took.
    Reconnected {
        /// Attempts since the last connection.
        attempts: u32,
    },
    /// The attempts that the policy allows are used up.
    ReconnectFailed {
        /// How many they were.
        attempts: u32,
    },
    /// A new token was refused too: reconnecting stopped until `connect` is called.
    TokenExpired,
    /// The server says when the token ends.
    TokenExpiring(TokenExpiring),
    /// A channel message: per subscription each once, in the order of `seq`.
    Message(Received<P>),
    /// A signal.
    Signal(Signal<P>),
    /// Somebody came to a channel or left it.
    Presence(PresenceChange),
    /// Somebody read a channel.
    Receipt(Receipt),
    /// Who confirmed a message.
    Delivery(Delivery),
    /// A notification for people.
    Notification(Notification),
    /// One of the four before, where the face leaves it as it came.
    Whole {
        /// Its name on the wire.
        name: &'static str,
        /// Its body.
        body: P,
    },
    /// A subscription is in place, for the first time or again: after a reconnect, or for a message that was missing.
    /// Its messages come as [`Event::Message`] only.
    Subscribed(Subscribed<P>),
    /// Messages of a channel are missing and will not come.
    Gap(GapNotice),
    /// The server took a subscription away; it will not be made again.
    Unsubscribed(Unsubscribed),
    /// A subscription that was asked for before could not be made again, or the first one was refused.
    SubscribeFailed {
        /// The channel.
        topic: ChannelName,
        /// Why.
        failure: Failure,
    },
    /// The server closes the connection next.
    Closing(Closing),
    /// The answer to a request of the application, exactly one for each.
    Reply {
        /// Which.
        request: RequestId,
        /// What.
        result: Result<Reply<P>, ClientError>,
    },
    /// A queued message is published, of this page or of one before it.
    Ack(Acked),
    /// The queue was full: its oldest entry is gone.
    QueueOverflow(Entry),
    /// An entry got too old.
    QueueExpired(Entry),
    /// The server refused an entry for good.
    QueueRejected {
        /// The entry.
        entry: Entry,
        /// Why.
        failure: Failure,
    },
    /// How many messages of the present user wait has changed.
    QueueSize(usize),
    /// A heartbeat's way there and back, ms.
    Latency(u64),
    /// A refusal that answers no request, or something that could not be read.
    Error(ClientError),
}

/// The connection's state is another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateChange {
    /// What it was.
    pub from: Status,
    /// What it is.
    pub to: Status,
    /// When, ms since the Unix epoch.
    pub at: u64,
    /// Why, where there is more to say.
    pub reason: Option<String>,
}

/// An open connection is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disconnected {
    /// The close code, ours where we gave it up.
    pub code: u16,
    /// A word or a sentence on it.
    pub reason: String,
    /// Whether the client comes back by itself.
    pub will_reconnect: bool,
}

/// The next attempt is planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reconnecting {
    /// 1 for the first.
    pub attempt: u32,
    /// In how many ms; `None` while the host is offline.
    pub delay_ms: Option<u64>,
}

/// A channel message as the application gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received<P> {
    /// The message.
    pub message: Message<P>,
    /// How it came.
    pub origin: Origin,
}

/// How a message came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// As it was published.
    Live,
    /// Later, because the connection was away or a message was lost.
    Recovered,
    /// With the subscription, from before it.
    History,
}

/// Messages of a channel are missing and will not come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GapNotice {
    /// The channel.
    pub topic: ChannelName,
    /// `epoch_changed`, `trimmed`, `position_ahead`, `limit`, or `timeout` where nobody answered.
    pub reason: String,
    /// The last position before the gap.
    pub since: Position,
    /// The first seq that follows, where it is known.
    pub oldest_seq: Option<Seq>,
}

/// A queued message is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acked {
    /// The client's id of it.
    pub message_id: MessageId,
    /// The channel.
    pub topic: ChannelName,
    /// Where it stands; `None` from servers that do not tell.
    pub published: Option<Published>,
}
