//! What time it is, told by the driver.

/// The two clocks of a host, read together.
///
/// The core owns no clock: every call that may depend on time is given one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Now {
    /// A clock that never jumps, ms since any start. Every deadline of the core is on it.
    pub monotonic_ms: u64,
    /// The wall clock, ms since the Unix epoch. It may be wrong, and set at any time: it dates queued messages, which
    /// outlive the monotonic clock, only until the server has said what time it is.
    pub unix_ms: u64,
}
