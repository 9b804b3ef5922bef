//! What the application should know about the host it runs in.

/// Storage cannot be used as it should. Told once per client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Warning {
    /// For programs: `storage_unavailable`, `storage_full`, `storage_corrupt` or `not_shared`.
    pub code: &'static str,
    /// For people.
    pub message: &'static str,
}
