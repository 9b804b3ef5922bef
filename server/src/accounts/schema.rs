//! The tables, and how a database of an older server gets them.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::OpenError;

/// Marks the file as ours: "BMTa".
const APPLICATION_ID: i64 = 0x424d_5461;
/// SQLite before this could corrupt a database in WAL mode when a reader met a checkpoint (DESIGN §4).
const SQLITE_AT_LEAST: i32 = 3_051_003;
/// How long a writer waits for another process that reads the file, such as a backup.
const BUSY: Duration = Duration::from_secs(5);

/// One step a version: step n leads from `user_version` n to n + 1. Steps are never changed, only added.
const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE account (
        user_id TEXT PRIMARY KEY,
        issuer TEXT NOT NULL,
        subject TEXT NOT NULL,
        -- What is typed at login, in lower case; none for users from elsewhere.
        username TEXT UNIQUE,
        name TEXT NOT NULL,
        -- The role that outranks the token; none leaves the token's.
        role TEXT CHECK (role IN ('admin', 'user', 'guest')),
        -- A JSON array of texts.
        permissions TEXT NOT NULL DEFAULT '[]',
        password_hash TEXT,
        blocked INTEGER NOT NULL DEFAULT 0,
        -- Made by dev mode: locked out in production, where everybody knows of it.
        dev INTEGER NOT NULL DEFAULT 0,
        created_ms INTEGER NOT NULL,
        UNIQUE (issuer, subject)
    ) STRICT;
    CREATE TABLE session (
        session_id TEXT PRIMARY KEY,
        user_id TEXT NOT NULL REFERENCES account ON DELETE CASCADE,
        -- The highest refresh token that was presented (see `refresh`).
        generation INTEGER NOT NULL DEFAULT 0,
        -- When it was presented first.
        rotated_ms INTEGER NOT NULL,
        created_ms INTEGER NOT NULL,
        expires_ms INTEGER NOT NULL,
        ended_ms INTEGER
    ) STRICT;
    CREATE INDEX session_of_user ON session (user_id, created_ms);
    CREATE INDEX session_expiry ON session (expires_ms);
    CREATE TABLE probe (only INTEGER PRIMARY KEY CHECK (only = 1), at_ms INTEGER NOT NULL) STRICT;
",
    "
    -- When the account was removed. Its id stays, so that nobody else ever comes in under it.
    ALTER TABLE account ADD COLUMN removed_ms INTEGER;
    -- What the browser of a login called itself.
    ALTER TABLE session ADD COLUMN agent TEXT NOT NULL DEFAULT '';
    CREATE TABLE password_reset (
        -- The hash of the link's code: a copy of the database opens no account.
        code_hash BLOB PRIMARY KEY,
        user_id TEXT NOT NULL REFERENCES account ON DELETE CASCADE,
        expires_ms INTEGER NOT NULL
    ) STRICT;
",
];

/// Opens the file and brings it to this server's version.
pub(super) fn open(path: &Path) -> Result<Connection, OpenError> {
    let mut connection = connect(path, OpenFlags::SQLITE_OPEN_CREATE)?;
    migrate(&mut connection, path)?;
    Ok(connection)
}

/// Opens the file of a server that is running, and leaves its version alone.
pub(super) fn open_as_it_is(path: &Path) -> Result<Connection, OpenError> {
    let connection = connect(path, OpenFlags::empty())?;
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if usize::try_from(found) != Ok(MIGRATIONS.len()) {
        return Err(OpenError::Foreign(format!(
            "{} is in use by a server of another version. Use the command of that version, or stop the server first.",
            path.display()
        )));
    }
    Ok(connection)
}

fn connect(path: &Path, more: OpenFlags) -> Result<Connection, OpenError> {
    if rusqlite::version_number() < SQLITE_AT_LEAST {
        return Err(OpenError::Foreign(format!(
            "this server was built with SQLite {}, which is too old: it needs 3.51.3",
            rusqlite::version()
        )));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | more;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    let owner: i64 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    if owner != 0 && owner != APPLICATION_ID {
        return Err(OpenError::Foreign(format!(
            "{} is a database of another program",
            path.display()
        )));
    }
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
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

/// Writes a row and takes it back: fails where the disk is full or read-only.
pub(super) fn check_writable(connection: &mut Connection) -> rusqlite::Result<()> {
    let probe = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    probe.execute(
        "INSERT OR REPLACE INTO probe (only, at_ms) VALUES (1, unixepoch())",
        (),
    )?;
    probe.commit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_of_a_newer_server_is_refused_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("accounts.db");
        let connection = open(&path).unwrap();
        connection.pragma_update(None, "user_version", 99).unwrap();
        drop(connection);
        let told = open(&path).unwrap_err().to_string();
        assert!(told.contains("newer server") && told.contains("99"), "{told}");
        let untouched = Connection::open(&path).unwrap();
        let version: i64 = untouched
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .unwrap();
        assert_eq!(version, 99);
    }

    #[test]
    fn a_database_of_another_program_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("accounts.db");
        let foreign = Connection::open(&path).unwrap();
        foreign.pragma_update(None, "application_id", 7).unwrap();
        drop(foreign);
        assert!(matches!(open(&path), Err(OpenError::Foreign(_))));
    }

    #[test]
    fn opening_twice_in_a_row_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("accounts.db");
        let mut connection = open(&path).unwrap();
        check_writable(&mut connection).unwrap();
        drop(connection);
        let connection = open(&path).unwrap();
        let probes: i64 = connection
            .query_row("SELECT count(*) FROM probe", (), |row| row.get(0))
            .unwrap();
        assert_eq!(probes, 1);
    }
}
