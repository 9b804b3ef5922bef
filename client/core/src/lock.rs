//! The lock under which tabs send the stored queue they share.

use crate::queue::Source;

/// How long entries of this page wait for a lock that another tab holds, ms. A frozen tab must not stop this
/// one; a message that both send is published once, by its id.
pub(crate) const LOCK_PATIENCE_MS: u64 = 5_000;

/// How the lock stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum Lock {
    /// Not needed, or not asked for yet.
    #[default]
    None,
    /// Asked for; from then on entries of this page go without it.
    Asked { patience_ends: u64 },
    /// Asked for, and waited for long enough.
    Overdue,
    /// Held.
    Held,
}

impl Lock {
    /// Whether an entry may be sent as the lock stands.
    pub(crate) fn allows(self, source: Source) -> bool {
        match (self, source) {
            // `None` with entries that need it means that tabs do not share the queue.
            (Self::None | Self::Held, _) | (_, Source::Fresh) | (Self::Overdue, Source::Kept) => true,
            (Self::Asked { .. }, _) | (Self::Overdue, Source::Restored) => false,
        }
    }
}
