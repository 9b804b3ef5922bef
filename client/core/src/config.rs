//! What an application may set. Every default is the specification's (SPEC §9).

/// How a client connects, retries, queues and forgets.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Which wire the server is spoken to on.
    pub binding: Binding,
    /// Which transports carry the Socket.IO binding; the raw one knows the WebSocket alone.
    pub transports: Transports,
    /// Path of the endpoint; `None` takes the binding's own ([`Binding::path`]).
    pub path: Option<String>,
    /// What this server is called in queued entries: its origin, such as `https://example.org`.
    pub server: String,
    /// The client's own name, sent on the raw binding only.
    pub client_id: Option<String>,
    /// Seeds the jitter and the message ids: 64 random bits of the driver's.
    pub seed: u64,
    /// When and how often a lost connection is tried again.
    pub reconnect: ReconnectPolicy,
    /// How long opening a transport and being greeted on it may each take, ms.
    pub connect_timeout_ms: u64,
    /// How long the answer to a request may take, ms. That to a subscription is waited for six times as long.
    pub request_timeout_ms: u64,
    /// Time between two heartbeats, ms; 0 sends none.
    pub heartbeat_interval_ms: u64,
    /// How long a heartbeat's answer may take before the transport is given up, ms.
    pub pong_timeout_ms: u64,
    /// How long messages wait behind a gap for the missing ones, ms.
    pub gap_patience_ms: u64,
    /// How many message ids are remembered to drop repetitions; 0 remembers none.
    pub dedup_window: usize,
    /// What becomes of messages that cannot be sent now.
    pub queue: QueuePolicy,
    /// Whether the tabs of one user and server share a connection ([`crate::Output::Group`]); on the Socket.IO
    /// binding only.
    pub shared: bool,
}

/// Which wire the server is spoken to on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Binding {
    /// Socket.IO 5 over Engine.IO 4 (SPEC §6).
    #[default]
    SocketIo,
    /// The raw WebSocket (SPEC §7).
    Raw,
}

impl Binding {
    /// Where its endpoint lives below the server's own path.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::SocketIo => "/socket.io/",
            Self::Raw => "/api/v1/ws",
        }
    }
}

/// What carries the Socket.IO binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Transports {
    /// A WebSocket; HTTP long-polling where none can be opened, until one can.
    #[default]
    Any,
    /// A WebSocket alone.
    WebSocket,
    /// HTTP long-polling alone.
    Polling,
}

/// When a lost connection is tried again: after `min(base · factor^n, cap) · (1 ± jitter)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReconnectPolicy {
    /// Whether a lost connection is tried again at all.
    pub enabled: bool,
    /// Attempts in a row before giving up; `None` never gives up.
    pub max_attempts: Option<u32>,
    /// The first delay, ms.
    pub base_ms: u64,
    /// The longest delay before jitter, ms.
    pub cap_ms: u64,
    /// What each delay is multiplied by to get the next.
    pub factor: f64,
    /// The part of a delay that is random, 0 to 1.
    pub jitter: f64,
}

/// What becomes of messages that cannot be sent now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueuePolicy {
    /// Most entries; what happens then says [`Overflow`].
    pub max_entries: usize,
    /// Entries older than this expire, ms; 0 is as long as the server remembers message ids, which is also
    /// the most.
    pub expiry_ms: u64,
    /// What happens to a publish that finds the queue full.
    pub overflow: Overflow,
    /// Whether several tabs share the stored queue, so that it is sent under a lock ([`crate::Output::Lock`]).
    pub shared: bool,
}

/// What happens to a publish that finds the queue full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// The oldest entry is dropped and reported.
    DropOldest,
    /// The publish is refused with `queue_overflow`.
    Refuse,
}

impl Config {
    /// Path of the endpoint.
    pub(crate) fn path(&self) -> &str {
        self.path.as_deref().unwrap_or(self.binding.path())
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            binding: Binding::SocketIo,
            transports: Transports::Any,
            path: None,
            server: String::new(),
            client_id: None,
            seed: 0,
            reconnect: ReconnectPolicy::default(),
            connect_timeout_ms: 10_000,
            request_timeout_ms: 10_000,
            heartbeat_interval_ms: 30_000,
            pong_timeout_ms: 5_000,
            gap_patience_ms: 2_000,
            dedup_window: 1_000,
            queue: QueuePolicy::default(),
            shared: false,
        }
    }
}

impl Default for ReconnectPolicy {
    fn default() -> Self {
        Self {
            enabled: true,
            max_attempts: None,
            base_ms: 1_000,
            cap_ms: 30_000,
            factor: 2.0,
            jitter: 0.25,
        }
    }
}

impl Default for QueuePolicy {
    fn default() -> Self {
        Self {
            max_entries: 1_000,
            expiry_ms: 5 * 60 * 1_000,
            overflow: Overflow::DropOldest,
            shared: false,
        }
    }
}
