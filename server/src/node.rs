//! This server process: what its parts share.

mod current;

use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use axum::http::HeaderMap;

use crate::accounts::Accounts;
use crate::auth::Authenticator;
use crate::budgets::Budgets;
use crate::clock;
use crate::config::Config;
use crate::files::Files;
use crate::history::Histories;
use crate::http::{address, origin};
use crate::members::Members;
use crate::shutdown::Shutdown;
use crate::telemetry::Telemetry;

pub use current::Current;

/// One server process (SPEC §1). Routes and connections hold it in an `Arc`.
pub struct Node {
    // Read once a request and never per delivery: a read is an atomic load, and connections keep what they were
    // handed until a reload hands them another.
    current: ArcSwap<Current>,
    base_path: String,
    has_tls: bool,
    /// Turns tokens into identities.
    pub authenticator: Arc<Authenticator>,
    /// The built-in accounts.
    pub accounts: Accounts,
    /// Who made which channel, and whom its owner let in.
    pub members: Members,
    /// What people uploaded.
    pub files: Files,
    /// Where messages are kept.
    pub histories: Histories,
    /// What users, addresses and API keys may do.
    pub budgets: Budgets,
    /// Traces of what this server does, for a collector.
    pub telemetry: Telemetry,
    /// The end of this process.
    pub shutdown: Shutdown,
}

impl Node {
    pub(crate) fn new(
        config: Config,
        accounts: Accounts,
        members: Members,
        files: Files,
        histories: Histories,
        telemetry: Telemetry,
        shutdown: Shutdown,
    ) -> Self {
        Self {
            authenticator: Arc::new(Authenticator::new(&config.auth, accounts.standings())),
            base_path: config.http.base().to_owned(),
            budgets: Budgets::new(&config.limits),
            has_tls: config.http.has_tls(),
            current: ArcSwap::from_pointee(Current::of(config, members.memberships())),
            accounts,
            members,
            files,
            histories,
            telemetry,
            shutdown,
        }
    }

    /// The configuration as it holds now. Not to be held over an `.await`: a later reload would not be seen.
    #[must_use]
    pub fn current(&self) -> Guard<Arc<Current>> {
        self.current.load()
    }

    /// Where a proxy puts the server below its own root, without the last slash: empty for the root itself.
    #[must_use]
    pub fn base_path(&self) -> &str {
        &self.base_path
    }

    /// Puts another configuration in place. Who asks from now on gets it; who holds something of the one before is
    /// told by `serve::Reloading`.
    pub(crate) fn replace(&self, config: Config) {
        self.budgets.follow(&config.limits, clock::unix_ms());
        let next = Current::of(config, self.members.memberships());
        self.current.store(Arc::new(next));
    }

    /// The address of the person behind a request: the peer's, or what trusted proxies say.
    #[must_use]
    pub fn client_address(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        address::client_address(peer, headers, &self.current().proxies)
    }

    /// Whether the request came over https: to this server itself, or to a trusted proxy, as that says.
    #[must_use]
    pub fn is_https(&self, peer: IpAddr, headers: &HeaderMap) -> bool {
        self.has_tls || address::is_https(peer, headers, &self.current().proxies)
    }

    /// Whether a page of this request's origin may talk to us (SPEC §10).
    #[must_use]
    pub fn origin_allowed(&self, headers: &HeaderMap) -> bool {
        origin::origin_allowed(headers, &self.current().config)
    }
}
