//! What there is of a user goes out of messages, in an open transaction.

use bmt_shared::channel::ChannelName;
use rusqlite::{Connection, OptionalExtension};

use super::amending::rewrite;
use super::reads::{ReadError, entry, select};
use super::rows::find_row;
use crate::history::Erasure;

/// Rewrites the messages; answers how many were changed.
pub(super) fn erase(transaction: &Connection, erasure: &Erasure) -> rusqlite::Result<u64> {
    let Erasure {
        traced,
        topic,
        seqs,
        now_ms,
    } = erasure;
    let Some(row) = find_row(transaction, topic)? else {
        return Ok(0);
    };
    let mut changed = 0;
    for seq in seqs {
        let found = transaction
            .prepare_cached(concat!(select!(), " WHERE place = ?1"))?
            .query_row([row.places(*seq, *seq).0], |found| read(topic, found))
            .optional()?;
        if let Some(left) = found.and_then(|found| traced.left_of(&found, *now_ms)) {
            rewrite(transaction, &row, &left)?;
            changed += 1;
        }
    }
    Ok(changed)
}

fn read(topic: &ChannelName, row: &rusqlite::Row<'_>) -> rusqlite::Result<bmt_server_core::channel::Entry> {
    entry(topic, row).map_err(ReadError::into_sqlite)
}
