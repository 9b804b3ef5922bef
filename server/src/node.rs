//! This server process: what its parts share.

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::HeaderMap;
use ipnet::IpNet;

use crate::accounts::Accounts;
use crate::auth::Authenticator;
use crate::config::Config;
use crate::history::Histories;
use crate::http::{address, origin};
use crate::members::Members;
use crate::shutdown::Shutdown;

/// One server process (SPEC §1). Routes and connections hold it in an `Arc`.
pub struct Node {
    /// The effective configuration.
    pub config: Config,
    /// Turns tokens into identities.
    pub authenticator: Arc<Authenticator>,
    /// The built-in accounts.
    pub accounts: Accounts,
    /// Who made which channel, and whom its owner let in.
    pub members: Members,
    /// Where messages are kept.
    pub histories: Histories,
    /// The end of this process.
    pub shutdown: Shutdown,
    proxies: Vec<IpNet>,
}

impl Node {
    pub(crate) fn new(
        config: Config,
        accounts: Accounts,
        members: Members,
        histories: Histories,
        shutdown: Shutdown,
    ) -> Self {
        Self {
            authenticator: Arc::new(Authenticator::new(&config.auth, accounts.standings())),
            proxies: config.http.proxies(),
            config,
            accounts,
            members,
            histories,
            shutdown,
        }
    }

    /// The address of the person behind a request: the peer's, or what trusted proxies say.
    #[must_use]
    pub fn client_address(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        address::client_address(peer, headers, &self.proxies)
    }

    /// Whether the request came over https, as a trusted proxy says.
    #[must_use]
    pub fn is_https(&self, peer: IpAddr, headers: &HeaderMap) -> bool {
        address::is_https(peer, headers, &self.proxies)
    }

    /// Whether a page of this request's origin may talk to us (SPEC §10).
    #[must_use]
    pub fn origin_allowed(&self, headers: &HeaderMap) -> bool {
        origin::origin_allowed(headers, &self.config)
    }
}
