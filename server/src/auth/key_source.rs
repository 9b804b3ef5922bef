//! Where the public keys of others come from: one file or one address, named by the configuration and by nothing
//! else. No token can make this server fetch anything from anywhere (SPEC §2).

use std::path::PathBuf;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;
use tracing::{info, warn};

use super::fetch::{self, Fetcher};
use super::key_set::KeySet;
use crate::config::{AuthConfig, TokenAlgorithm};
use crate::shutdown::Shutdown;

/// How often keys are read anew: a key that its owner withdrew is believed no longer than this.
const RENEW_EVERY: Duration = Duration::from_secs(5 * 60);
/// How soon after a failure it is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(15);
/// Tokens naming a key that is not known ask for the keys at once, but not more often than this: anybody can make
/// such tokens.
const UNKNOWN_KEY_EVERY: Duration = Duration::from_secs(30);
/// How long keys are believed whose source cannot be reached. Longer than most failures; but who cannot be asked
/// cannot withdraw a stolen key either.
const STALE_LIMIT: Duration = Duration::from_secs(24 * 60 * 60);

enum Place {
    File(PathBuf),
    Address(Box<Fetcher>),
}

/// See the [module](self).
pub(super) struct KeySource {
    place: Place,
    /// `auth.jwks_file` and `auth.jwks_url`.
    named: (PathBuf, String),
    algorithms: Vec<TokenAlgorithm>,
    known: RwLock<Known>,
    /// One renewal at a time. Holds when an unknown key last asked for one.
    turn: Mutex<Option<Instant>>,
}

#[derive(Clone, Default)]
struct Known {
    keys: Arc<KeySet>,
    read_at: Option<Instant>,
}

impl KeySource {
    /// None where the configuration names none.
    pub(super) fn of(config: &AuthConfig) -> Option<Self> {
        let place = if !config.jwks_url.is_empty() {
            Place::Address(Box::new(Fetcher::new(&config.jwks_url)))
        } else if !config.jwks_file.as_os_str().is_empty() {
            Place::File(config.jwks_file.clone())
        } else {
            return None;
        };
        Some(Self {
            place,
            named: (config.jwks_file.clone(), config.jwks_url.clone()),
            algorithms: config.algorithms(),
            known: RwLock::default(),
            turn: Mutex::default(),
        })
    }

    /// Whether the configuration names just this one.
    pub(super) fn is_of(&self, config: &AuthConfig) -> bool {
        self.named == (config.jwks_file.clone(), config.jwks_url.clone())
            && self.algorithms == config.algorithms()
    }

    /// The keys that hold now; none where they could not be read for too long.
    pub(super) fn keys(&self) -> Arc<KeySet> {
        let known = self.known.read().expect("no panic while it is written");
        match known.read_at {
            Some(at) if at.elapsed() < STALE_LIMIT => known.keys.clone(),
            _ => Arc::default(),
        }
    }

    /// Reads the keys anew. Those that are known stay where that fails.
    pub(super) async fn renew(&self) -> Result<(), String> {
        let _turn = self.turn.lock().await;
        self.read().await
    }

    /// The same where an address that cannot be reached is no failure: it may be there in a moment.
    pub(super) async fn renew_or_wait(&self) -> Result<(), String> {
        match self.renew().await {
            Err(error) if self.is_remote() => {
                warn!(error, "the keys of tokens could not be read; it is tried again");
                Ok(())
            }
            result => result,
        }
    }

    /// Reads the keys anew because a token names one that is not known. Returns when that is done, or at once
    /// where it was done a moment ago.
    pub(super) async fn renew_for_unknown_key(&self) {
        let mut asked = self.turn.lock().await;
        if asked.is_some_and(|at| at.elapsed() < UNKNOWN_KEY_EVERY) {
            return;
        }
        *asked = Some(Instant::now());
        if let Err(error) = self.read().await {
            warn!(
                error,
                "a token names a key that is not known, and the keys could not be read"
            );
        }
    }

    /// Renews the keys from time to time until the end begins, or nobody holds this source any more.
    pub(super) fn keep_fresh(self: &Arc<Self>, shutdown: &Shutdown) {
        let (source, over) = (Arc::downgrade(self), shutdown.token());
        let mut pause = match self.keys().lacks(None) {
            true => RETRY_AFTER,
            false => RENEW_EVERY,
        };
        shutdown.spawn(async move {
            loop {
                tokio::select! {
                    () = over.cancelled() => return,
                    () = tokio::time::sleep(pause) => {}
                }
                let Some(source) = source.upgrade() else { return };
                pause = match source.renew().await {
                    Ok(()) => RENEW_EVERY,
                    Err(error) => {
                        warn!(
                            error,
                            "the keys of tokens could not be read; those that are known go on"
                        );
                        RETRY_AFTER
                    }
                };
            }
        });
    }

    async fn read(&self) -> Result<(), String> {
        let text = match &self.place {
            Place::File(path) => fetch::file(path).await?,
            Place::Address(fetcher) => fetcher.get().await?,
        };
        let keys = KeySet::parse(&text, &self.algorithms);
        let keys = keys.map_err(|error| format!("{}: {error}", self.name()))?;
        let mut known = self.known.write().expect("no panic while it is written");
        *known = Known {
            keys: Arc::new(keys),
            read_at: Some(Instant::now()),
        };
        info!(from = self.name(), "read the keys of tokens");
        Ok(())
    }

    /// Whether it can be there today and gone tomorrow: then a failure at the start is no mistake of the operator.
    fn is_remote(&self) -> bool {
        matches!(self.place, Place::Address(_))
    }

    fn name(&self) -> String {
        match &self.place {
            Place::File(path) => path.display().to_string(),
            Place::Address(fetcher) => fetcher.name(),
        }
    }
}
