//! Names that must not repeat: of numberings and of incidents.

use std::sync::Arc;

use bmt_shared::position::Epoch;

use crate::random;

/// A numbering that was never used before.
pub(super) fn epoch() -> Epoch {
    Epoch::new(&random_hex())
}

/// What a failure is called in a reply and in the log.
pub(super) fn incident() -> Arc<str> {
    random_hex().into()
}

fn random_hex() -> String {
    format!("{:016x}", u64::from_le_bytes(random::bytes()))
}
