//! A channel's row: how far its numbering has come, and what is left of its messages.

use bmt_shared::channel::ChannelName;
use bmt_shared::position::{Epoch, Seq};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, params};

use super::place::place;
use super::reads::ReadError;
use super::{schema, sums};

/// The beginning of a question for channels' rows, with the columns that [`Row::read`] reads.
macro_rules! select_channel {
    () => {
        "SELECT id, name, epoch, top, oldest, created_at, sum FROM channels"
    };
}
pub(super) use select_channel;

/// A channel's row as it will be when the transaction is committed.
#[derive(Clone, Debug)]
pub(super) struct Row {
    id: i64,
    pub(super) epoch: Epoch,
    pub(super) top: Seq,
    pub(super) oldest: Seq,
    /// When its first message came, ms since the Unix epoch, where that is known.
    pub(super) created_ms: Option<u64>,
    /// When its messages were looked at for their age, ms since the Unix epoch.
    pub(super) aged_at_ms: u64,
}

impl Row {
    /// The row of a channel, if it has one.
    pub(super) fn find(connection: &Connection, topic: &ChannelName) -> Result<Option<Self>, ReadError> {
        let mut statement = connection.prepare_cached(concat!(select_channel!(), " WHERE name = ?1"))?;
        let mut rows = statement.query([topic.as_str()])?;
        rows.next()?.map(Self::read).transpose()
    }

    /// Takes a row of [`select_channel`], if it is as it was written.
    pub(super) fn read(row: &rusqlite::Row<'_>) -> Result<Self, ReadError> {
        if !sums::is_sound(row, sums::CHANNEL)? {
            let name = String::from_utf8_lossy(row.get_ref(1)?.as_bytes().unwrap_or_default()).into_owned();
            return Err(ReadError::Damaged(format!(
                "the checksum of the channel {name} is wrong"
            )));
        }
        Ok(Self {
            id: row.get(0)?,
            epoch: Epoch::new(row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?),
            top: row.get::<_, i64>(3)?.cast_unsigned(),
            oldest: row.get::<_, i64>(4)?.cast_unsigned(),
            created_ms: row.get::<_, Option<i64>>(5)?.map(i64::cast_unsigned),
            aged_at_ms: 0,
        })
    }

    /// Makes the row of a channel that has none.
    pub(super) fn insert(transaction: &Connection, topic: &ChannelName) -> rusqlite::Result<Self> {
        // The numbering that readers were told of while the channel had no row.
        let epoch = schema::epoch(transaction)?;
        transaction
            .prepare_cached("INSERT INTO channels (name, epoch, top, oldest) VALUES (?1, ?2, 0, 1)")?
            .execute(params![topic.as_str(), epoch])?;
        let row = Self {
            id: transaction.last_insert_rowid(),
            epoch: Epoch::new(&epoch),
            top: 0,
            oldest: 1,
            created_ms: None,
            aged_at_ms: 0,
        };
        row.keep(transaction, topic)?;
        Ok(row)
    }

    /// Writes it down as it is now.
    pub(super) fn keep(&self, transaction: &Connection, topic: &ChannelName) -> rusqlite::Result<()> {
        let created = self
            .created_ms
            .map_or(ValueRef::Null, |at| ValueRef::Integer(at.cast_signed()));
        sums::write(
            transaction,
            "UPDATE channels SET name = ?2, epoch = ?3, top = ?4, oldest = ?5, created_at = ?6, sum = ?7 WHERE id = ?1",
            &[
                ValueRef::Integer(self.id),
                ValueRef::Text(topic.as_str().as_bytes()),
                ValueRef::Text(self.epoch.as_str().as_bytes()),
                ValueRef::Integer(self.top.cast_signed()),
                ValueRef::Integer(self.oldest.cast_signed()),
                created,
            ],
        )
    }

    /// Row numbers of its messages from one seq through another.
    pub(super) fn places(&self, from: Seq, through: Seq) -> (i64, i64) {
        (place(self.id, from), place(self.id, through))
    }

    /// Its number in the tables.
    pub(super) fn id(&self) -> i64 {
        self.id
    }

    /// Oldest seq there is a row for; one above the newest where there is none.
    pub(super) fn oldest(&self) -> Seq {
        self.oldest
    }
}
