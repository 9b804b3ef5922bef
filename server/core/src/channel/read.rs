//! What a channel asks of its history when its own tail does not reach far enough.

use std::sync::Arc;

use bmt_shared::channel::ChannelName;
use bmt_shared::id::UserId;
use bmt_shared::position::{Epoch, Seq};

use super::entry::Entry;
use super::retention::Retention;

/// A bounded run of kept messages asked for. Messages whose own ttl is over are left out and not counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// The channel.
    pub topic: ChannelName,
    /// Which run.
    pub range: Range,
    /// Most messages in the answer.
    pub messages: usize,
    /// Most bytes in the answer, as [`Entry::size_bytes`] counts; one message is given whatever its size.
    pub bytes: usize,
    /// What is kept: messages outside are not given even where the store still has them.
    pub retention: Retention,
    /// The time by which ttls are judged, ms since the Unix epoch.
    pub now_ms: u64,
}

/// Which end of which stretch a [`Read`] begins at. Answers are ascending either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// The oldest of the messages above `after`, up to `through` at most.
    Up {
        /// Below the first one wanted.
        after: Seq,
        /// The last one that may be given.
        through: Seq,
    },
    /// The newest of the messages below this.
    Down {
        /// Above the last one wanted.
        below: Seq,
    },
}

/// The answer to a [`Read`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The numbering.
    pub epoch: Epoch,
    /// Oldest seq that is kept; one above the newest where nothing is.
    pub oldest: Seq,
    /// The messages, ascending.
    pub entries: Vec<Arc<Entry>>,
    /// Whether the bounds cut off messages that lie further on in the range.
    pub more: bool,
}

/// What the history knows of a channel when it becomes active.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The numbering.
    pub epoch: Epoch,
    /// Newest seq; 0 before the first message.
    pub top: Seq,
    /// Oldest seq that is kept; `top + 1` where nothing is.
    pub oldest: Seq,
    /// The newest messages up to `top` without a hole, ascending, as many as make a good tail.
    pub newest: Vec<Arc<Entry>>,
    /// Up to where which user has read; at most [`READERS`](super::READERS).
    pub readers: Vec<(UserId, Seq)>,
    /// When its first message came, ms since the Unix epoch; none where there never was one.
    pub created_ms: Option<u64>,
}
