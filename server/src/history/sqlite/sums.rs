//! A checksum of each message and of each channel's row: SQLite keeps none, and would serve a flipped byte as it is.
//!
//! A sum is over all columns with their types and lengths, so a value that moved into its neighbour is seen too.
//! CRC-32 finds every damage that lies within 32 bits, and all but one in four billion others. It is no secret:
//! who can write to the file can write its sums.

use crc32fast::Hasher;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, Row, params_from_iter};

use super::reads::select;
use super::row::select_channel;

/// Columns of a message, its row number first; the sum stands behind them.
pub(super) const MESSAGE: usize = 13;
/// Columns of a channel's row, its id first; the sum stands behind them.
pub(super) const CHANNEL: usize = 6;
/// Rows that are summed between two looks at the table.
const ROWS_AT_ONCE: i64 = 1_000;

/// The sum of a row that is about to be written.
pub(super) fn of<'a>(values: impl IntoIterator<Item = ValueRef<'a>>) -> i64 {
    let mut hasher = Hasher::new();
    for value in values {
        match value {
            ValueRef::Null => hasher.update(&[0]),
            ValueRef::Integer(number) => numbered(&mut hasher, 1, number.to_le_bytes()),
            ValueRef::Real(number) => numbered(&mut hasher, 2, number.to_le_bytes()),
            ValueRef::Text(bytes) => measured(&mut hasher, 3, bytes),
            ValueRef::Blob(bytes) => measured(&mut hasher, 4, bytes),
        }
    }
    i64::from(hasher.finalize())
}

fn numbered(hasher: &mut Hasher, kind: u8, number: [u8; 8]) {
    hasher.update(&[kind]);
    hasher.update(&number);
}

fn measured(hasher: &mut Hasher, kind: u8, bytes: &[u8]) {
    numbered(hasher, kind, (bytes.len() as u64).to_le_bytes());
    hasher.update(bytes);
}

/// The sum of the first columns of a row that was read.
fn of_row(row: &Row<'_>, columns: usize) -> rusqlite::Result<i64> {
    let values = (0..columns).map(|at| row.get_ref(at));
    values.collect::<rusqlite::Result<Vec<_>>>().map(of)
}

/// Whether a row that was read is as it was written; its sum stands behind its columns.
pub(super) fn is_sound(row: &Row<'_>, columns: usize) -> rusqlite::Result<bool> {
    // A sum that is no number any more is as good as a wrong one.
    let kept = row.get_ref(columns)?.as_i64().ok();
    Ok(kept == Some(of_row(row, columns)?))
}

/// Writes a row with its sum; the statement takes the values in their order and the sum behind them.
pub(super) fn write(transaction: &Connection, sql: &str, values: &[ValueRef<'_>]) -> rusqlite::Result<()> {
    let sum = ValueRef::Integer(of(values.iter().copied()));
    let bound = values.iter().copied().chain([sum]).map(ToSqlOutput::Borrowed);
    transaction
        .prepare_cached(sql)?
        .execute(params_from_iter(bound))
        .map(|_| ())
}

/// Sums a message anew of which columns were changed. It must have been sound before.
pub(super) fn renew(transaction: &Connection, place: i64) -> rusqlite::Result<()> {
    let sum = transaction
        .prepare_cached(concat!(select!(), " WHERE place = ?1"))?
        .query_row([place], |row| of_row(row, MESSAGE))?;
    transaction
        .prepare_cached("UPDATE messages SET sum = ?2 WHERE place = ?1")?
        .execute([place, sum])
        .map(|_| ())
}

/// Sums all messages: what is there when the sums are introduced is taken as it is.
pub(super) fn renew_messages(transaction: &Connection) -> rusqlite::Result<()> {
    renew_all(
        transaction,
        concat!(select!(), " WHERE place > ?1 ORDER BY place LIMIT ?2"),
        "UPDATE messages SET sum = ?2 WHERE place = ?1",
        MESSAGE,
    )
}

/// Sums all channels' rows, of which columns were changed. They must have been sound before.
pub(super) fn renew_channels(transaction: &Connection) -> rusqlite::Result<()> {
    renew_all(
        transaction,
        concat!(select_channel!(), " WHERE id > ?1 ORDER BY id LIMIT ?2"),
        "UPDATE channels SET sum = ?2 WHERE id = ?1",
        CHANNEL,
    )
}

fn renew_all(transaction: &Connection, select: &str, update: &str, columns: usize) -> rusqlite::Result<()> {
    let mut behind = -1;
    loop {
        let mut some = transaction.prepare_cached(select)?;
        let some = some.query_map([behind, ROWS_AT_ONCE], |row| {
            Ok((row.get::<_, i64>(0)?, of_row(row, columns)?))
        })?;
        let some = some.collect::<rusqlite::Result<Vec<_>>>()?;
        let Some((last, _)) = some.last() else {
            return Ok(());
        };
        behind = *last;
        let mut update = transaction.prepare_cached(update)?;
        for (number, sum) in some {
            update.execute([number, sum])?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_tells_values_apart_that_read_alike() {
        let rows: [&[ValueRef<'_>]; 7] = [
            &[ValueRef::Text(b"ab"), ValueRef::Text(b"c")],
            &[ValueRef::Text(b"a"), ValueRef::Text(b"bc")],
            &[ValueRef::Text(b"abc"), ValueRef::Null],
            &[ValueRef::Null, ValueRef::Text(b"abc")],
            &[ValueRef::Blob(b"abc"), ValueRef::Null],
            &[ValueRef::Integer(0), ValueRef::Null],
            &[ValueRef::Null, ValueRef::Integer(0)],
        ];
        let sums: std::collections::BTreeSet<i64> = rows.iter().map(|row| of(row.iter().copied())).collect();
        assert_eq!(sums.len(), rows.len());
    }
}
