//! Live connections, over Socket.IO and over the raw WebSocket: one way of a request for both.
//!
//! A transport knows who is there, then makes a [`Connection`], hands it each frame in the order of arrival, and
//! writes what the connection's outbox holds. What a request means is decided once, in `requests`; the session of
//! `bmt_server_core` admits it, the shards carry it out.
//!
//! All of socketioxide stays in `socketio`; the raw endpoint's framing stays in `raw`.

mod batches;
mod calls;
mod link;
mod live;
mod random;
mod realtime;
mod refresh;
mod requests;

mod raw;
mod socketio;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bmt_server_core::session::Rules;
use bmt_shared::error::AuthReason;
use bmt_shared::identity::User;

use crate::outbox::Bounds;
use crate::shards::Shards;

pub use link::Connection;
pub use live::{Capacity, Full, Live, Seat};
pub use realtime::Realtime;

/// Who a token speaks for, and until when.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Who.
    pub user: Arc<User>,
    /// When the token ends, ms since the Unix epoch; `None` where it never does.
    pub expires_at_ms: Option<u64>,
}

/// Checks tokens of connections. The one thing that connections need of accounts and keys.
pub trait Authenticate: Send + Sync + 'static {
    /// Who `token` speaks for at `now_ms`; no token is a guest, where guests are allowed.
    fn authenticate<'a>(
        &'a self,
        token: Option<&'a str>,
        now_ms: u64,
    ) -> Pin<Box<dyn Future<Output = Result<Identity, AuthReason>> + Send + 'a>>;
}

/// How often a silent peer is asked for a sign of life, and how long it may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// Between two pings, ms.
    pub interval_ms: u64,
    /// For the answer, and for a peer that takes nothing off its socket, ms.
    pub timeout_ms: u64,
}

/// What connections are configured with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Limits and permissions.
    pub rules: Arc<Rules>,
    /// See [`Heartbeat`].
    pub heartbeat: Heartbeat,
    /// Bounds of each outbox.
    pub outbox: Bounds,
    /// How many connections there may be.
    pub capacity: Capacity,
    /// How long a transport may live without a user, ms.
    pub authentication_ms: u64,
    /// Over how long those who are told to come back are spread, ms.
    pub retry_spread_ms: u64,
}

/// What every connection of this server shares.
pub struct Context {
    shards: Shards,
    authenticate: Arc<dyn Authenticate>,
    settings: Settings,
    live: Live,
}

impl Context {
    /// The server's clock, ms since the Unix epoch.
    fn now_ms(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}
