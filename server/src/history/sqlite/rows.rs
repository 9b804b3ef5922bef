//! What one transaction of the writer changes: messages, keys, the channels' numbering, and what is trimmed.

use std::collections::HashMap;
use std::sync::Arc;

use bmt_server_core::channel::{Appended, Draft, Entry, Fingerprint, READERS, ReadMark, Retention};
use bmt_shared::channel::ChannelName;
use bmt_shared::error::{ErrorCode, Failure};
use bmt_shared::id::ServerMessageId;
use bmt_shared::message::Priority;
use bmt_shared::position::{Epoch, Seq};
use bytes::Bytes;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, params};
use tracing::error;

use super::place::place;
use super::reads::{ReadError, first_young};
use super::row::Row;
use super::{amending, sums};
use crate::history::{Append, mint};

/// Channels whose row the writer remembers; beyond that it forgets all and reads them again.
const REMEMBERED_CHANNELS: usize = 50_000;
/// Most messages trimmed from one channel in one transaction: trimming never makes an ack wait noticeably.
const TRIMMED_AT_ONCE: u64 = 1_024;
/// Messages of a channel that are looked at for their age at once.
const AGED_AT_ONCE: u64 = 256;
/// A channel's messages are looked at for their age this often, ms.
const AGING_MS: u64 = 10_000;
/// Keys that are forgotten in one transaction.
const FORGOTTEN_AT_ONCE: usize = 1_024;

/// What becomes of an append when its transaction is committed.
pub(super) enum Fate {
    Stored {
        seq: Seq,
        epoch: Epoch,
        amended: Vec<Arc<Entry>>,
    },
    Known(Appended),
}

impl Fate {
    pub(super) fn of(self, draft: Draft) -> Appended {
        match self {
            Self::Stored { seq, epoch, amended } => Appended::Stored {
                entry: draft.numbered(seq).into(),
                epoch,
                amended,
            },
            Self::Known(appended) => appended,
        }
    }
}

/// The channels' rows that the writer knows without asking.
#[derive(Default)]
pub(super) struct Rows {
    known: HashMap<ChannelName, Row>,
}

impl Rows {
    /// Appends to an open transaction.
    pub(super) fn append(
        &mut self,
        transaction: &Connection,
        append: &Append,
        window_ms: u64,
    ) -> rusqlite::Result<Fate> {
        let Append { draft, retention } = append;
        let mut row = match self.row(transaction, &draft.topic) {
            Ok(row) => row,
            Err(ReadError::Sqlite(error)) => return Err(error),
            Err(ReadError::Damaged(what)) => return Ok(Fate::Known(Appended::Refused(damaged(&what)))),
        };
        if let Some(known) = find_key(transaction, row.id(), draft)? {
            return Ok(Fate::Known(known));
        }
        let amended = match amending::amend(transaction, &row, draft, *retention)? {
            Ok(amended) => amended,
            Err(refused) => return Ok(Fate::Known(Appended::Refused(refused))),
        };
        row.top += 1;
        insert_key(transaction, &row, draft, window_ms)?;
        insert_message(transaction, &row, draft)?;
        trim(transaction, &draft.topic, &mut row, *retention, draft.timestamp)?;
        if row.top == 1 {
            row.created_ms = Some(draft.timestamp);
        }
        row.keep(transaction, &draft.topic)?;
        let fate = Fate::Stored {
            seq: row.top,
            epoch: row.epoch.clone(),
            amended,
        };
        self.known.insert(draft.topic.clone(), row);
        Ok(fate)
    }

    /// Keeps a read position in an open transaction.
    pub(super) fn mark(&mut self, transaction: &Connection, mark: &ReadMark) -> rusqlite::Result<()> {
        let row = match self.row(transaction, &mark.topic) {
            Ok(row) => row,
            Err(ReadError::Sqlite(error)) => return Err(error),
            // It shares the fate of a batch that has nothing to do with it; the log has it.
            Err(ReadError::Damaged(what)) => {
                damaged(&what);
                return Ok(());
            }
        };
        transaction
            .prepare_cached(
                "INSERT INTO reads VALUES (?1, ?2, ?3)
                 ON CONFLICT (channel, user) DO UPDATE SET seq = max(seq, excluded.seq)",
            )?
            .execute(params![row.id(), mark.user.as_str(), mark.seq.cast_signed()])?;
        self.known.insert(mark.topic.clone(), row);
        Ok(())
    }

    /// Forgets everything: the transaction is undone, or nobody knows.
    pub(super) fn forget(&mut self) {
        self.known.clear();
    }

    /// Forgets a channel that is no longer active.
    pub(super) fn release(&mut self, topic: &ChannelName) {
        self.known.remove(topic);
    }

    fn row(&mut self, transaction: &Connection, topic: &ChannelName) -> Result<Row, ReadError> {
        if let Some(row) = self.known.get(topic) {
            return Ok(row.clone());
        }
        if self.known.len() >= REMEMBERED_CHANNELS {
            self.known.clear();
        }
        match Row::find(transaction, topic)? {
            Some(row) => Ok(row),
            None => Ok(Row::insert(transaction, topic)?),
        }
    }
}

/// Lets a channel's messages go that are too old, also where nobody publishes any more.
pub(super) fn trim_by_age(
    transaction: &Connection,
    topic: &ChannelName,
    retention: Retention,
    now_ms: u64,
) -> rusqlite::Result<()> {
    let mut row = match Row::find(transaction, topic) {
        Ok(Some(row)) => row,
        Ok(None) => return Ok(()),
        Err(ReadError::Sqlite(error)) => return Err(error),
        // Nobody is kept waiting by it; whoever uses the channel is told.
        Err(ReadError::Damaged(what)) => {
            damaged(&what);
            return Ok(());
        }
    };
    trim(transaction, topic, &mut row, retention, now_ms)?;
    row.keep(transaction, topic)
}

/// What a publisher is told where what is stored cannot be trusted. Others in the same commit are not concerned.
pub(super) fn damaged(what: &str) -> Failure {
    let incident = mint::incident();
    error!(%incident, what, "the message database is damaged; what is damaged is not served");
    Failure::new(
        ErrorCode::ServerError,
        format!(
            "what is stored here is damaged, and nothing is built on it (incident {incident}); whoever runs the \
             server finds the place with `bmt-server check-store`"
        ),
    )
}

/// Lets go the lowest read positions of a channel, where there are more than a channel keeps.
pub(super) fn trim_reads(transaction: &Connection, channel: i64) -> rusqlite::Result<()> {
    let kept = i64::try_from(READERS).expect("some thousands");
    transaction
        .prepare_cached(
            "DELETE FROM reads WHERE channel = ?1 AND user IN (
                SELECT user FROM reads WHERE channel = ?1 ORDER BY seq DESC, user LIMIT -1 OFFSET ?2)",
        )?
        .execute([channel, kept])
        .map(|_| ())
}

/// Forgets keys whose window is over; answers whether there may be more.
pub(super) fn forget_keys(transaction: &Connection, now_ms: u64) -> rusqlite::Result<bool> {
    let limit = i64::try_from(FORGOTTEN_AT_ONCE).expect("a few");
    let forgotten = transaction
        .prepare_cached(
            "DELETE FROM keys WHERE (sender, channel, key) IN (
                SELECT sender, channel, key FROM keys WHERE forgotten_at <= ?1 LIMIT ?2)",
        )?
        .execute([now_ms.cast_signed(), limit])?;
    Ok(forgotten == FORGOTTEN_AT_ONCE)
}

fn find_key(transaction: &Connection, channel: i64, draft: &Draft) -> rusqlite::Result<Option<Appended>> {
    transaction
        .prepare_cached(
            "SELECT fingerprint, id, seq FROM keys
             WHERE sender = ?1 AND channel = ?2 AND key = ?3 AND forgotten_at > ?4",
        )?
        .query_row(
            params![
                draft.from.as_str(),
                channel,
                draft.key.as_str(),
                draft.timestamp.cast_signed()
            ],
            |row| {
                if Fingerprint::from_bytes(row.get(0)?) != draft.fingerprint {
                    return Ok(Appended::Conflict);
                }
                Ok(Appended::Duplicate {
                    id: ServerMessageId::new(row.get_ref(1)?.as_str()?),
                    seq: row.get::<_, i64>(2)?.cast_unsigned(),
                })
            },
        )
        .optional()
}

fn insert_key(transaction: &Connection, row: &Row, draft: &Draft, window_ms: u64) -> rusqlite::Result<()> {
    // A key whose window is over may still lie there.
    transaction
        .prepare_cached("INSERT OR REPLACE INTO keys VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?
        .execute(params![
            draft.from.as_str(),
            row.id(),
            draft.key.as_str(),
            draft.fingerprint.bytes(),
            draft.id.as_str(),
            row.top.cast_signed(),
            draft.timestamp.saturating_add(window_ms).cast_signed(),
        ])
        .map(|_| ())
}

fn insert_message(transaction: &Connection, row: &Row, draft: &Draft) -> rusqlite::Result<()> {
    let attachments = join_attachments(draft.payload.attachments());
    let amends = draft.amendment.as_ref().map(|made| made.amends.to_string());
    let expires = draft
        .expires_at_ms
        .map(|at| i64::try_from(at).unwrap_or(i64::MAX));
    sums::write(
        transaction,
        "INSERT INTO messages (place, id, sender, key, payload, attachments, priority, timestamp, expires_at,
             amends, edited, deleted, reactions, sum)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        &[
            ValueRef::Integer(place(row.id(), row.top)),
            ValueRef::Text(draft.id.as_str().as_bytes()),
            ValueRef::Text(draft.from.as_str().as_bytes()),
            ValueRef::Text(draft.key.as_str().as_bytes()),
            ValueRef::Text(draft.payload.json().as_bytes()),
            attachments.as_deref().map_or(ValueRef::Null, ValueRef::Blob),
            ValueRef::Integer(priority_number(draft.priority)),
            ValueRef::Integer(draft.timestamp.cast_signed()),
            expires.map_or(ValueRef::Null, ValueRef::Integer),
            amends
                .as_ref()
                .map_or(ValueRef::Null, |amends| ValueRef::Text(amends.as_bytes())),
            ValueRef::Null,
            ValueRef::Integer(0),
            ValueRef::Null,
        ],
    )
}

/// Lets go of what is no longer kept, now and then and a piece at a time: the limits are exact for readers, who
/// judge by the numbers, and the disk follows.
fn trim(
    transaction: &Connection,
    topic: &ChannelName,
    row: &mut Row,
    retention: Retention,
    now_ms: u64,
) -> rusqlite::Result<()> {
    let by_size = retention.oldest_by_size(row.top).max(row.oldest);
    let surplus = by_size - row.oldest;
    let slack = retention
        .messages
        .map_or(0, |size| (size / 8).min(TRIMMED_AT_ONCE / 2));
    let mut oldest = row.oldest;
    if surplus > slack {
        oldest += surplus.min(TRIMMED_AT_ONCE);
    }
    if retention.ttl_ms > 0 && row.aged_at_ms + AGING_MS <= now_ms {
        row.aged_at_ms = now_ms;
        let through = row.top.min(row.oldest + AGED_AT_ONCE - 1);
        let looked_at = (row.oldest, through);
        match first_young(
            transaction,
            topic,
            row,
            looked_at,
            retention.expired_until_ms(now_ms),
        ) {
            Ok(young) => oldest = oldest.max(young),
            Err(ReadError::Sqlite(error)) => return Err(error),
            // Nothing goes by a time that cannot be trusted.
            Err(ReadError::Damaged(what)) => drop(damaged(&what)),
        }
    }
    if oldest > row.oldest {
        let (from, below) = row.places(row.oldest, oldest);
        transaction
            .prepare_cached("DELETE FROM messages WHERE place >= ?1 AND place < ?2")?
            .execute([from, below])?;
        row.oldest = oldest;
    }
    Ok(())
}

fn priority_number(priority: Priority) -> i64 {
    match priority {
        Priority::Low => -1,
        Priority::Normal => 0,
        Priority::High => 1,
    }
}

pub(super) fn priority_of(number: i64) -> Priority {
    match number {
        ..0 => Priority::Low,
        0 => Priority::Normal,
        1.. => Priority::High,
    }
}

/// Binary parts one behind the other, each with its length in front (4 bytes, little-endian); nothing for none.
pub(super) fn join_attachments(attachments: &[Bytes]) -> Option<Vec<u8>> {
    if attachments.is_empty() {
        return None;
    }
    let mut joined = Vec::with_capacity(attachments.iter().map(|part| part.len() + 4).sum());
    for part in attachments {
        let length = u32::try_from(part.len()).expect("a payload is far below 4 GiB");
        joined.extend_from_slice(&length.to_le_bytes());
        joined.extend_from_slice(part);
    }
    Some(joined)
}

/// Takes apart what [`join_attachments`] joined; `None` where it is something else.
pub(super) fn split_attachments(mut joined: &[u8]) -> Option<Vec<Bytes>> {
    let mut parts = Vec::new();
    while !joined.is_empty() {
        let (length, rest) = joined.split_first_chunk()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let (part, rest) = rest.split_at_checked(length)?;
        parts.push(Bytes::copy_from_slice(part));
        joined = rest;
    }
    Some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attachments_come_apart_as_they_were_joined() {
        let parts = [&b"abc"[..], b"", b"\0\xff"].map(Bytes::copy_from_slice);
        let joined = join_attachments(&parts).unwrap();
        assert_eq!(split_attachments(&joined).unwrap(), parts);
        assert_eq!(join_attachments(&[]), None);
        assert_eq!(split_attachments(&joined[..joined.len() - 1]), None);
    }
}
