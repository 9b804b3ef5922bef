//! How much of everything (SPEC §10). 0 means "no limit" unless a field says otherwise.

use bmt_shared::limits::{self, Limits};
use serde::{Deserialize, Serialize};

/// The table `limits`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitsConfig {
    /// Connections of this node.
    pub connections: u64,
    /// Connections of one user.
    pub connections_per_user: u64,
    /// Connections of one address.
    pub connections_per_address: u64,
    /// How long a connection may take to say who it is, ms; never 0.
    pub authenticate_ms: u64,
    /// Bytes of one payload; never 0.
    pub message_bytes: u64,
    /// Binary attachments of one packet.
    pub attachments: u64,
    /// Bytes of what a client tells of itself when it connects, its token apart, and of one subscription's filter.
    pub metadata_bytes: u64,
    /// Publishes per second and connection, on average.
    pub publish_per_second: u64,
    /// Publishes at once; counts only with `publish_per_second`.
    pub publish_burst: u64,
    /// Subscribe requests per second and connection; a batch is one.
    pub subscribe_per_second: u64,
    /// Signals per second and connection.
    pub signal_per_second: u64,
    /// History and presence requests per second and connection; twice as many at once.
    pub read_per_second: u64,
    /// So many times what one connection may publish, subscribe, signal and read, all connections of one user may
    /// together.
    pub rate_factor_per_user: u64,
    /// The same for all connections of one address; an IPv6 network of 64 bits is one.
    pub rate_factor_per_address: u64,
    /// So many times what one connection may publish, one API key or administrator may over HTTP.
    pub rate_factor_per_key: u64,
    /// Requests per second of one API key or administrator to the guarded routes; twice as many at once.
    pub api_per_second: u64,
    /// Requests per second of one address to the routes that anybody may try and that cost something (guests,
    /// tickets, crash reports, refused credentials), 20 times as many at once. A registration and a change of
    /// password count as 20.
    pub http_per_second: u64,
    /// Connections accepted per second, twice as many at once; the rest waits in the kernel.
    pub accepts_per_second: u64,
    /// Failed logins per minute, for each account and for each address.
    pub login_per_minute: u64,
    /// Subscriptions of one connection.
    pub subscriptions: u64,
    /// Requests of one connection that wait to be handled; never 0.
    pub inbound_requests: u64,
    /// Bytes of those requests; never 0.
    pub inbound_bytes: u64,
    /// Bytes that wait to be sent to one connection; never 0.
    pub outbox_bytes: u64,
    /// Messages that wait to be sent to one connection; never 0.
    pub outbox_messages: u64,
    /// A connection without any traffic is closed after this, ms.
    pub stale_ms: u64,
    /// A channel without subscribers leaves the memory after this, ms.
    pub empty_channel_ms: u64,
    /// How long a `messageId` is remembered, ms; never 0.
    pub idempotency_window_ms: u64,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            connections: 100_000,
            connections_per_user: 50,
            connections_per_address: 200,
            authenticate_ms: 10_000,
            message_bytes: 64 * 1_024,
            attachments: 10,
            metadata_bytes: 4 * 1_024,
            publish_per_second: 50,
            publish_burst: 100,
            subscribe_per_second: 100,
            signal_per_second: 30,
            read_per_second: 50,
            rate_factor_per_user: 5,
            rate_factor_per_address: 20,
            rate_factor_per_key: 20,
            api_per_second: 500,
            http_per_second: 20,
            accepts_per_second: 2_000,
            login_per_minute: 5,
            subscriptions: 1_000,
            inbound_requests: 4_096,
            inbound_bytes: 1_024 * 1_024,
            outbox_bytes: 1_024 * 1_024,
            outbox_messages: 8_192,
            stale_ms: 5 * 60 * 1_000,
            empty_channel_ms: 5 * 60 * 1_000,
            idempotency_window_ms: 24 * 60 * 60 * 1_000,
        }
    }
}

/// A payload above this would make a frame that no browser and no store takes well.
const MESSAGE_BYTES_MAX: u64 = 16 * 1_024 * 1_024;

impl LimitsConfig {
    pub(super) fn check(&self, problems: &mut Vec<String>) {
        let needed = [
            ("authenticate_ms", self.authenticate_ms),
            ("message_bytes", self.message_bytes),
            ("inbound_requests", self.inbound_requests),
            ("inbound_bytes", self.inbound_bytes),
            ("outbox_bytes", self.outbox_bytes),
            ("outbox_messages", self.outbox_messages),
            ("idempotency_window_ms", self.idempotency_window_ms),
        ];
        for (name, value) in needed {
            if value == 0 {
                problems.push(format!(
                    "`limits.{name}` must not be 0: without it memory would grow without end."
                ));
            }
        }
        if self.message_bytes > MESSAGE_BYTES_MAX {
            problems.push(format!(
                "`limits.message_bytes` must be {MESSAGE_BYTES_MAX} at most."
            ));
        }
        if self.publish_per_second > 0 && self.publish_burst == 0 {
            problems.push(
                "`limits.publish_burst` must be 1 at least where `limits.publish_per_second` is set."
                    .to_owned(),
            );
        }
        if self.outbox_bytes < limits::frame_bytes(self.message_bytes.min(MESSAGE_BYTES_MAX)) {
            problems.push(
                "`limits.outbox_bytes` must hold a frame: 2 × `limits.message_bytes` + 4096 at least."
                    .to_owned(),
            );
        }
    }

    /// Bytes of a request that holds a payload, envelope included.
    #[must_use]
    pub fn frame_bytes(&self) -> usize {
        let bytes = limits::frame_bytes(self.message_bytes);
        usize::try_from(bytes).unwrap_or(usize::MAX)
    }

    /// What every connection is told in `connected.limits`.
    #[must_use]
    pub fn told(&self) -> Limits {
        Limits {
            message_bytes: self.message_bytes,
            frame_bytes: limits::frame_bytes(self.message_bytes),
            idempotency_window_ms: self.idempotency_window_ms,
            batch: limits::BATCH as u64,
            subscriptions: self.subscriptions,
            publish_per_second: self.publish_per_second,
            publish_burst: self.publish_burst,
            signal_per_second: self.signal_per_second,
        }
    }
}
