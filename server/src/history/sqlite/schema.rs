//! The tables, their versions, and what is looked at before a database is trusted.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior, params};
use tracing::{error, info};

use super::mark::Mark;
use super::open_error::{OpenError, Why};
use super::place::SEQ_BITS;
use super::reads::ReadError;
use super::row::{Row, select_channel};
use super::sums;
use crate::history::mint;

/// Marks a database as ours: "BMTm".
const APPLICATION_ID: i64 = 0x424d_546d;

/// Each step takes a database one version up. Steps are never changed, only added.
const MIGRATIONS: &[&str] = &[
    // `messages.place` is the channel's id and the seq in one number (see `place.rs`): a channel's messages lie
    // together in order, and there is one tree to write. Rows of a channel are `oldest..=top` without a hole.
    "CREATE TABLE store (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        epoch TEXT NOT NULL,
        commits INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE channels (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        epoch TEXT NOT NULL,
        top INTEGER NOT NULL,
        oldest INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE messages (
        place INTEGER PRIMARY KEY,
        id TEXT NOT NULL,
        sender TEXT NOT NULL,
        key TEXT NOT NULL,
        payload TEXT NOT NULL,
        attachments BLOB,
        priority INTEGER NOT NULL,
        timestamp INTEGER NOT NULL,
        expires_at INTEGER
    ) STRICT;
    CREATE TABLE keys (
        sender TEXT NOT NULL,
        channel INTEGER NOT NULL,
        key TEXT NOT NULL,
        fingerprint BLOB NOT NULL,
        id TEXT NOT NULL,
        seq INTEGER NOT NULL,
        forgotten_at INTEGER NOT NULL,
        PRIMARY KEY (sender, channel, key)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX keys_by_age ON keys (forgotten_at);",
    // Up to where which user has read which channel.
    "CREATE TABLE reads (
        channel INTEGER NOT NULL,
        user TEXT NOT NULL,
        seq INTEGER NOT NULL,
        PRIMARY KEY (channel, user)
    ) STRICT, WITHOUT ROWID;",
    // What was made of a message since: when it was edited, whether it was deleted, reactions as JSON. `amends` is
    // what the message itself does to another one. Ids begin with the time, so their index grows at its end.
    "ALTER TABLE messages ADD COLUMN amends TEXT;
    ALTER TABLE messages ADD COLUMN edited INTEGER;
    ALTER TABLE messages ADD COLUMN deleted INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE messages ADD COLUMN reactions TEXT;
    CREATE INDEX messages_by_id ON messages (id);
    CREATE INDEX messages_by_target ON messages (amends) WHERE amends IS NOT NULL;",
    // When a channel's first message came. Of older ones that is not known any more: it is what is left.
    "ALTER TABLE channels ADD COLUMN created_at INTEGER;
    UPDATE channels SET created_at = (
        SELECT timestamp FROM messages WHERE place = (channels.id << 36) + channels.oldest
    );",
    // A checksum of each message and each channel's row (see `sums.rs`).
    "ALTER TABLE messages ADD COLUMN sum INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE channels ADD COLUMN sum INTEGER NOT NULL DEFAULT 0;",
];

/// The version in which rows have checksums.
pub(super) const SUMMED: usize = 5;

/// Databases up to this size are checked whole at every start, in well under the 3 s that a start may take. A
/// larger one is checked by what is read.
const CHECKED_BYTES: i64 = 512 * 1_024 * 1_024;
/// How long to wait for another program that holds the database, such as a backup.
const BUSY: Duration = Duration::from_secs(5);
/// Page cache of the writer in KiB, negative by SQLite's convention: the pages that appends touch again and again.
const WRITER_CACHE: i64 = -16 * 1_024;
/// Prepared statements the writer keeps: all that it has.
const STATEMENTS: usize = 32;
/// What is left of the write-ahead log after a large one was written back, bytes: as much as it needs when nothing
/// holds it up (`wal.rs`), for a file that is cut and grows again makes each sync slower.
const LOG_BYTES: i64 = 96 * 1_024 * 1_024;

/// Opens the database for writing at the start of the server: makes or migrates it, checks it, and gives it a new
/// epoch where it lost what it had confirmed.
pub(super) fn open_first(path: &Path, mark: (&Mark, Option<u64>)) -> Result<Connection, OpenError> {
    let failed = |error| OpenError::new(path, Why::Sqlite(error));
    let mut connection = connect(path, true).map_err(failed)?;
    let why = |why| OpenError::new(path, why);
    let found = known_version(&connection).map_err(why)?;
    // Before the migration, which takes what it finds for sound.
    if found > 0 {
        check(&connection).map_err(why)?;
    }
    migrate(&mut connection, found).map_err(why)?;
    check_channels(&connection).map_err(why)?;
    let (mark, confirmed) = mark;
    let commits = commits(&connection).map_err(failed)?;
    // Without a mark there is no telling whether the database is the newest there was.
    let lost = confirmed.map_or(commits > 0, |confirmed| confirmed > commits);
    if lost {
        error!(
            path = %path.display(),
            confirmed, found = commits,
            "the database misses messages that were confirmed; all channels begin a new epoch and clients are told"
        );
    }
    let commits = commits.max(confirmed.unwrap_or(0)) + 1;
    begin(&mut connection, lost, commits).map_err(failed)?;
    mark.set(commits)
        .map_err(|error| OpenError::new(path, Why::Io(error)))?;
    Ok(connection)
}

/// Opens the database for writing again after a failure. It must still be there.
pub(super) fn open_again(path: &Path) -> rusqlite::Result<Connection> {
    connect(path, false)
}

/// Opens the database for copying the log into it, beside the writer and as carefully. The log is not its to remove.
pub(super) fn open_checkpointer(path: &Path) -> rusqlite::Result<Connection> {
    let connection = connect(path, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    Ok(connection)
}

/// Opens the database for reading.
pub(super) fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    Ok(connection)
}

/// Commits that the database knows of.
pub(super) fn commits(connection: &Connection) -> rusqlite::Result<u64> {
    connection
        .prepare_cached("SELECT commits FROM store")?
        .query_row([], |row| row.get::<_, i64>(0))
        .map(i64::cast_unsigned)
}

/// The numbering that new channels begin with.
pub(super) fn epoch(connection: &Connection) -> rusqlite::Result<String> {
    connection
        .prepare_cached("SELECT epoch FROM store")?
        .query_row([], |row| row.get(0))
}

fn connect(path: &Path, create: bool) -> rusqlite::Result<Connection> {
    let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    flags.set(OpenFlags::SQLITE_OPEN_CREATE, create);
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // FULL syncs the log at every commit: an ack survives a power cut.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "cache_size", WRITER_CACHE)?;
    // Not in the middle of a commit (see `wal.rs`).
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "journal_size_limit", LOG_BYTES)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(connection)
}

/// The version of a database of ours that this server can read.
pub(super) fn known_version(connection: &Connection) -> Result<usize, Why> {
    let number = |name: &str| {
        connection
            .pragma_query_value(None, name, |row| row.get::<_, i64>(0))
            .map_err(Why::Sqlite)
    };
    let (owner, found) = (number("application_id")?, number("user_version")?);
    let known = i64::try_from(MIGRATIONS.len()).expect("a handful");
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(Why::Sqlite)?;
    if owner != APPLICATION_ID && (owner != 0 || tables > 0) {
        return Err(Why::Foreign);
    }
    if found > known {
        return Err(Why::Newer { found, known });
    }
    usize::try_from(found).map_err(|_| Why::Foreign)
}

fn migrate(connection: &mut Connection, done: usize) -> Result<(), Why> {
    for (at, step) in MIGRATIONS.iter().enumerate().skip(done) {
        migrate_to(connection, at + 1, step).map_err(Why::Sqlite)?;
        info!(version = at + 1, "the message database was migrated");
    }
    Ok(())
}

fn migrate_to(connection: &mut Connection, version: usize, step: &str) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(step)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", i64::try_from(version).expect("a handful"))?;
    if version == 1 {
        transaction.execute(
            "INSERT INTO store (one, epoch, commits) VALUES (1, ?1, 0)",
            [mint::epoch().as_str()],
        )?;
    }
    if version == SUMMED {
        sums::renew_messages(&transaction)?;
        sums::renew_channels(&transaction)?;
    }
    transaction.commit()
}

/// Looks through the whole file where it is not too large.
fn check(connection: &Connection) -> Result<(), Why> {
    let number = |name: &str| {
        connection
            .pragma_query_value(None, name, |row| row.get::<_, i64>(0))
            .map_err(Why::Sqlite)
    };
    if number("page_count")? * number("page_size")? > CHECKED_BYTES {
        return Ok(());
    }
    let found: String = connection
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(Why::Sqlite)?;
    if found != "ok" {
        return Err(Why::Damaged(found));
    }
    // Whole pages can be sound and still be old ones: the newest message must be where the channel says it is.
    let astray: Option<String> = connection
        .query_row(
            "SELECT name FROM channels WHERE oldest <= top AND (
                NOT EXISTS (SELECT 1 FROM messages WHERE place = (channels.id << ?1) + top)
                OR NOT EXISTS (SELECT 1 FROM messages WHERE place = (channels.id << ?1) + oldest)
            ) LIMIT 1",
            [SEQ_BITS],
            |row| row.get(0),
        )
        .map(Some)
        .or_else(|error| match error {
            rusqlite::Error::QueryReturnedNoRows => Ok(None),
            error => Err(Why::Sqlite(error)),
        })?;
    match astray {
        Some(name) => Err(Why::Damaged(format!(
            "messages of the channel {name} are missing"
        ))),
        None => Ok(()),
    }
}

/// Looks through the channels' rows, however large the file: what they say decides what there is to serve. Messages
/// are held to their sums when they are read.
fn check_channels(connection: &Connection) -> Result<(), Why> {
    // A name that is damaged in the index would make a channel that has messages look new.
    let found: String = connection
        .query_row("PRAGMA integrity_check(channels)", [], |row| row.get(0))
        .map_err(Why::Sqlite)?;
    if found != "ok" {
        return Err(Why::Damaged(found));
    }
    let looked_through = || {
        let mut statement = connection.prepare(select_channel!())?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            Row::read(row)?;
        }
        Ok(())
    };
    looked_through().map_err(|error| match error {
        ReadError::Sqlite(error) => Why::Sqlite(error),
        ReadError::Damaged(what) => Why::Damaged(what),
    })
}

/// Notes the start, and a new numbering for everything where messages were lost.
fn begin(connection: &mut Connection, lost: bool, commits: u64) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if lost {
        let epoch = mint::epoch();
        transaction.execute("UPDATE channels SET epoch = ?1", [epoch.as_str()])?;
        sums::renew_channels(&transaction)?;
        transaction.execute("UPDATE store SET epoch = ?1", [epoch.as_str()])?;
    }
    transaction.execute("UPDATE store SET commits = ?1", params![commits.cast_signed()])?;
    transaction.commit()
}
