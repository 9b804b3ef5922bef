//! New terms for connections that live already: what they used up of the old ones stays used up, and subscriptions
//! that are not allowed any more end.

use std::sync::Arc;

use super::{Connection, Context, Terms};

/// Hands the terms of a reload on to every connection.
pub struct Follower(pub(super) Arc<Context>);

impl Follower {
    /// Makes every connection go on by the terms that hold now, and judges each anew. Who connects meanwhile looks
    /// at them by itself.
    pub fn follow(&self) {
        let live = &self.0.live;
        let terms = self.0.node.current().terms.clone();
        live.set_capacity(terms.capacity);
        for connection in live.all() {
            connection.judge_again();
            connection.follow(&terms);
        }
    }
}

impl Connection {
    /// Goes on by these terms. Those that it has already change nothing.
    pub(super) fn follow(&self, terms: &Terms) {
        let now_ms = self.context.now_ms();
        self.with(|open| {
            if Arc::ptr_eq(open.session.rules(), &terms.rules) {
                return;
            }
            self.outbox.set_bounds(terms.outbox);
            let lost = open.session.change_rules(terms.rules.clone(), now_ms);
            // Within the session's lock, so that no subscription asked for again can be taken for this one.
            self.drop_subscriptions(lost, "the server's rules have changed");
        });
    }
}
