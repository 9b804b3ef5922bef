//! Names that must not repeat: of numberings and of incidents.

use std::sync::Arc;

use bmt_shared::position::Epoch;

/// A numbering that was never used before.
pub(super) fn epoch() -> Epoch {
    Epoch::new(&random_hex())
}

/// What a failure is called in a reply and in the log.
pub(super) fn incident() -> Arc<str> {
    random_hex().into()
}

fn random_hex() -> String {
    let random = getrandom::u64().expect("the operating system gives random bytes");
    format!("{random:016x}")
}
