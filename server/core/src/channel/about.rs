//! A channel in figures.

use bmt_shared::position::Seq;

use super::Channel;

/// What is told of a channel to those who run the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct About {
    /// Connections subscribed now.
    pub subscribers: u64,
    /// Messages that are kept, as far as is known: by age some may be gone.
    pub messages: u64,
    /// The newest message's number; 0 where there is none.
    pub top: Seq,
    /// When its first message came; where there is none, since when it is in memory. Ms since the Unix epoch.
    pub created_ms: u64,
}

impl<S: Clone> Channel<S> {
    /// See [`About`].
    #[must_use]
    pub fn about(&self) -> About {
        About {
            subscribers: self.subscriber_count(),
            messages: (self.top + 1).saturating_sub(self.oldest.max(1)),
            top: self.top,
            created_ms: self.created_ms,
        }
    }
}
