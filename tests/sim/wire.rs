//! The network: one wire per transport, each in order, each with its own delays, and all of them unreliable.

/// Names one wire.
pub(crate) type WireId = u64;

/// Which end a frame travels to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Up,
    Down,
}

/// One transport between a client and the server.
#[derive(Debug)]
pub(crate) struct Wire {
    pub(crate) tab: usize,
    /// The page that opened it: a reload ends its interest.
    pub(crate) page: u32,
    /// One way takes at least this long, ms.
    pub(crate) latency_ms: u64,
    pub(crate) client_end: End,
    pub(crate) server_end: End,
    /// When the last frame of each way arrives: the next one is not earlier.
    up_at: u64,
    down_at: u64,
    pub(crate) health: Health,
}

/// What one end believes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Opening,
    Open,
    Closed,
}

/// What the network does to a wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    Well,
    /// Frames vanish on this way, and nobody is told.
    Deaf(Way),
    /// Frames vanish on both ways.
    Dead,
}

impl Wire {
    pub(crate) fn new(tab: usize, page: u32, latency_ms: u64) -> Self {
        Self {
            tab,
            page,
            latency_ms,
            client_end: End::Opening,
            server_end: End::Opening,
            up_at: 0,
            down_at: 0,
            health: Health::Well,
        }
    }

    /// When something sent now arrives, later by `jitter_ms` and never before what was sent earlier.
    pub(crate) fn arrival(&mut self, way: Way, now: u64, jitter_ms: u64) -> u64 {
        let last = match way {
            Way::Up => &mut self.up_at,
            Way::Down => &mut self.down_at,
        };
        *last = (*last).max(now + self.latency_ms + jitter_ms);
        *last
    }

    /// Stands still: what is sent from now on, on either way, arrives at `until` at the earliest.
    pub(crate) fn stall(&mut self, until: u64) {
        self.up_at = self.up_at.max(until);
        self.down_at = self.down_at.max(until);
    }

    /// Whether a frame that arrives now gets through.
    pub(crate) fn carries(&self, way: Way) -> bool {
        let arrives = match way {
            Way::Up => self.server_end,
            Way::Down => self.client_end,
        };
        let heard = match self.health {
            Health::Well => true,
            Health::Deaf(deaf) => deaf != way,
            Health::Dead => false,
        };
        arrives == End::Open && heard
    }
}
