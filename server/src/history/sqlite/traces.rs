//! What one user has left in a message database: messages of its own, and how far it has read. For the export and
//! the erasure of a user's data, which are rare: nothing is indexed for them, the whole database is looked through.

use std::path::Path;
use std::time::Duration;

use bmt_shared::id::UserId;
use rusqlite::{Connection, OpenFlags, params};

use super::place::{SEQ_BITS, seq_of};
use super::schema;

/// How long the writer may take to let a change in.
const BUSY: Duration = Duration::from_secs(5);

/// Goes through the messages of a user, in the order of channels and seqs. Blocks.
pub struct Traces {
    connection: Connection,
    user: UserId,
    behind: i64,
}

/// A message as it is kept now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authored {
    /// The channel's name.
    pub topic: String,
    /// Its seq.
    pub seq: u64,
    /// Its id.
    pub id: String,
    /// When it was published, ms since the Unix epoch.
    pub timestamp: u64,
    /// JSON.
    pub payload: String,
    /// When it was last edited, ms since the Unix epoch.
    pub edited: Option<u64>,
    /// Whether it was deleted: it is empty.
    pub is_deleted: bool,
    /// Whether it is an edit, a deletion or a reaction, which cannot itself be deleted.
    pub is_amendment: bool,
}

impl Traces {
    /// Opens the database at `path`, which the server is using meanwhile.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn open(path: &Path, user: &UserId) -> rusqlite::Result<Self> {
        Ok(Self {
            connection: schema::open_reader(path)?,
            user: user.clone(),
            behind: -1,
        })
    }

    /// The next messages, `most` of them; none at the end.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn next_page(&mut self, most: u32) -> rusqlite::Result<Vec<Authored>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT place, channels.name, messages.id, timestamp, payload, edited, deleted, amends IS NOT NULL \
             FROM messages JOIN channels ON channels.id = messages.place >> ?4 \
             WHERE place > ?1 AND sender = ?2 ORDER BY place LIMIT ?3",
        )?;
        let asked = params![self.behind, self.user.as_str(), most, SEQ_BITS];
        let mut rows = statement.query(asked)?;
        let mut page = Vec::new();
        while let Some(row) = rows.next()? {
            self.behind = row.get(0)?;
            page.push(Authored {
                topic: row.get(1)?,
                seq: seq_of(self.behind),
                id: row.get(2)?,
                timestamp: row.get::<_, i64>(3)?.cast_unsigned(),
                payload: row.get(4)?,
                edited: row.get::<_, Option<i64>>(5)?.map(i64::cast_unsigned),
                is_deleted: row.get(6)?,
                is_amendment: row.get(7)?,
            });
        }
        Ok(page)
    }

    /// Up to where the user has read which channel.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn positions(&self) -> rusqlite::Result<Vec<(String, u64)>> {
        let mut statement = self.connection.prepare(
            "SELECT name, seq FROM reads JOIN channels ON channels.id = channel WHERE user = ?1 ORDER BY name",
        )?;
        let read = statement.query_map([self.user.as_str()], |row| {
            Ok((row.get(0)?, row.get::<_, i64>(1)?.cast_unsigned()))
        })?;
        read.collect()
    }

    /// Forgets how far the user has read. A channel in use remembers it until nobody uses it any more.
    ///
    /// # Errors
    /// Where the database cannot be written to.
    pub fn forget_positions(path: &Path, user: &UserId) -> rusqlite::Result<()> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY)?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.execute("DELETE FROM reads WHERE user = ?1", [user.as_str()])?;
        Ok(())
    }
}
