//! The tables of keys, acts and crash reports.

use rusqlite::Connection;

use crate::database::Schema;
use crate::random;

pub(super) const SCHEMA: Schema = Schema {
    // "BMTr".
    application_id: 0x424d_5472,
    steps: &[RECORDS, TIMES],
};

/// Bytes of the key of the keyed hash.
pub(super) const SALT_BYTES: usize = 32;

const RECORDS: &str = "
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
";

const TIMES: &str = "
    -- How many attempts that were alike the row stands for.
    ALTER TABLE audit ADD COLUMN times INTEGER NOT NULL DEFAULT 1;
";

/// The key of the keyed hash; the first call makes it.
pub(super) fn salt(connection: &Connection) -> rusqlite::Result<[u8; SALT_BYTES]> {
    // One statement, so that a command beside the server does not make a second one.
    connection.execute(
        "INSERT INTO store (one, salt) VALUES (1, ?1) ON CONFLICT DO NOTHING",
        [random::bytes::<SALT_BYTES>()],
    )?;
    connection.query_row("SELECT salt FROM store", (), |row| row.get(0))
}
