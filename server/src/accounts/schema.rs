//! The tables of accounts and logins.

use rusqlite::{Connection, TransactionBehavior};

use crate::database::Schema;

pub(super) const SCHEMA: Schema = Schema {
    // "BMTa".
    application_id: 0x424d_5461,
    steps: STEPS,
};

const STEPS: &[&str] = &[
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

/// Writes a row and takes it back: fails where the disk is full or read-only.
pub(super) fn check_writable(connection: &mut Connection) -> rusqlite::Result<()> {
    let probe = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    probe.execute(
        "INSERT OR REPLACE INTO probe (only, at_ms) VALUES (1, unixepoch())",
        (),
    )?;
    probe.commit()
}
