//! Which channels the database knows.

use rusqlite::{Connection, params};

use super::reads::ReadError;
use super::row::{Row, select_channel};
use crate::history::{Known, Listing};

/// Answers from the index of names: a page costs what it skips and holds, however many channels there are.
pub(super) fn list(connection: &Connection, listing: &Listing) -> Result<Vec<Known>, ReadError> {
    // Names are ASCII, so no name that begins with the prefix stands behind this.
    let beyond = format!("{}\u{7f}", listing.prefix);
    let mut statement = connection.prepare_cached(concat!(
        select_channel!(),
        " WHERE name >= ?1 AND name < ?2 AND name > ?3 AND top > 0 AND (?4 = '' OR instr(lower(name), ?4) > 0)
         ORDER BY name LIMIT ?5"
    ))?;
    let limit = i64::try_from(listing.limit).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![
        listing.prefix,
        beyond,
        listing.after,
        listing.containing,
        limit
    ])?;
    let mut known = Vec::new();
    while let Some(found) = rows.next()? {
        let row = Row::read(found)?;
        known.push(Known {
            name: found.get(1)?,
            messages: (row.top + 1).saturating_sub(row.oldest),
            top: row.top,
            created_ms: row.created_ms,
        });
    }
    Ok(known)
}
