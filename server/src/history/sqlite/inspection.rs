//! What `bmt-server check-store` asks of a message database: every page, every channel, every message's checksum, and
//! whether it is the newest.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension};

use super::mark::Mark;
use super::open_error::{OpenError, Why};
use super::place::{SEQ_BITS, seq_of};
use super::reads::{ReadError, select};
use super::row::{Row, select_channel};
use super::{schema, sums};

/// Most problems of a kind that are told.
const TOLD: usize = 100;

/// A message database that was looked through whole, without changing it.
#[derive(Debug)]
pub struct Inspection {
    /// Channels that have had a message.
    pub channels: u64,
    /// Messages that are kept.
    pub messages: u64,
    /// What is wrong, a sentence each; empty where nothing is.
    pub problems: Vec<String>,
}

/// Looks through the database at `path`, which a server may be using meanwhile.
///
/// # Errors
/// Where it cannot be read at all.
pub fn inspect(path: &Path) -> Result<Inspection, OpenError> {
    let failed = |error| OpenError::new(path, Why::Sqlite(error));
    // Before the database: a commit that happens in between must not look like a loss.
    let confirmed =
        Mark::read(&path.with_extension("mark")).map_err(|error| OpenError::new(path, Why::Io(error)))?;
    let mut connection = schema::open_reader(path).map_err(failed)?;
    let version = schema::known_version(&connection).map_err(|why| OpenError::new(path, why))?;
    let snapshot = connection.transaction().map_err(failed)?;
    look_through(&snapshot, version, confirmed).map_err(failed)
}

fn look_through(
    snapshot: &Connection,
    version: usize,
    confirmed: Option<u64>,
) -> rusqlite::Result<Inspection> {
    let mut problems = pages(snapshot)?;
    problems.extend(holes(snapshot)?);
    // The next start of the server gives an older database its sums.
    if version >= schema::SUMMED {
        problems.extend(unsound_channels(snapshot)?);
        problems.extend(unsound_messages(snapshot)?);
    }
    let commits = schema::commits(snapshot)?;
    match confirmed {
        Some(confirmed) if confirmed > commits => problems.push(format!(
            "{} commits that were confirmed are missing: at the next start all channels begin a new epoch, and \
             clients are told",
            confirmed - commits
        )),
        None => problems.push(
            "the file messages.mark is missing, so nobody can tell whether this is the newest state: at the next \
             start all channels begin a new epoch, and clients are told (a restored backup looks like this)"
                .to_owned(),
        ),
        Some(_) => {}
    }
    let count = |sql| {
        snapshot
            .query_row(sql, [], |row| row.get::<_, i64>(0))
            .map(i64::cast_unsigned)
    };
    let messages = count("SELECT count(*) FROM messages")?;
    let owned = count("SELECT coalesce(sum(top - oldest + 1), 0) FROM channels")?;
    if messages > owned {
        problems.push(format!("{} messages belong to no channel", messages - owned));
    }
    Ok(Inspection {
        channels: count("SELECT count(*) FROM channels")?,
        messages,
        problems,
    })
}

/// What SQLite itself finds in pages and indexes; the first hundred.
fn pages(snapshot: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut check = snapshot.prepare("PRAGMA integrity_check(100)")?;
    let found = check.query_map([], |row| row.get::<_, String>(0))?;
    found
        .filter(|line| !matches!(line, Ok(fine) if fine == "ok"))
        .collect()
}

/// Channels whose messages are not all there; the first hundred.
fn holes(snapshot: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut query = snapshot.prepare(
        "SELECT name, top - oldest + 1 AS owned, (
            SELECT count(*) FROM messages
            WHERE place BETWEEN (channels.id << ?1) + oldest AND (channels.id << ?1) + top
        ) AS there FROM channels WHERE owned <> there LIMIT 100",
    )?;
    let found = query.query_map([SEQ_BITS], |row| {
        let (name, owned, there): (String, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok(format!(
            "the channel {name} should have {owned} messages and has {there}"
        ))
    })?;
    found.collect()
}

/// Channels whose rows are not as they were written; the first hundred.
fn unsound_channels(snapshot: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut query = snapshot.prepare(select_channel!())?;
    let mut rows = query.query([])?;
    let mut problems = Vec::new();
    while problems.len() < TOLD
        && let Some(row) = rows.next()?
    {
        match Row::read(row) {
            Ok(_) => {}
            Err(ReadError::Sqlite(error)) => return Err(error),
            Err(ReadError::Damaged(what)) => problems.push(format!(
                "{what}: the server does not start, for nobody knows what the channel holds"
            )),
        }
    }
    Ok(problems)
}

/// Messages that are not as they were written; the first hundred.
fn unsound_messages(snapshot: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut query = snapshot.prepare(select!())?;
    let mut rows = query.query([])?;
    let mut problems = Vec::new();
    while problems.len() < TOLD
        && let Some(row) = rows.next()?
    {
        if sums::is_sound(row, sums::MESSAGE)? {
            continue;
        }
        let place: i64 = row.get(0)?;
        let channel: Option<String> = snapshot
            .query_row(
                "SELECT name FROM channels WHERE id = ?1",
                [place >> SEQ_BITS],
                |row| row.get(0),
            )
            .optional()?;
        problems.push(format!(
            "the checksum of message {} of the channel {} is wrong: neither it nor a page that it would be on is served",
            seq_of(place),
            channel.unwrap_or_else(|| "that is missing".to_owned())
        ));
    }
    Ok(problems)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::conformance::{KEEP_ALL, in_sqlite};

    fn filled(folder: &Path) -> std::path::PathBuf {
        let path = folder.join("messages.db");
        let store = in_sqlite(&path);
        store.fill("a", 12, KEEP_ALL);
        store.fill("b", 3, KEEP_ALL);
        store.0.close();
        path
    }

    #[test]
    fn a_sound_database_is_counted_while_a_server_uses_it() {
        let folder = tempfile::tempdir().unwrap();
        let store = in_sqlite(&folder.path().join("messages.db"));
        store.fill("a", 12, KEEP_ALL);
        let found = inspect(&folder.path().join("messages.db")).unwrap();
        assert_eq!((found.channels, found.messages), (1, 12));
        assert!(found.problems.is_empty(), "{:?}", found.problems);
    }

    #[test]
    fn a_message_that_is_gone_and_one_too_many_are_both_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = filled(folder.path());
        let database = Connection::open(&path).unwrap();
        let sql = "DELETE FROM messages WHERE place = (SELECT id << 36 FROM channels WHERE name = 'a') + 5";
        assert_eq!(database.execute(sql, []).unwrap(), 1);
        drop(database);
        let problems = inspect(&path).unwrap().problems;
        assert_eq!(problems, ["the channel a should have 12 messages and has 11"]);

        let database = Connection::open(&path).unwrap();
        database
            .execute("DELETE FROM channels WHERE name = 'b'", [])
            .unwrap();
        drop(database);
        let problems = inspect(&path).unwrap().problems.join("; ");
        assert!(problems.contains("2 messages belong to no channel"), "{problems}");
    }

    #[test]
    fn a_state_older_than_what_was_confirmed_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = filled(folder.path());
        let mark = path.with_extension("mark");
        let (written, confirmed) = Mark::open(&mark).unwrap();
        written.set(confirmed.unwrap() + 7).unwrap();
        let problems = inspect(&path).unwrap().problems.join("; ");
        assert!(
            problems.contains("7 commits that were confirmed are missing"),
            "{problems}"
        );
        std::fs::remove_file(&mark).unwrap();
        let problems = inspect(&path).unwrap().problems.join("; ");
        assert!(problems.contains("messages.mark is missing"), "{problems}");
        assert!(!mark.exists(), "looking makes nothing");
    }
}
