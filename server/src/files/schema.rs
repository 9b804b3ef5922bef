//! The tables of uploaded files.

use crate::database::Schema;

pub(super) const SCHEMA: Schema = Schema {
    // "BMTf".
    application_id: 0x424d_5466,
    steps: &[FILES],
};

const FILES: &str = "
    CREATE TABLE file (
        -- In the order of arrival.
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        owner TEXT NOT NULL,
        -- As it is shown and downloaded; on the disk it is the id.
        name TEXT NOT NULL,
        -- By the first bytes.
        mime TEXT NOT NULL,
        -- The thumbnail apart.
        size INTEGER NOT NULL,
        -- As the image is shown, turned as it says.
        width INTEGER,
        height INTEGER,
        thumbnail_mime TEXT,
        thumbnail_size INTEGER NOT NULL,
        created_ms INTEGER NOT NULL,
        -- 0 while its bytes come to their place or leave it: a row that is found so at a start is finished with.
        whole INTEGER NOT NULL CHECK (whole IN (0, 1))
    ) STRICT;
    CREATE INDEX file_of_owner ON file (owner);
    CREATE INDEX file_unfinished ON file (number) WHERE whole = 0;
    -- What links are signed with. Their own key, because messages keep links longer than a secret lives.
    CREATE TABLE link_key (
        key TEXT NOT NULL
    ) STRICT;
";
