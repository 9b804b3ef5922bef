//! Questions to the database, each answered from one snapshot.

use std::fmt;
use std::sync::Arc;

use bmt_server_core::channel::{Amends, Entry, Opened, Page, READERS, Range, Read, Retention, TAIL_BYTES};
use bmt_shared::channel::ChannelName;
use bmt_shared::id::{MessageId, ServerMessageId, UserId};
use bmt_shared::message::{Message, MessageKind, Reactions};
use bmt_shared::payload::Payload;
use bmt_shared::position::{Epoch, Seq};
use rusqlite::{Connection, OptionalExtension};

use super::place::seq_of;
use super::row::Row;
use super::rows::{priority_of, split_attachments};
use super::{schema, sums};

/// The beginning of a question for messages, with the columns that [`entry`] reads and their sum.
macro_rules! select {
    () => {
        "SELECT place, id, sender, key, payload, attachments, priority, timestamp, expires_at,
             amends, edited, deleted, reactions, sum FROM messages"
    };
}
pub(super) use select;

/// Messages read for the tail of a channel that becomes active: a first page and a usual reconnect, and not so
/// many that a restart with thousands of channels reads the whole disk.
const OPENED_MESSAGES: usize = 128;

/// Why a question was not answered.
#[derive(Debug)]
pub(super) enum ReadError {
    Sqlite(rusqlite::Error),
    /// The rows contradict each other.
    Damaged(String),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(error) => error.fmt(f),
            Self::Damaged(what) => write!(f, "the database is damaged: {what}"),
        }
    }
}

impl From<rusqlite::Error> for ReadError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

/// What a channel needs to become active.
pub(super) fn open(
    connection: &Connection,
    topic: &ChannelName,
    retention: Retention,
    now_ms: u64,
) -> Result<Opened, ReadError> {
    let snapshot = connection.unchecked_transaction()?;
    let Some(row) = Row::find(&snapshot, topic)? else {
        return Ok(Opened {
            epoch: Epoch::new(&schema::epoch(&snapshot)?),
            top: 0,
            oldest: 1,
            newest: Vec::new(),
            readers: Vec::new(),
            created_ms: None,
        });
    };
    let oldest = oldest_kept(&snapshot, topic, &row, retention, now_ms)?;
    let bounds = Bounds {
        messages: OPENED_MESSAGES,
        bytes: TAIL_BYTES,
        // The tail has no holes, so that it can tell what is missing: who reads from it looks at the ttl.
        now_ms: 0,
    };
    let (newest, _) = run(&snapshot, topic, &row, (oldest, row.top), true, &bounds)?;
    let readers = readers(&snapshot, &row)?;
    Ok(Opened {
        epoch: row.epoch,
        top: row.top,
        oldest,
        newest,
        readers,
        created_ms: row.created_ms,
    })
}

/// Up to where which user has read.
fn readers(snapshot: &Connection, row: &Row) -> Result<Vec<(UserId, Seq)>, ReadError> {
    let kept = i64::try_from(READERS).expect("some thousands");
    let mut statement = snapshot
        .prepare_cached("SELECT user, seq FROM reads WHERE channel = ?1 ORDER BY seq DESC, user LIMIT ?2")?;
    let mut rows = statement.query([row.id(), kept])?;
    let mut readers = Vec::new();
    while let Some(found) = rows.next()? {
        let user = found.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
        readers.push((UserId::new(user), found.get::<_, i64>(1)?.cast_unsigned()));
    }
    Ok(readers)
}

/// A run of messages.
pub(super) fn read(connection: &Connection, read: &Read) -> Result<Page, ReadError> {
    let snapshot = connection.unchecked_transaction()?;
    let Some(row) = Row::find(&snapshot, &read.topic)? else {
        return Ok(Page {
            epoch: Epoch::new(&schema::epoch(&snapshot)?),
            oldest: 1,
            entries: Vec::new(),
            more: false,
        });
    };
    let oldest = oldest_kept(&snapshot, &read.topic, &row, read.retention, read.now_ms)?;
    let bounds = Bounds {
        messages: read.messages,
        bytes: read.bytes,
        now_ms: read.now_ms,
    };
    let (seqs, newest_first) = match read.range {
        Range::Up { after, through } => ((oldest.max(after.saturating_add(1)), row.top.min(through)), false),
        Range::Down { below } => ((oldest, row.top.min(below.saturating_sub(1))), true),
    };
    let (entries, more) = run(&snapshot, &read.topic, &row, seqs, newest_first, &bounds)?;
    Ok(Page {
        epoch: row.epoch,
        oldest,
        entries,
        more,
    })
}

struct Bounds {
    messages: usize,
    bytes: usize,
    /// Messages whose own ttl is over by then are left out.
    now_ms: u64,
}

/// Reads from one seq through another, at most what the bounds let; ascending, and whether there is more.
fn run(
    snapshot: &Connection,
    topic: &ChannelName,
    row: &Row,
    (from, through): (Seq, Seq),
    newest_first: bool,
    bounds: &Bounds,
) -> Result<(Vec<Arc<Entry>>, bool), ReadError> {
    if from > through {
        return Ok((Vec::new(), false));
    }
    let mut statement = snapshot.prepare_cached(if newest_first {
        concat!(select!(), " WHERE place BETWEEN ?1 AND ?2 ORDER BY place DESC")
    } else {
        concat!(select!(), " WHERE place BETWEEN ?1 AND ?2 ORDER BY place")
    })?;
    let mut rows = statement.query(<[i64; 2]>::from(row.places(from, through)))?;
    let mut expected = if newest_first { through } else { from };
    let mut left = through - from + 1;
    let (mut entries, mut bytes, mut more) = (Vec::new(), 0, false);
    while left > 0 {
        let Some(found) = rows.next()? else {
            return Err(ReadError::Damaged(format!("{topic} has no message {expected}")));
        };
        let entry = entry(topic, found)?;
        if entry.seq() != expected {
            return Err(ReadError::Damaged(format!("{topic} has no message {expected}")));
        }
        // Below the first seq there is nothing to expect.
        expected = if newest_first {
            expected.saturating_sub(1)
        } else {
            expected + 1
        };
        left -= 1;
        if entry.is_expired(bounds.now_ms) {
            continue;
        }
        bytes += entry.size_bytes();
        if entries.len() == bounds.messages || (bytes > bounds.bytes && !entries.is_empty()) {
            more = true;
            break;
        }
        entries.push(Arc::new(entry));
    }
    if newest_first {
        entries.reverse();
    }
    Ok((entries, more))
}

/// The message of a row of [`select`], if it is as it was written.
pub(super) fn entry(topic: &ChannelName, row: &rusqlite::Row<'_>) -> Result<Entry, ReadError> {
    verify(topic, row)?;
    let seq = seq_of(row.get(0)?);
    let damaged = |what: &str| ReadError::Damaged(format!("message {seq} of {topic}: {what}"));
    let text = |at| -> Result<&str, ReadError> {
        row.get_ref(at)?
            .as_str()
            .map_err(|_| damaged("a column is no text"))
    };
    // A wrong text would break the frame it is spliced into, and with it the whole page.
    let mut payload = Payload::parse(text(4)?).map_err(|_| damaged("its payload is no JSON"))?;
    if let Some(joined) = row
        .get_ref(5)?
        .as_blob_or_null()
        .map_err(|_| damaged("its attachments"))?
    {
        let parts = split_attachments(joined).ok_or_else(|| damaged("its attachments"))?;
        payload = payload.with_attachments(parts);
    }
    let message = Message {
        id: ServerMessageId::new(text(1)?),
        topic: topic.clone(),
        kind: MessageKind::Event,
        payload,
        timestamp: row.get::<_, i64>(7)?.cast_unsigned(),
        from: UserId::new(text(2)?),
        seq,
        client_message_id: Some(MessageId::parse(text(3)?).map_err(|_| damaged("its key"))?),
        prev: None,
        edited: row.get::<_, Option<i64>>(10)?.map(i64::cast_unsigned),
        deleted: row.get(11)?,
        reactions: match row.get_ref(12)?.as_str_or_null() {
            Ok(None) => Reactions::default(),
            Ok(Some(json)) => serde_json::from_str(json).map_err(|_| damaged("its reactions"))?,
            Err(_) => return Err(damaged("its reactions")),
        },
        require_delivery: false,
    };
    let amends = match row.get_ref(9)?.as_str_or_null() {
        Ok(None) => None,
        Ok(Some(text)) => Some(Amends::parse(text).ok_or_else(|| damaged("what it amends"))?),
        Err(_) => return Err(damaged("what it amends")),
    };
    Ok(Entry {
        message,
        priority: priority_of(row.get(6)?),
        expires_at_ms: row.get::<_, Option<i64>>(8)?.map(i64::cast_unsigned),
        amends,
        notifies: false,
    })
}

/// Oldest seq that the retention lets stand: the disk follows it at leisure.
fn oldest_kept(
    snapshot: &Connection,
    topic: &ChannelName,
    row: &Row,
    retention: Retention,
    now_ms: u64,
) -> Result<Seq, ReadError> {
    let oldest = row.oldest().max(retention.oldest_by_size(row.top));
    if retention.ttl_ms == 0 || oldest > row.top {
        return Ok(oldest);
    }
    let too_old = retention.expired_until_ms(now_ms);
    first_young(snapshot, topic, row, (oldest, row.top), too_old)
}

/// The first message from one seq through another that was taken after `too_old`; where all are too old, the one
/// behind them.
pub(super) fn first_young(
    connection: &Connection,
    topic: &ChannelName,
    row: &Row,
    (from, through): (Seq, Seq),
    too_old: u64,
) -> Result<Seq, ReadError> {
    let (first, last) = row.places(from, through);
    let young: Option<i64> = connection
        .prepare_cached(
            "SELECT place FROM messages WHERE place BETWEEN ?1 AND ?2 AND timestamp > ?3 ORDER BY place LIMIT 1",
        )?
        .query_row([first, last, too_old.cast_signed()], |row| row.get(0))
        .optional()?;
    let young = young.map_or(through + 1, seq_of);
    if young > from {
        // Times ascend: where the last one that is too old is sound, so is what is said of those before it. A
        // damaged time must not make a history shorter.
        let mut statement = connection.prepare_cached(concat!(select!(), " WHERE place = ?1"))?;
        let mut found = statement.query([row.places(young - 1, young - 1).0])?;
        let last = found.next()?;
        let last = last.ok_or_else(|| ReadError::Damaged(format!("{topic} has no message {}", young - 1)))?;
        verify(topic, last)?;
    }
    Ok(young)
}

/// Whether a message that was read is as it was written.
fn verify(topic: &ChannelName, row: &rusqlite::Row<'_>) -> Result<(), ReadError> {
    if sums::is_sound(row, sums::MESSAGE)? {
        return Ok(());
    }
    let seq = seq_of(row.get(0)?);
    Err(ReadError::Damaged(format!(
        "message {seq} of {topic}: its checksum is wrong"
    )))
}
