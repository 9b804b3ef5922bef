//! The rules of its namespace that a channel keeps.

use bmt_shared::namespace::Namespace;

use super::{Channel, Presence, Retention};

#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub(super) retention: Retention,
    pub(super) max_subscribers: u32,
    pub(super) presence: bool,
    pub(super) join_leave: bool,
}

impl Rules {
    pub(super) fn of(namespace: &Namespace) -> Self {
        Self {
            retention: Retention::of(namespace),
            max_subscribers: namespace.max_subscribers,
            presence: namespace.presence,
            join_leave: namespace.presence && namespace.join_leave,
        }
    }
}

impl<S: Clone> Channel<S> {
    /// Goes on by other rules of its namespace. Subscribers stay, however many there may be from now on; who is
    /// there counts as present from now on where presence was not kept before, which is no join to tell of.
    pub fn change_rules(&mut self, namespace: &Namespace, now_ms: u64) {
        let before = std::mem::replace(&mut self.rules, Rules::of(namespace));
        if !self.rules.presence {
            self.presence = Presence::default();
        } else if !before.presence {
            for subscription in self.subscriptions.values() {
                self.presence.join(&subscription.who.user, now_ms);
            }
        }
        self.trim(now_ms);
        self.oldest = self.oldest.max(self.rules.retention.oldest_by_size(self.top));
    }
}
