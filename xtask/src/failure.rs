//! What a command says when it cannot go on.

use std::fmt;

/// A sentence for a person: what happened, why, and what to do about it.
#[derive(Debug)]
pub(crate) struct Failure(String);

impl Failure {
    pub(crate) fn new(sentence: impl Into<String>) -> Self {
        Self(sentence.into())
    }

    /// A failure whose sentences were printed already.
    pub(crate) fn told() -> Self {
        Self(String::new())
    }

    pub(crate) fn is_told(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Names the file or folder an input/output error is about; the error alone does not.
pub(crate) trait Naming<T> {
    fn naming(self, what: impl fmt::Display) -> Result<T, Failure>;
}

impl<T> Naming<T> for std::io::Result<T> {
    fn naming(self, what: impl fmt::Display) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(format!("{what}: {error}")))
    }
}
