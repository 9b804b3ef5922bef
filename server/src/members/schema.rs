//! The tables of member lists.

use crate::database::Schema;

pub(super) const SCHEMA: Schema = Schema {
    // "BMTc".
    application_id: 0x424d_5463,
    steps: &[LISTS],
};

const LISTS: &str = "
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
";
