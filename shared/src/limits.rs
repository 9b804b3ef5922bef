//! The limits a client is told in `connected.limits` (SPEC §10).

use serde::{Deserialize, Serialize};

/// Most messages or topics in one batch request.
pub const BATCH: usize = 200;
/// Most messages in one recovery.
pub const RECOVERY_MESSAGES: usize = 1_000;
/// Most bytes in one topic's recovery.
pub const RECOVERY_BYTES: usize = 256 * 1_024;
/// Most bytes in the reply to a batch of subscribes.
pub const BATCH_REPLY_BYTES: usize = 512 * 1_024;
/// Most binary parts in one reply: official Socket.IO clients close the connection on a packet that has more.
pub const REPLY_ATTACHMENTS: usize = 10;
/// Messages in the newest page that stands in for a recovery that is not possible.
pub const FALLBACK_PAGE: usize = 50;
/// Messages in a page of history where no `limit` is asked for.
pub const HISTORY_PAGE: usize = 50;
/// Most messages in a page of history.
pub const HISTORY_PAGE_MAX: usize = 200;

/// What the server tells every connection about its limits. 0 means "no limit".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Limits {
    /// Most bytes of one payload.
    pub message_bytes: u64,
    /// Most bytes of one frame, payload and envelope together.
    pub frame_bytes: u64,
    /// How long a `messageId` is remembered, ms.
    pub idempotency_window_ms: u64,
    /// Most items in one batch.
    pub batch: u64,
    /// Most subscriptions of one connection.
    pub subscriptions: u64,
    /// Publishes per second, on average.
    pub publish_per_second: u64,
    /// Publishes at once.
    pub publish_burst: u64,
    /// Signals per second.
    pub signal_per_second: u64,
}

impl Default for Limits {
    fn default() -> Self {
        let message_bytes = 64 * 1_024;
        Self {
            message_bytes,
            frame_bytes: frame_bytes(message_bytes),
            idempotency_window_ms: 24 * 60 * 60 * 1_000,
            batch: BATCH as u64,
            subscriptions: 1_000,
            publish_per_second: 50,
            publish_burst: 100,
            signal_per_second: 30,
        }
    }
}

/// The frame limit that follows from a payload limit: room for escapes and for the envelope.
#[must_use]
pub fn frame_bytes(message_bytes: u64) -> u64 {
    2 * message_bytes + 4 * 1_024
}
