//! What a seed decides beyond people and network: where no WebSocket opens, storage that refuses writes, tokens that
//! end, rights that are taken, restarts.

use crate::random::Random;

/// The further conditions of one run. Chances are per thousand.
#[derive(Clone, Debug)]
pub(crate) struct Hardships {
    /// Tabs that may use long-polling, because no WebSocket opens for them at first.
    pub(crate) blocked: u64,
    /// Writes of the stored queue that storage refuses.
    pub(crate) lost_writes: u64,
    /// How long a token lives, ms; it never ends where there is none.
    pub(crate) token_life_ms: Option<u64>,
    /// Tokens that have ended when they are given.
    pub(crate) stale_tokens: u64,
    /// Tabs that have one token until somebody logs in anew.
    pub(crate) fixed_tokens: u64,
    /// How long the back end takes for a token, at most, ms.
    pub(crate) token_delay_ms: u64,
    /// Times at which somebody loses the right to a channel, and gets it back later.
    pub(crate) losses: u64,
    /// Times at which the server restarts in good order.
    pub(crate) restarts: u64,
}

impl Hardships {
    /// What a seed does elsewhere does not depend on it, so its chance is drawn apart from the rest.
    pub(crate) fn of(chance: &mut Random) -> Self {
        Self {
            blocked: *chance.pick(&[0, 0, 300, 700]),
            lost_writes: *chance.pick(&[0, 0, 0, 30, 300]),
            token_life_ms: *chance.pick(&[None, None, Some(20_000), Some(45_000)]),
            stale_tokens: *chance.pick(&[0, 100, 500]),
            fixed_tokens: *chance.pick(&[0, 0, 300]),
            token_delay_ms: *chance.pick(&[0, 0, 3_000]),
            losses: *chance.pick(&[0, 0, 0, 1, 4]),
            restarts: *chance.pick(&[0, 0, 1, 2]),
        }
    }
}
