//! What there is of a user goes out of messages, in an open transaction.

use rusqlite::Connection;

use super::amending::rewrite;
use super::reads::{ReadError, entry, select};
use super::row::Row;
use super::rows::damaged;
use crate::history::Erasure;

/// Rewrites the messages; answers how many were changed.
pub(super) fn erase(transaction: &Connection, erasure: &Erasure) -> rusqlite::Result<u64> {
    let Erasure {
        traced,
        topic,
        seqs,
        now_ms,
    } = erasure;
    let row = match Row::find(transaction, topic) {
        Ok(Some(row)) => row,
        Ok(None) => return Ok(0),
        Err(error) => return passed_over(error),
    };
    let mut changed = 0;
    for seq in seqs {
        let mut statement = transaction.prepare_cached(concat!(select!(), " WHERE place = ?1"))?;
        let mut rows = statement.query([row.places(*seq, *seq).0])?;
        let found = match rows.next()?.map(|found| entry(topic, found)).transpose() {
            Ok(found) => found,
            Err(error) => {
                passed_over(error)?;
                continue;
            }
        };
        drop(rows);
        if let Some(left) = found.and_then(|found| traced.left_of(&found, *now_ms)) {
            rewrite(transaction, &row, &left)?;
            changed += 1;
        }
    }
    Ok(changed)
}

/// What is damaged is served to nobody and stays as it is, in the log too; the others in the commit go on.
fn passed_over(error: ReadError) -> rusqlite::Result<u64> {
    match error {
        ReadError::Sqlite(error) => Err(error),
        ReadError::Damaged(what) => {
            damaged(&what);
            Ok(0)
        }
    }
}
