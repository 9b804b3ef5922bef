//! The configuration as it holds now, with what follows from it: a reload puts another one in its place, whole.

use std::sync::Arc;

use bmt_server_core::session::{Memberships, Rules};
use ipnet::IpNet;

use crate::config::Config;
use crate::connection::Terms;

/// See the [module](self).
pub struct Current {
    /// The effective configuration.
    pub config: Config,
    /// What holds for every connection.
    pub terms: Arc<Terms>,
    /// What holds for the HTTP API. A back end speaks for all its users at once: a rate made for one connection is
    /// none for it.
    pub server_rules: Arc<Rules>,
    /// The ranges of `http.trusted_proxies`.
    pub(super) proxies: Vec<IpNet>,
}

impl Current {
    pub(super) fn of(config: Config, members: Arc<dyn Memberships>) -> Self {
        let terms = Terms::of(&config, members);
        let mut server_rules = Rules::clone(&terms.rules);
        server_rules.limits.publish_per_second = 0;
        Self {
            terms: Arc::new(terms),
            server_rules: Arc::new(server_rules),
            proxies: config.http.proxies(),
            config,
        }
    }
}
