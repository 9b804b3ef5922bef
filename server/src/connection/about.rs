//! A connection as administrators see it.

use std::sync::Arc;

use bmt_shared::identity::User;

use super::Connection;

/// What is told of a connection to those who run the server.
#[derive(Clone, Debug)]
pub struct About {
    /// Who it speaks for.
    pub user: Arc<User>,
    /// Since when, ms since the Unix epoch.
    pub since_ms: u64,
    /// Channels it is subscribed to.
    pub subscriptions: usize,
}

impl Connection {
    /// See [`About`]; none where it has just ended.
    #[must_use]
    pub fn about(&self) -> Option<About> {
        self.with(|open| About {
            user: open.session.user().clone(),
            since_ms: self.began_ms,
            subscriptions: open.session.subscriptions().topics().count(),
        })
    }
}
