//! Which channels the database knows.

use rusqlite::{Connection, params};

use super::reads::ReadError;
use crate::history::{Known, Listing};

/// Answers from the index of names: a page costs what it skips and holds, however many channels there are.
pub(super) fn list(connection: &Connection, listing: &Listing) -> Result<Vec<Known>, ReadError> {
    // Names are ASCII, so no name that begins with the prefix stands behind this.
    let beyond = format!("{}\u{7f}", listing.prefix);
    let mut statement = connection.prepare_cached(
        "SELECT name, top, oldest, created_at FROM channels
         WHERE name >= ?1 AND name < ?2 AND name > ?3 AND top > 0 AND (?4 = '' OR instr(lower(name), ?4) > 0)
         ORDER BY name LIMIT ?5",
    )?;
    let limit = i64::try_from(listing.limit).unwrap_or(i64::MAX);
    let known = statement.query_map(
        params![listing.prefix, beyond, listing.after, listing.containing, limit],
        |row| {
            let (top, oldest) = (row.get::<_, i64>(1)?, row.get::<_, i64>(2)?);
            Ok(Known {
                name: row.get(0)?,
                messages: (top + 1).saturating_sub(oldest).max(0).cast_unsigned(),
                top: top.cast_unsigned(),
                created_ms: row.get::<_, Option<i64>>(3)?.map(i64::cast_unsigned),
            })
        },
    )?;
    Ok(known.collect::<rusqlite::Result<_>>()?)
}
