//! Where a reader stands in a channel: a seq within an epoch (SPEC §1).

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Number of a message in its channel: 1, 2, 3, … without gaps. 0 stands before the first message.
pub type Seq = u64;

/// Names one numbering of a channel; it changes if the numbering ever restarts.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(Arc<str>);

impl Epoch {
    /// Wraps an epoch read from the wire or from a store.
    #[must_use]
    pub fn new(epoch: &str) -> Self {
        Self(Arc::from(epoch))
    }

    /// The text as it stands on the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The last message a reader has: everything after it is missing to that reader.
///
/// A seq alone is not a position: after a store was lost the numbering begins again, and "message 7" would
/// name another message. The epoch tells the two numberings apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Seq of the last message the reader has; 0 if it has none.
    pub seq: Seq,
    /// The numbering that `seq` belongs to.
    pub epoch: Epoch,
}
