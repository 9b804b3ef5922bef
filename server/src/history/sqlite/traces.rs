//! What one user has left in a message database: messages of its own, reactions to those of others, what was
//! published into the user's own channels, and how far it has read. For the export and the erasure of a user's data,
//! which are rare: nothing is indexed for them, the whole database is looked through.

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bmt_server_core::channel::{Entry, Traced};
use bmt_shared::id::UserId;
use bmt_shared::json;
use rusqlite::{Connection, OpenFlags, params};

use super::place::{SEQ_BITS, seq_of};
use super::reads::select;
use super::{schema, sums};

/// How long the writer may take to let a change in.
const BUSY: Duration = Duration::from_secs(5);

/// Goes through the messages with something of a user in them, in the order of channels and seqs. Blocks.
pub struct Traces {
    connection: Connection,
    traced: Arc<Traced>,
    question: String,
    behind: i64,
}

/// A message as it is kept now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// The channel's name.
    pub topic: String,
    /// Its seq.
    pub seq: u64,
    /// Its id.
    pub id: String,
    /// Who published it.
    pub from: String,
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
    /// Whether it is as it was written: if not, nothing that stands here can be trusted.
    pub is_sound: bool,
}

impl From<&Entry> for Trace {
    fn from(entry: &Entry) -> Self {
        let message = &entry.message;
        Self {
            topic: message.topic.as_str().to_owned(),
            seq: message.seq,
            id: message.id.as_str().to_owned(),
            from: message.from.as_str().to_owned(),
            timestamp: message.timestamp,
            payload: message.payload.json().to_owned(),
            edited: message.edited,
            is_deleted: message.deleted,
            is_amendment: entry.amends.is_some(),
            // In memory, or verified when it was read.
            is_sound: true,
        }
    }
}

impl Traces {
    /// Opens the database at `path`, which the server is using meanwhile.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn open(path: &Path, traced: Arc<Traced>) -> rusqlite::Result<Self> {
        let connection = schema::open_reader(path)?;
        let question = question(&owned(&connection, &traced)?);
        Ok(Self {
            connection,
            traced,
            question,
            behind: -1,
        })
    }

    /// The next messages, `most` of them; none at the end.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn next_page(&mut self, most: u32) -> rusqlite::Result<Vec<Trace>> {
        let mut statement = self.connection.prepare_cached(&self.question)?;
        let mut whole = self
            .connection
            .prepare_cached(concat!(select!(), " WHERE place = ?1"))?;
        let user = self.traced.user.as_str();
        // As it stands in the JSON of reactions; an emoji that is just this is looked at in vain.
        let mut quoted = String::new();
        json::write_str(&mut quoted, user);
        let mut rows = statement.query(params![self.behind, user, most, SEQ_BITS, quoted])?;
        let mut page = Vec::new();
        while let Some(row) = rows.next()? {
            self.behind = row.get(0)?;
            page.push(Trace {
                topic: row.get(1)?,
                seq: seq_of(self.behind),
                id: row.get(2)?,
                from: row.get(3)?,
                timestamp: row.get::<_, i64>(4)?.cast_unsigned(),
                payload: row.get(5)?,
                edited: row.get::<_, Option<i64>>(6)?.map(i64::cast_unsigned),
                is_deleted: row.get(7)?,
                is_amendment: row.get(8)?,
                is_sound: whole.query_row([self.behind], |row| sums::is_sound(row, sums::MESSAGE))?,
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
        let read = statement.query_map([self.traced.user.as_str()], |row| {
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

/// The channels that are the user's alone.
fn owned(connection: &Connection, traced: &Traced) -> rusqlite::Result<Vec<i64>> {
    let mut statement = connection.prepare("SELECT id, name FROM channels")?;
    let mut rows = statement.query(())?;
    let mut owned = Vec::new();
    while let Some(row) = rows.next()? {
        if traced.owns(row.get_ref(1)?.as_str()?) {
            owned.push(row.get(0)?);
        }
    }
    Ok(owned)
}

fn question(owned: &[i64]) -> String {
    let mut sql = "SELECT place, channels.name, messages.id, sender, timestamp, payload, edited, deleted, \
                   amends IS NOT NULL \
                   FROM messages JOIN channels ON channels.id = messages.place >> ?4 \
                   WHERE place > ?1 AND (sender = ?2 OR (reactions IS NOT NULL AND instr(reactions, ?5) > 0)"
        .to_owned();
    if !owned.is_empty() {
        let owned: Vec<String> = owned.iter().map(i64::to_string).collect();
        write!(sql, " OR place >> ?4 IN ({})", owned.join(",")).expect("a string takes everything");
    }
    sql.push_str(") ORDER BY place LIMIT ?3");
    sql
}
