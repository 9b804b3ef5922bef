//! Where the connection is between "not wanted" and "greeted".

use bmt_shared::event::{Closing, Connected};
use bmt_shared::id::UserId;

use crate::state::ConnectionState;
use crate::token;

/// A connection that lived this long has earned that the attempts before it are forgotten (SPEC §9).
pub(crate) const SETTLED_AFTER_MS: u64 = 5_000;
/// How long the application may take for a token: it may have to ask its own back end, twice.
pub(crate) const TOKEN_TIMEOUT_MS: u64 = 30_000;

/// The connection and what is remembered between two of them.
#[derive(Debug, Default)]
pub(crate) struct Connection {
    pub(crate) phase: Phase,
    pub(crate) state: ConnectionState,
    pub(crate) host: Host,
    pub(crate) auth: AuthTry,
    /// The token of this attempt.
    pub(crate) token: Option<String>,
    /// Whose token that is, unverified; then whom the server greeted.
    pub(crate) user: Option<UserId>,
    /// Not before this monotonic time: the server asked for it.
    pub(crate) floor_ms: u64,
    /// What the server said before it closes.
    pub(crate) closing: Option<Closing>,
    /// Greetings since the client was made.
    pub(crate) greetings: u64,
    /// Attempts since the last greeting.
    pub(crate) attempts_since_greeting: u32,
    /// The server's pings must not be further apart than this, ms.
    pub(crate) ping_budget_ms: Option<u64>,
    /// When the next of them is overdue, monotonic ms.
    pub(crate) ping_due: Option<u64>,
}

/// How far the connection is. Every deadline is monotonic ms.
#[derive(Debug, Default)]
pub(crate) enum Phase {
    /// Not wanted.
    #[default]
    Idle,
    /// The application is asked for a token.
    Token { until: u64 },
    /// The transport is being opened.
    Opening { until: u64 },
    /// The transport is open, the server has not greeted.
    Greeting { until: u64 },
    /// The server has greeted.
    Online(Box<Online>),
    /// Waiting for the next attempt; `None` waits for the host to be online.
    Waiting { retry_at: Option<u64> },
    /// Wanted, but given up.
    GivenUp,
}

/// Whether the host has a network, as far as it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum Host {
    #[default]
    Online,
    Offline,
}

/// How often a token was refused in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum AuthTry {
    #[default]
    First,
    /// One was refused; the application is asked again.
    Refused,
    /// What it answered is tried.
    Second,
}

/// A greeted connection.
#[derive(Debug)]
pub(crate) struct Online {
    pub(crate) connected: Connected,
    /// When it has lived long enough; `None` after that.
    pub(crate) settles_at: Option<u64>,
    pub(crate) heartbeat: Heartbeat,
    /// Whether the application was asked for a token to refresh this connection with.
    pub(crate) refresh: Refresh,
}

/// Heartbeats of this connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heartbeat {
    /// None is sent: it is off, or this server of the seeds does not answer.
    Off,
    /// The next is due.
    Due { at: u64 },
    /// One was sent and not answered yet.
    Awaited { sent_at: u64, until: u64 },
}

/// A new token for a living connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refresh {
    None,
    Asked,
}

impl Connection {
    pub(crate) fn online(&self) -> Option<&Online> {
        match &self.phase {
            Phase::Online(online) => Some(online),
            _ => None,
        }
    }

    pub(crate) fn online_mut(&mut self) -> Option<&mut Online> {
        match &mut self.phase {
            Phase::Online(online) => Some(online),
            _ => None,
        }
    }

    /// Takes the token of the next attempt, and with it whose queue it is. An opaque token that has not changed is
    /// the same user's, and a guest stays the guest that the server named.
    pub(crate) fn take_token(&mut self, token: Option<String>) {
        let subject = token.as_deref().and_then(token::subject);
        let is_unchanged = self.token == token;
        if subject.is_some() || !is_unchanged {
            self.user = subject;
        }
        if self.auth == AuthTry::Refused {
            self.auth = AuthTry::Second;
        }
        self.token = token;
    }

    /// Whether a transport exists that may say something.
    pub(crate) fn has_transport(&self) -> bool {
        matches!(
            self.phase,
            Phase::Opening { .. } | Phase::Greeting { .. } | Phase::Online(_)
        )
    }
}

impl Online {
    /// Whether the server speaks the whole protocol and not only the seeds (SPEC §9).
    pub(crate) fn is_full(&self) -> bool {
        self.connected.limits.is_some()
    }
}
