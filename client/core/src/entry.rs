//! A message that waits to be acked: in memory, and wherever the driver persists it.

use bmt_shared::id::{MessageId, UserId};
use bmt_shared::request::Publish;

/// One entry of the offline queue (SPEC §9).
///
/// It is neutral to how it is stored. In the seed's format `publish` is `topic`, `payload` and `options`.
/// Binary parts of the payload live in memory only.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key under which it is published once.
    pub message_id: MessageId,
    /// What is published.
    pub publish: Publish,
    /// When `publish` was called, ms since the Unix epoch, or a little later where two calls came in one ms: the
    /// queue is in the order of these times, and in a later page expiry counts from here.
    pub timestamp: u64,
    /// By whose clock that is; in the seed's format by the device's own.
    pub clock: Clock,
    /// Whose message it is; `None` until a login is known, then the first login's.
    pub user: Option<UserId>,
    /// [`crate::Config::server`] where it was queued; `None` in the seed's format, then the first one's.
    pub server: Option<String>,
}

impl Entry {
    /// How long it may wait, ms: `expiry_ms`, or its own `ttl` where that is shorter. What may not be delivered late
    /// is not sent late (SPEC §4).
    pub(crate) fn patience_ms(&self, expiry_ms: u64) -> u64 {
        match self.publish.ttl_ms {
            0 => expiry_ms,
            ttl_ms => ttl_ms.min(expiry_ms),
        }
    }

    /// Its place in the queue. What the server's clock dates is of a page, or a time, that was connected, and older
    /// than what was written since without a connection.
    #[must_use]
    pub fn order(&self) -> (Clock, u64) {
        (self.clock, self.timestamp)
    }
}

/// Whose clock says when an entry was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Clock {
    /// The server's, as far as it was heard.
    Server,
    /// The device's own: the page was not connected yet. It may be wrong, and be set.
    Own,
}

/// What the driver does to the stored queue.
#[derive(Clone, Debug, PartialEq)]
pub enum QueueChange {
    /// Keep this entry, in place of one with the same id.
    Put(Entry),
    /// Forget the entry with this id.
    Remove(MessageId),
    /// The same of one that is published. A server that tells its limits knows the id: it does no harm there if this is
    /// done a moment later, or never.
    Acked(MessageId),
}
