//! Requests of one connection that wait for their answer: what makes every callback called exactly once.

use std::collections::HashMap;

use bmt_shared::channel::ChannelName;

/// What is remembered of a request until its answer goes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pending {
    /// The Socket.IO callback to call.
    pub(super) callback: Option<i64>,
    /// Bytes it was counted with in the backlog.
    pub(super) bytes: usize,
    /// Which answers are said.
    pub(super) speak: Speak,
    /// The channel it subscribes to: forgotten again if that is refused.
    pub(super) subscribes: Option<ChannelName>,
}

/// Which answers to a request are said (SPEC §4). With a callback it is always all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speak {
    Always,
    /// A publish with `ackRequired: false`.
    OfFailure,
    /// A signal, a heartbeat, a confirmation.
    Never,
}

/// See the [module](self). Its size is bounded by the session's backlog.
#[derive(Debug, Default)]
pub(super) struct Calls {
    pending: HashMap<u64, Pending>,
    last: u64,
}

impl Calls {
    /// Numbers a request.
    pub(super) fn open(&mut self, pending: Pending) -> u64 {
        self.last += 1;
        self.pending.insert(self.last, pending);
        self.last
    }

    /// Takes a request out for its answer; `None` where it was answered before.
    pub(super) fn close(&mut self, call: u64) -> Option<Pending> {
        self.pending.remove(&call)
    }

    /// Changes what is remembered of a request that still waits.
    pub(super) fn get_mut(&mut self, call: u64) -> Option<&mut Pending> {
        self.pending.get_mut(&call)
    }
}
