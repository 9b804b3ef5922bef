//! The name of one login of a built-in account.

use std::sync::Arc;

/// One login: from the password to the logout. Its access tokens name it in the claim `sid`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SessionId(Arc<str>);

impl SessionId {
    /// Wraps the text that a token or the store holds.
    #[must_use]
    pub fn new(id: &str) -> Self {
        Self(Arc::from(id))
    }

    /// A new one that nobody can foresee.
    #[must_use]
    pub fn mint() -> Self {
        Self(Arc::from(crate::random::text::<16>()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
