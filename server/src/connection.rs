//! Live connections, over Socket.IO and over the raw WebSocket: one way of a request for both.
//!
//! A transport knows who is there, then makes a [`Connection`], hands it each frame in the order of arrival, and
//! writes what the connection's outbox holds. What a request means is decided once, in `requests`; the session of
//! `bmt_server_core` admits it, the shards carry it out.
//!
//! All of socketioxide stays in `socketio`; the raw endpoint's framing stays in `raw`.

mod about;
mod arrival;
mod batches;
mod calls;
mod frame;
mod handshake;
mod link;
mod live;
mod memberships;
mod metadata;
mod outlet;
mod patience;
mod realtime;
mod refresh;
mod requests;
mod revocation;
mod spare;
mod staged;
mod terms;

mod raw;
mod socketio;

use std::net::IpAddr;
use std::sync::Arc;

use bmt_server_core::session::{Memberships, Rules};
use bmt_shared::error::AuthReason;

use crate::clock;
use crate::config::{Config, HeartbeatConfig};
use crate::node::Node;
use crate::outbox::Bounds;
use crate::records::{Denials, Denied};
use crate::shards::Shards;
use arrival::Arrival;

pub use about::About;
pub use handshake::{NoWebSocket, accept, switching};
pub use link::Connection;
pub use live::{Capacity, Full, Live, Seat};
pub use raw::{Arrived, Wire};
pub use realtime::Realtime;
pub use terms::Follower;

/// Over how long those who are told to come back are spread, ms: a server that has just started is not met by
/// all its clients at once.
const RETRY_SPREAD_MS: u64 = 5_000;

/// What holds for every connection, and may be another after a reload.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Limits and permissions.
    pub rules: Arc<Rules>,
    /// Bounds of each outbox.
    pub outbox: Bounds,
    /// How many connections there may be.
    pub capacity: Capacity,
}

/// What transports are made with, for as long as the server runs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Bytes of one frame; 0 is no limit.
    pub frame_bytes: u64,
    /// How often a silent peer is asked for a sign of life; how long that may take.
    pub heartbeat: HeartbeatConfig,
    /// How long a transport may live without a user, ms.
    pub authenticate_ms: u64,
    /// A connection without any traffic is closed after this, ms; `None` where heartbeats notice it sooner.
    pub stale_ms: Option<u64>,
    /// Binary parts of one packet.
    pub attachments: usize,
    /// Bytes of what a client tells of itself when it connects; 0 is no limit.
    pub metadata_bytes: usize,
    /// Over how long those who are told to come back are spread, ms.
    pub retry_spread_ms: u64,
}

impl Terms {
    /// What the configuration says of connections, with the member lists that sessions ask.
    #[must_use]
    pub fn of(config: &Config, members: Arc<dyn Memberships>) -> Self {
        let limits = &config.limits;
        Self {
            rules: Arc::new(Rules {
                limits: limits.told(),
                subscribe_per_second: limits.subscribe_per_second,
                read_per_second: limits.read_per_second,
                backlog_requests: count(limits.inbound_requests),
                backlog_bytes: count(limits.inbound_bytes),
                metadata_bytes: count(limits.metadata_bytes),
                namespaces: config.namespaces.clone(),
                members: Some(members),
            }),
            outbox: Bounds {
                bytes: count(limits.outbox_bytes),
                entries: count(limits.outbox_messages),
            },
            capacity: Capacity {
                connections: count(limits.connections),
                per_user: count(limits.connections_per_user),
                per_address: count(limits.connections_per_address),
            },
        }
    }
}

impl Settings {
    /// What the configuration says of transports.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let limits = &config.limits;
        Self {
            frame_bytes: limits.told().frame_bytes,
            heartbeat: config.heartbeat.clone(),
            authenticate_ms: limits.authenticate_ms,
            stale_ms: Some(limits.stale_ms).filter(|stale_ms| {
                let heartbeat_ms = config.heartbeat.interval_ms + config.heartbeat.timeout_ms;
                (1..heartbeat_ms).contains(stale_ms)
            }),
            attachments: count(limits.attachments),
            metadata_bytes: count(limits.metadata_bytes),
            retry_spread_ms: RETRY_SPREAD_MS,
        }
    }
}

fn count(setting: u64) -> usize {
    usize::try_from(setting).unwrap_or(usize::MAX)
}

/// What every connection of this server shares.
pub struct Context {
    node: Arc<Node>,
    shards: Shards,
    settings: Settings,
    live: Live,
    denials: Denials,
}

impl Context {
    /// Notes that somebody was not let in, for the audit log; `status` is the HTTP status, or what it would be.
    fn deny(&self, address: IpAddr, reason: &'static str, status: u16) {
        self.denials.note(Denied {
            address: Some(address),
            user: None,
            reason,
            status,
        });
    }

    /// Somebody is not who they say, or does not say: for the audit log and for traces.
    fn turn_away(&self, arrival: &Arrival, reason: AuthReason) {
        self.deny(arrival.address, reason.as_str(), 401);
        self.arrived(arrival, Err(reason.as_str()));
    }

    /// A handshake has come to its end.
    fn arrived(&self, arrival: &Arrival, outcome: Result<(), &'static str>) {
        let arriving = arrival.arriving.as_deref();
        self.node
            .telemetry
            .arrived(arriving, arrival.transport(), outcome);
    }

    /// The server's clock, ms since the Unix epoch.
    fn now_ms(&self) -> u64 {
        clock::unix_ms()
    }
}
