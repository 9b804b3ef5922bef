//! Amendments in an open transaction: the target is found, judged and rewritten together with the append.

use std::sync::Arc;

use bmt_server_core::channel::{Amends, Draft, EDITS, Entry, Retention, emptied};
use bmt_shared::error::Failure;
use bmt_shared::payload::Payload;
use bmt_shared::position::Seq;
use rusqlite::{Connection, ToSql, params};

use super::place::place;
use super::reads::{ReadError, entry, select};
use super::row::Row;
use super::rows::{damaged, join_attachments};
use super::sums;

/// Changes the messages that a draft amends; answers their new forms, or why it cannot.
pub(super) fn amend(
    transaction: &Connection,
    row: &Row,
    draft: &Draft,
    retention: Retention,
) -> rusqlite::Result<Result<Vec<Arc<Entry>>, Failure>> {
    let Some(amendment) = &draft.amendment else {
        return Ok(Ok(Vec::new()));
    };
    let oldest = row.oldest().max(retention.oldest_by_size(row.top));
    let seqs = (oldest, row.top);
    let target = &amendment.amends.target;
    let by_id = concat!(select!(), " WHERE id = ?1 AND place BETWEEN ?2 AND ?3 LIMIT ?4");
    let too_old = retention.expired_until_ms(draft.timestamp);
    let found = match find(transaction, by_id, (&target.as_str(), 1), draft, row, seqs) {
        Ok(mut found) => found.pop(),
        Err(error) => return refuse(error),
    };
    let found = found.filter(|found| too_old == 0 || found.message.timestamp > too_old);
    let Some(found) = found else {
        return Ok(Err(amendment.gone()));
    };
    let changed = match amendment.apply(draft, &found) {
        Ok(changed) => changed,
        Err(refused) => return Ok(Err(refused)),
    };
    let by_target = concat!(
        select!(),
        " WHERE amends = ?1 AND place BETWEEN ?2 AND ?3 LIMIT ?4"
    );
    let edit = Amends::edit_of(target).to_string();
    let edits = match find(transaction, by_target, (&edit, EDITS), draft, row, seqs) {
        Ok(edits) => edits,
        Err(error) => return refuse(error),
    };
    if let Err(refused) = amendment.admit(edits.len()) {
        return Ok(Err(refused));
    }
    let mut amended = vec![Arc::new(changed)];
    if amendment.empties_edits() {
        amended.extend(edits.iter().map(|edit| emptied(edit, draft.timestamp).into()));
    }
    for entry in &amended {
        rewrite(transaction, row, entry)?;
    }
    Ok(Ok(amended))
}

/// Damage refuses the one who met it; a failing database, everybody in the commit.
fn refuse<T>(error: ReadError) -> rusqlite::Result<Result<T, Failure>> {
    match error {
        ReadError::Sqlite(error) => Err(error),
        ReadError::Damaged(what) => Ok(Err(damaged(&what))),
    }
}

/// Messages of the channel by what is asked of them, at most so many.
fn find(
    transaction: &Connection,
    sql: &str,
    (key, most): (&dyn ToSql, usize),
    draft: &Draft,
    row: &Row,
    (from, through): (Seq, Seq),
) -> Result<Vec<Entry>, ReadError> {
    let (from, through) = row.places(from, through);
    let most = i64::try_from(most).expect("a few");
    let mut statement = transaction.prepare_cached(sql)?;
    let mut rows = statement.query(params![key, from, through, most])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(entry(&draft.topic, row)?);
    }
    Ok(found)
}

pub(super) fn rewrite(transaction: &Connection, row: &Row, entry: &Entry) -> rusqlite::Result<()> {
    let message = &entry.message;
    let payload: &Payload = &message.payload;
    let mut reactions = String::new();
    message.reactions.write_json(&mut reactions);
    transaction
        .prepare_cached(
            "UPDATE messages SET payload = ?2, attachments = ?3, edited = ?4, deleted = ?5, reactions = ?6
             WHERE place = ?1",
        )?
        .execute(params![
            place(row.id(), message.seq),
            payload.json(),
            join_attachments(payload.attachments()),
            message.edited.map(u64::cast_signed),
            message.deleted,
            (!message.reactions.is_empty()).then_some(reactions),
        ])?;
    sums::renew(transaction, place(row.id(), message.seq))
}
