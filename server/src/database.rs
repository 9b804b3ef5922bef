//! The small databases beside the messages: one file each, opened and brought up to date the same way, written by one
//! thread each.
//!
//! Write-ahead log, `synchronous=FULL`: what was committed is on the disk. The messages have a store of their own
//! (`history::sqlite`): it commits in groups and knows what it has confirmed.

mod open_error;
mod schema;
mod worker;

pub use open_error::OpenError;

pub(crate) use open_error::Why;
pub(crate) use schema::{Schema, open_reader};
pub(crate) use worker::Worker;

/// SQLite's integers are signed; a time in ms and a count are far from the end of either.
pub(crate) fn to_sql(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The other way round.
pub(crate) fn from_sql(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
