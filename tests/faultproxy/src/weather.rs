//! What the network is like.

use std::time::Duration;

use crate::random::Random;

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server.
    ToServer,
    /// From the server to the client.
    ToClient,
}

/// What happens to bytes on their way, in each direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weather {
    /// How long every byte travels.
    pub latency: Duration,
    /// Up to how much more or less, at random; order is kept.
    pub jitter: Duration,
    /// Most bytes passed on at once; 1 is the slicer. [`None`] passes on what came.
    pub slice: Option<usize>,
    /// Bytes per second of each direction.
    pub bytes_per_second: Option<u64>,
    /// A direction that passes nothing on, while the other goes on: half-open.
    pub silent: Option<Direction>,
    /// Nothing is passed on in either direction.
    pub stalled: bool,
}

impl Weather {
    /// A network that does nothing to bytes.
    #[must_use]
    pub fn fair() -> Self {
        Self {
            latency: Duration::ZERO,
            jitter: Duration::ZERO,
            slice: None,
            bytes_per_second: None,
            silent: None,
            stalled: false,
        }
    }

    pub(crate) fn stops(&self, direction: Direction) -> bool {
        self.stalled || self.silent == Some(direction)
    }

    /// How long the bytes at hand travel.
    pub(crate) fn delay(&self, random: &mut Random) -> Duration {
        let micros = |duration: Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let (latency, jitter) = (micros(self.latency), micros(self.jitter));
        let least = latency.saturating_sub(jitter);
        Duration::from_micros(random.within(least, latency.saturating_add(jitter)))
    }
}
