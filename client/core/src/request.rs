//! Requests on their way, and requests of the application that wait for a connection.

use bmt_shared::channel::ChannelName;
use bmt_shared::id::MessageId;
use bmt_shared::position::Seq;
use bmt_shared::request::{Call as WireCall, Request};
use bmt_shared::sorted::SortedMap;

use crate::event::RequestId;
use crate::face::RequestKind;

/// How many times as long as other requests the answer to a subscription or a page may take. Nobody waits for it by
/// the clock, it is the largest there is, and it stands behind the live stream: on a thin line it takes a minute.
/// Asked for again it would come twice. Whether the line is dead the heartbeats find out, and sooner.
const STREAM_PATIENCE: u64 = 6;

/// A request that was sent and not answered.
#[derive(Debug)]
pub(crate) struct InFlight {
    pub(crate) kind: RequestKind,
    pub(crate) purpose: Purpose,
    /// Monotonic ms.
    pub(crate) sent_at: u64,
    /// Monotonic ms.
    pub(crate) until: u64,
}

/// What to do with the answer.
#[derive(Debug)]
pub(crate) enum Purpose {
    /// Subscriptions made, restored or recovered, in the order of the batch.
    Subscribe(Vec<ChannelName>),
    /// The same, not answered for so long that they were asked for once more. Whichever answer comes first is taken.
    LateSubscribe(Vec<ChannelName>),
    /// A page of what one of them missed, after this seq.
    Page(ChannelName, Seq),
    /// A subscription given up.
    Unsubscribe(RequestId, ChannelName),
    /// Entries of the queue, in the order of the batch.
    Publish(Vec<MessageId>),
    /// A request of the application.
    Call(Call),
    /// A new token for the living connection; nobody waits.
    Refresh,
}

impl Purpose {
    /// How long the answer may take, ms, where that of a usual request may take `request_timeout_ms`.
    pub(crate) fn patience_ms(&self, request_timeout_ms: u64) -> u64 {
        match self {
            Self::Subscribe(_) | Self::LateSubscribe(_) | Self::Page(..) => {
                request_timeout_ms.saturating_mul(STREAM_PATIENCE)
            }
            Self::Unsubscribe(..) | Self::Publish(_) | Self::Call(_) | Self::Refresh => request_timeout_ms,
        }
    }
}

/// A request of the application that is sent once more on the next connection, until its time is over.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) id: RequestId,
    /// As it is written, without a key of its own.
    pub(crate) call: WireCall,
    /// Monotonic ms.
    pub(crate) until: u64,
}

/// All requests.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    pub(crate) in_flight: SortedMap<u64, InFlight>,
    pub(crate) waiting: Vec<Call>,
    last_key: u64,
    last_id: u64,
}

impl Requests {
    pub(crate) fn next_key(&mut self) -> u64 {
        self.last_key += 1;
        self.last_key
    }

    pub(crate) fn next_id(&mut self) -> RequestId {
        self.last_id += 1;
        RequestId(self.last_id)
    }

    /// The keys of requests whose time is over.
    pub(crate) fn overdue(&self, monotonic_ms: u64) -> Vec<u64> {
        let overdue = self.in_flight.iter().filter(|(_, one)| one.until <= monotonic_ms);
        overdue.map(|(key, _)| *key).collect()
    }

    /// When the time of the next is over.
    pub(crate) fn next_deadline(&self) -> Option<u64> {
        let sent = self.in_flight.values().map(|one| one.until);
        sent.chain(self.waiting.iter().map(|call| call.until)).min()
    }
}

/// The shape of a request's answer.
pub(crate) fn kind_of(request: &Request) -> RequestKind {
    match request {
        Request::Subscribe(_) => RequestKind::Subscribe,
        Request::SubscribeBatch(_) => RequestKind::SubscribeBatch,
        Request::Unsubscribe(_) => RequestKind::Unsubscribe,
        Request::Publish(_) => RequestKind::Publish,
        Request::PublishBatch(_) => RequestKind::PublishBatch,
        Request::Signal(..) | Request::Heartbeat(_) | Request::Ack(_) => RequestKind::Signal,
        Request::History(_) => RequestKind::History,
        Request::Presence(_) => RequestKind::Presence,
        Request::Read(..) => RequestKind::Read,
        Request::Refresh(_) => RequestKind::Refresh,
    }
}
