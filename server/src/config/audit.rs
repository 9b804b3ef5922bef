//! How long the record of administrative acts is kept (SPEC §8).

use serde::{Deserialize, Serialize};

/// The table `audit`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditConfig {
    /// Rows older than so many days are dropped; 0 keeps them for ever.
    pub keep_days: u64,
    /// Beyond so many rows some are dropped, those of refused requests first; 0 is no bound.
    pub rows: u64,
}

impl Default for AuditConfig {
    fn default() -> Self {
        Self {
            keep_days: 365,
            rows: 1_000_000,
        }
    }
}
