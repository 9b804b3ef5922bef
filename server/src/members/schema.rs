//! The tables, and how a database of an older server gets them.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::OpenError;

/// Marks the file as ours: "BMTc".
const APPLICATION_ID: i64 = 0x424d_5463;
/// How long a writer waits for another process that reads the file, such as a backup.
const BUSY: Duration = Duration::from_secs(5);

/// One step a version: step n leads from `user_version` n to n + 1. Steps are never changed, only added.
const MIGRATIONS: [&str; 1] = ["
    CREATE TABLE list (
        -- The name of a channel, or `document:<id>`.
        name TEXT PRIMARY KEY,
        title TEXT,
        created_ms INTEGER NOT NULL,
        -- Who emptied it; then it has no members.
        deleted_by TEXT
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE member (
        name TEXT NOT NULL REFERENCES list ON DELETE CASCADE,
        user_id TEXT NOT NULL,
        role TEXT NOT NULL CHECK (role IN ('owner', 'writer', 'reader')),
        since_ms INTEGER NOT NULL,
        PRIMARY KEY (name, user_id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX member_of_user ON member (user_id);
"];

/// Opens the file and brings it to this server's version.
pub(super) fn open(path: &Path) -> Result<Connection, OpenError> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    let owner: i64 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    if owner != 0 && owner != APPLICATION_ID {
        return Err(OpenError::Foreign(path.to_owned()));
    }
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    migrate(&mut connection, path)?;
    Ok(connection)
}

fn migrate(connection: &mut Connection, path: &Path) -> Result<(), OpenError> {
    let known = i64::try_from(MIGRATIONS.len()).expect("a handful");
    let all = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: i64 = all.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let done = usize::try_from(found).unwrap_or(usize::MAX);
    if done > MIGRATIONS.len() {
        return Err(OpenError::Newer {
            path: path.to_owned(),
            found,
            known,
        });
    }
    for step in &MIGRATIONS[done..] {
        all.execute_batch(step)?;
    }
    all.pragma_update(None, "application_id", APPLICATION_ID)?;
    all.pragma_update(None, "user_version", known)?;
    all.commit()?;
    Ok(())
}

/// SQLite's integers are signed; a time in ms is far from the end of either.
pub(super) fn sql_ms(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

pub(super) fn ms(sql: i64) -> u64 {
    u64::try_from(sql).unwrap_or(0)
}
