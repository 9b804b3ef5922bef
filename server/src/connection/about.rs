//! A connection as administrators see it.

use std::net::IpAddr;
use std::sync::Arc;

use bmt_shared::identity::User;

use super::Connection;

/// What is told of a connection to those who run the server.
#[derive(Clone, Debug)]
pub struct About {
    /// From where, as far as trusted proxies tell.
    pub address: IpAddr,
    /// `websocket`, `polling` or `raw`.
    pub transport: &'static str,
    /// What the client calls itself; empty where it does not say.
    pub agent: String,
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
            address: self.arrival.address,
            transport: self.arrival.transport(),
            agent: self.arrival.agent().to_owned(),
            user: open.session.user().clone(),
            since_ms: self.began_ms,
            subscriptions: open.session.subscriptions().topics().count(),
        })
    }
}
