//! The tables, and how a database of an older server gets them.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::OpenError;
use crate::random;

/// Marks the file as ours: "BMTr".
const APPLICATION_ID: i64 = 0x424d_5472;
/// How long a writer waits for another process: `bmt-server key` beside the server, or a backup.
const BUSY: Duration = Duration::from_secs(5);
/// Bytes of the key of the keyed hash.
pub(super) const SALT_BYTES: usize = 32;

/// One step a version: step n leads from `user_version` n to n + 1. Steps are never changed, only added.
const MIGRATIONS: [&str; 1] = ["
    -- The key of the keyed hash of API keys: made once, with the file.
    CREATE TABLE store (one INTEGER PRIMARY KEY CHECK (one = 1), salt BLOB NOT NULL) STRICT;
    CREATE TABLE api_key (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        -- A JSON array of texts.
        scopes TEXT NOT NULL,
        hash BLOB NOT NULL,
        created_by TEXT NOT NULL,
        created_ms INTEGER NOT NULL,
        expires_ms INTEGER
    ) STRICT;
    CREATE TABLE audit (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        at_ms INTEGER NOT NULL,
        actor_kind TEXT NOT NULL,
        actor TEXT NOT NULL,
        act TEXT NOT NULL,
        target TEXT NOT NULL,
        outcome TEXT NOT NULL CHECK (outcome IN ('done', 'denied', 'failed')),
        status INTEGER NOT NULL,
        address TEXT NOT NULL,
        request TEXT NOT NULL
    ) STRICT;
    CREATE INDEX audit_of_actor ON audit (actor, id);
    CREATE INDEX audit_of_act ON audit (act, id);
    CREATE INDEX audit_of_target ON audit (target, id);
    CREATE INDEX audit_outcome ON audit (outcome, id);
    CREATE INDEX audit_age ON audit (at_ms);
    CREATE TRIGGER audit_is_append_only BEFORE UPDATE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
    CREATE TABLE crash (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        -- Reports of the same text are one row.
        fingerprint BLOB NOT NULL UNIQUE,
        error TEXT NOT NULL,
        stack TEXT NOT NULL,
        component_stack TEXT NOT NULL,
        user_id TEXT NOT NULL,
        agent TEXT NOT NULL,
        address TEXT NOT NULL,
        reports INTEGER NOT NULL,
        first_ms INTEGER NOT NULL,
        last_ms INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX crash_age ON crash (last_ms);
"];

/// Opens the file for writing and brings it to this server's version.
pub(super) fn open(path: &Path) -> Result<Connection, OpenError> {
    let sql = |error| OpenError::Sql(path.to_owned(), error);
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(sql)?;
    connection.busy_timeout(BUSY).map_err(sql)?;
    let number = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let owner = number("application_id").map_err(sql)?;
    if owner != 0 && owner != APPLICATION_ID {
        return Err(OpenError::Foreign(path.to_owned()));
    }
    if number("user_version").map_err(sql)? > known() {
        return Err(OpenError::Newer(path.to_owned()));
    }
    prepare(&mut connection).map_err(sql)?;
    Ok(connection)
}

/// Opens the file for reading.
pub(super) fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    Ok(connection)
}

/// The key of the keyed hash.
pub(super) fn salt(connection: &Connection) -> rusqlite::Result<[u8; SALT_BYTES]> {
    connection.query_row("SELECT salt FROM store", (), |row| row.get(0))
}

fn known() -> i64 {
    i64::try_from(MIGRATIONS.len()).expect("a handful")
}

fn prepare(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "trusted_schema", false)?;
    let all = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: i64 = all.pragma_query_value(None, "user_version", |row| row.get(0))?;
    for step in MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or(0)) {
        all.execute_batch(step)?;
    }
    if found == 0 {
        let salt = random::bytes::<SALT_BYTES>();
        all.execute("INSERT INTO store (one, salt) VALUES (1, ?1)", [salt])?;
    }
    all.pragma_update(None, "application_id", APPLICATION_ID)?;
    all.pragma_update(None, "user_version", known())?;
    all.commit()
}
