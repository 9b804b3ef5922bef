//! Which channels there are, a page at a time: what is asked of a store, and what it answers.

/// Which channels are asked for, in the order of their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Only names that begin so.
    pub prefix: String,
    /// Only names with this somewhere in them, in lower case: upper and lower case are the same.
    pub containing: String,
    /// Only names behind this one.
    pub after: String,
    /// Most channels.
    pub limit: usize,
}

impl Listing {
    /// Whether a channel of this name is asked for.
    #[must_use]
    pub fn includes(&self, name: &str) -> bool {
        name.starts_with(&self.prefix)
            && name > self.after.as_str()
            && (self.containing.is_empty() || name.to_ascii_lowercase().contains(&self.containing))
    }
}

/// A channel that has had messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its name.
    pub name: String,
    /// Messages that are kept, as far as is known: by age some may be gone.
    pub messages: u64,
    /// The newest message's number.
    pub top: u64,
    /// When its first message came, ms since the Unix epoch.
    pub created_ms: Option<u64>,
}
