//! How the connection stands, for the application.

/// The five states of SPEC §9.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Status {
    /// Not connected, and not trying.
    #[default]
    Disconnected,
    /// The first attempt is under way.
    Connecting,
    /// The server has greeted.
    Connected,
    /// The connection was lost, or the first attempt failed: waiting or trying again.
    Reconnecting,
    /// Given up.
    Failed,
}

impl Status {
    /// The word of SPEC §9.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Disconnected => "disconnected",
            Self::Connecting => "connecting",
            Self::Connected => "connected",
            Self::Reconnecting => "reconnecting",
            Self::Failed => "failed",
        }
    }
}

/// How the connection stands. Times are ms since the Unix epoch.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ConnectionState {
    /// See [`Status`].
    pub status: Status,
    /// When the server last greeted.
    pub last_connected: Option<u64>,
    /// When a greeted connection last ended.
    pub last_disconnected: Option<u64>,
    /// Attempts since a connection that lasted.
    pub reconnect_attempts: u32,
    /// When the next attempt is due.
    pub next_retry_at: Option<u64>,
    /// What went wrong last; `None` while connected.
    pub error: Option<String>,
}
