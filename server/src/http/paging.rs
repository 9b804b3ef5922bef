//! Pages of lists. Each answer names the next page in `nextCursor`; whoever asks again with it as `cursor` goes on
//! behind the last entry, whatever came or went meanwhile. What a cursor is made of is nobody's business.

use bmt_shared::error::ErrorCode;

use super::Refusal;

/// Entries of a page where nothing is said.
pub(super) const PAGE: usize = 100;
/// Most entries of a page.
pub(super) const PAGE_MAX: usize = 1_000;

/// How many entries are wanted.
///
/// # Errors
/// Where it is none, or more than `most`.
pub(super) fn limit(asked: Option<usize>, usual: usize, most: usize) -> Result<usize, Refusal> {
    let limit = asked.unwrap_or(usual);
    if (1..=most).contains(&limit) {
        return Ok(limit);
    }
    Err(Refusal::new(
        ErrorCode::InvalidMessage,
        format!("`limit` must be 1 to {most}."),
    ))
}

/// A cursor that is no answer of ours.
pub(super) fn unknown() -> Refusal {
    Refusal::new(
        ErrorCode::InvalidMessage,
        "`cursor` is not what an answer named as `nextCursor`. Begin again without it.",
    )
}

/// Takes what is beyond `limit` off a list that was asked for one entry more; names the next page, if there is one.
pub(super) fn cut<T>(entries: &mut Vec<T>, limit: usize, name: impl Fn(&T) -> String) -> Option<String> {
    let more = entries.len() > limit;
    entries.truncate(limit);
    entries.last().filter(|_| more).map(name)
}
