//! Taking over another configuration while the server runs (SPEC §10, SIGHUP).
//!
//! First everything that can fail: nothing has changed until then, and nothing does where it fails. Then the new
//! configuration is put in place at once, and who holds something of the old one is told: the limits of logins, the
//! channels, the connections. What may change is said by [`config::SETTINGS`](crate::config::SETTINGS).

use std::fmt;
use std::sync::Arc;

use tokio::sync::Mutex;

use super::tls::{Certificate, Tls, TlsError};
use crate::config::{Config, ConfigError, Reloaded};
use crate::connection::Follower;
use crate::namespaces::CurrentNamespaces;
use crate::node::Node;
use crate::shards::{self, Shards};

/// Why a running server does not take a configuration over. It goes on by the one that it has.
#[derive(Debug)]
pub enum ReloadError {
    /// The keys of tokens cannot be read; the sentence says why.
    Keys(String),
    /// The certificate or its key cannot be used.
    Tls(TlsError),
}

impl fmt::Display for ReloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tls(error) => error.fmt(f),
            Self::Keys(why) => write!(f, "The keys of tokens cannot be read: {why}."),
        }
    }
}

impl std::error::Error for ReloadError {}

/// A handle to what a reload changes; a clone is the same.
#[derive(Clone)]
pub struct Reloading(Arc<Inner>);

struct Inner {
    node: Arc<Node>,
    shards: Shards,
    namespaces: CurrentNamespaces,
    connections: Follower,
    tls: Option<Arc<Tls>>,
    /// One reload at a time. Held while keys are fetched, so it is one that waits.
    turn: Mutex<()>,
}

impl Reloading {
    pub(super) fn new(
        node: Arc<Node>,
        shards: Shards,
        namespaces: CurrentNamespaces,
        connections: Follower,
        tls: Option<Arc<Tls>>,
    ) -> Self {
        Self(Arc::new(Inner {
            node,
            shards,
            namespaces,
            connections,
            tls,
            turn: Mutex::default(),
        }))
    }

    /// Counts a configuration that could not even be read. Answers what is wrong with it, in words.
    pub fn refuse(&self, error: &ConfigError) -> String {
        self.count(false);
        error.to_string()
    }

    /// Takes over what may change of a configuration that was checked. Answers what did, by name, and what will
    /// not before the next start.
    ///
    /// # Errors
    /// See [`ReloadError`]. Nothing has changed then.
    pub async fn take(&self, next: Config) -> Result<Reloaded, ReloadError> {
        let taken = self.try_take(next).await;
        self.count(taken.is_ok());
        taken
    }

    async fn try_take(&self, next: Config) -> Result<Reloaded, ReloadError> {
        let Inner { node, .. } = &*self.0;
        let _turn = self.0.turn.lock().await;
        let reloaded = {
            let current = node.current();
            current.config.followed_by(next)
        };
        let certificate = Certificate::read(&reloaded.config.http).map_err(ReloadError::Tls)?;
        let authentication = node.authenticator.prepare(&reloaded.config.auth).await;
        let authentication = authentication.map_err(ReloadError::Keys)?;

        let config = &reloaded.config;
        self.0.namespaces.store(Arc::new(config.namespaces.clone()));
        if let (Some(tls), Some(certificate)) = (&self.0.tls, certificate) {
            tls.show(certificate);
        }
        node.authenticator.go_on_with(authentication, &node.shutdown);
        node.accounts.follow_settings(config);
        node.replace(config.clone());
        self.0.shards.change_rules(shards::Settings {
            empty_channel_ms: config.limits.empty_channel_ms,
        });
        self.0.connections.follow();
        Ok(reloaded)
    }

    fn count(&self, taken: bool) {
        let meters = self.0.shards.meters();
        let counter = if taken {
            &meters.reloads
        } else {
            &meters.failed_reloads
        };
        counter.add(1);
    }
}
