//! How much of a channel is kept (SPEC §3).

use bmt_shared::namespace::{Durability, Namespace};
use bmt_shared::position::Seq;

/// What a channel keeps of its messages; both limits count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Most messages; `None` keeps all.
    pub messages: Option<u64>,
    /// How long a message is kept, ms; 0 is without end.
    pub ttl_ms: u64,
}

impl Retention {
    /// What a namespace's rules say.
    #[must_use]
    pub fn of(namespace: &Namespace) -> Self {
        let messages = match (namespace.durability, namespace.history_size) {
            (Durability::None, _) => Some(0),
            (_, 0) => None,
            (_, size) => Some(size),
        };
        Self {
            messages,
            ttl_ms: namespace.history_ttl_ms,
        }
    }

    /// The oldest seq that the number of messages lets stand where `top` is the newest.
    #[must_use]
    pub fn oldest_by_size(&self, top: Seq) -> Seq {
        self.messages.map_or(1, |size| top.saturating_sub(size) + 1)
    }

    /// Messages taken at or before this are too old; 0 where nothing is.
    #[must_use]
    pub fn expired_until_ms(&self, now_ms: u64) -> u64 {
        if self.ttl_ms == 0 {
            0
        } else {
            now_ms.saturating_sub(self.ttl_ms)
        }
    }
}
