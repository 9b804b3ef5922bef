//! What a client tells of itself when it connects, its credential apart: the query, its own name, the rest of
//! `auth`. It is kept as long as the session is, so it is bounded (SPEC §10).

use bmt_shared::error::{ErrorCode, Failure};

/// Whether `bytes` are not more than `most`; 0 is no limit. `what` names where they stand.
///
/// # Errors
/// `invalid_message`.
pub(super) fn admit(what: &str, bytes: usize, most: usize) -> Result<(), Failure> {
    if most == 0 || bytes <= most {
        return Ok(());
    }
    Err(Failure::new(
        ErrorCode::InvalidMessage,
        format!(
            "{what} has {bytes} bytes beside the token and may have {most} (`limits.metadata_bytes`); send what \
             is longer as a message"
        ),
    ))
}
