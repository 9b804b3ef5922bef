//! Keys of others that change while the server runs.

use std::sync::Arc;

use bmt_shared::error::AuthReason;

use super::key_source::KeySource;
use super::keys::Unverified;
use super::{Authenticator, Identity, TOKEN_BYTES, strip_bearer};
use crate::shutdown::Shutdown;

impl Authenticator {
    /// As [`Self::authenticate`], but a token that names a key which is not known makes the keys be read anew
    /// first: the first token after a rotation is as good as the next. Waits some seconds at most.
    ///
    /// # Errors
    /// As [`Self::authenticate`].
    pub async fn admit(&self, token: Option<&str>, now_ms: u64) -> Result<Identity, AuthReason> {
        if token.is_some_and(|token| self.wants_newer_keys(token)) {
            self.find_newer_keys().await;
        }
        self.authenticate(token, now_ms)
    }

    /// Whether this token names a key that is not known and may be by now.
    #[must_use]
    pub fn wants_newer_keys(&self, token: &str) -> bool {
        let token = strip_bearer(token);
        let policy = self.policy.load();
        policy.keys.source().is_some()
            && token.len() <= TOKEN_BYTES
            && matches!(policy.keys.verify(token), Err(Unverified::UnknownKey))
    }

    /// Whether nobody can say today if this token holds: it names a key of others, and their keys could never be
    /// read. Its bearer is to come again, and must not be told that the token is bad: official clients then stay
    /// away for good.
    #[must_use]
    pub fn cannot_judge(&self, token: Option<&str>) -> bool {
        let no_keys = self.source().is_some_and(|source| source.keys().lacks(None));
        no_keys && token.is_some_and(|token| self.wants_newer_keys(token))
    }

    /// Reads the keys of others anew, if that was not done a moment ago.
    pub async fn find_newer_keys(&self) {
        if let Some(source) = self.source() {
            source.renew_for_unknown_key().await;
        }
    }

    /// Reads the keys of others now. Those that are known stay where that fails.
    ///
    /// # Errors
    /// A sentence that says why they could not be read.
    pub async fn reload_keys(&self) -> Result<(), String> {
        match self.source() {
            Some(source) => source.renew().await,
            None => Ok(()),
        }
    }

    /// Reads the keys of others and keeps them fresh until the end begins.
    ///
    /// # Errors
    /// For a file that cannot be read: that is a slip of the operator. An address that cannot be reached may be
    /// there in a moment; it is asked again and again.
    pub async fn follow_keys(&self, shutdown: &Shutdown) -> Result<(), String> {
        let Some(source) = self.source() else {
            return Ok(());
        };
        source.renew_or_wait().await?;
        source.keep_fresh(shutdown);
        Ok(())
    }

    fn source(&self) -> Option<Arc<KeySource>> {
        self.policy.load().keys.source().cloned()
    }
}
