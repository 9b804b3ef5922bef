//! What tokens are judged by, which a reload can change: keys, whom they must be from and for, and guests.

use std::sync::Arc;

use super::Authenticator;
use super::claims::Rules;
use super::key_source::KeySource;
use super::keys::Keys;
use crate::config::AuthConfig;
use crate::shutdown::Shutdown;

pub(super) struct Policy {
    pub(super) keys: Keys,
    pub(super) rules: Rules,
    pub(super) guests: bool,
}

impl Policy {
    pub(super) fn of(config: &AuthConfig, source: Option<Arc<KeySource>>) -> Self {
        Self {
            keys: Keys::of(config, source),
            rules: Rules {
                issuer: Some(config.issuer.clone()).filter(|issuer| !issuer.is_empty()),
                audience: Some(config.audience.clone()).filter(|audience| !audience.is_empty()),
                leeway_ms: config.leeway_s * 1_000,
            },
            guests: config.guests,
        }
    }
}

/// A policy whose keys are there already.
pub struct NewPolicy {
    policy: Policy,
    /// Whether its keys are of a place that nobody looks at yet.
    moved: bool,
}

impl Authenticator {
    /// Makes a policy of another configuration with the same secret, and reads its keys, whether or not they are
    /// from another place. Nothing follows it before [`Self::go_on_with`] but keys read anew from the same place.
    ///
    /// # Errors
    /// A sentence that says why a file of keys cannot be read. An address may be back in a moment: where it does not
    /// answer, the keys known from it stay.
    pub async fn prepare(&self, config: &AuthConfig) -> Result<NewPolicy, String> {
        let known = self.policy.load().keys.source().cloned();
        let known = known.filter(|source| source.is_of(config));
        let moved = known.is_none();
        let source = known.or_else(|| KeySource::of(config).map(Arc::new));
        if let Some(source) = &source {
            source.renew_or_wait().await?;
        }
        Ok(NewPolicy {
            policy: Policy::of(config, source),
            moved,
        })
    }

    /// Judges by another policy from now on.
    pub fn go_on_with(&self, NewPolicy { policy, moved }: NewPolicy, shutdown: &Shutdown) {
        if let (true, Some(source)) = (moved, policy.keys.source()) {
            source.keep_fresh(shutdown);
        }
        self.policy.store(Arc::new(policy));
    }
}
