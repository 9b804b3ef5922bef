//! One connection's subscription to a channel.

use std::sync::Arc;

use bmt_shared::identity::User;
use bmt_shared::position::Seq;

use super::filter::{Fields, Filter};

/// Who subscribes. `S` stands for the way to the connection: an outbox in the server, a name in a simulation.
#[derive(Clone, Debug)]
pub struct Subscriber<S> {
    /// The connection's way out; outputs carry it back.
    pub to: S,
    /// Who the connection speaks for.
    pub user: Arc<User>,
}

pub(super) struct Subscription<S> {
    pub(super) who: Subscriber<S>,
    pub(super) filter: Filter,
    /// Whether joins and leaves are wanted.
    pub(super) presence: bool,
    /// The last seq this subscription was entitled to, or that a recovery reply covered.
    covered: Seq,
}

impl<S> Subscription<S> {
    pub(super) fn new(who: Subscriber<S>, filter: Filter, presence: bool, covered: Seq) -> Self {
        Self {
            who,
            filter,
            presence,
            covered,
        }
    }

    /// A recovery reply told everything up to here.
    pub(super) fn cover(&mut self, seq: Seq) {
        self.covered = seq;
    }

    /// Whether the message goes to this subscription, and with which `prev`.
    pub(super) fn take(&mut self, seq: Seq, fields: &mut Fields<'_>) -> Option<Option<Seq>> {
        if !self.filter.wants(fields) {
            return None;
        }
        let prev = (self.covered + 1 != seq).then_some(self.covered);
        self.covered = seq;
        Some(prev)
    }
}
