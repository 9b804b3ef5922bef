//! Which tables a database has, and how one of an older server gets them.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::Why;

/// SQLite before this could corrupt a database in WAL mode when a reader met a checkpoint (DESIGN §4).
const SQLITE_AT_LEAST: i32 = 3_051_003;
/// How long a writer waits for another process: a command beside the server, or a backup.
const BUSY: Duration = Duration::from_secs(5);

/// The tables of one database.
pub(crate) struct Schema {
    /// Marks a file as this database and no other.
    pub(crate) application_id: i64,
    /// One step a version: step n leads from `user_version` n to n + 1. Steps are never changed, only added.
    pub(crate) steps: &'static [&'static str],
}

impl Schema {
    /// Opens the file for writing, making it where it is not there, and brings it to this server's version.
    pub(crate) fn open(&self, path: &Path) -> Result<Connection, Why> {
        let mut connection = self.connect(path, OpenFlags::SQLITE_OPEN_CREATE)?;
        let known = self.version();
        let all = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let found: i64 = all.pragma_query_value(None, "user_version", |row| row.get(0))?;
        let missing = usize::try_from(found)
            .ok()
            .and_then(|done| self.steps.get(done..));
        for step in missing.ok_or(Why::Newer { found, known })? {
            all.execute_batch(step)?;
        }
        all.pragma_update(None, "application_id", self.application_id)?;
        all.pragma_update(None, "user_version", known)?;
        all.commit()?;
        Ok(connection)
    }

    /// Opens the file of a server that is running, and leaves its version alone.
    pub(crate) fn open_as_it_is(&self, path: &Path) -> Result<Connection, Why> {
        let connection = self.connect(path, OpenFlags::empty())?;
        let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if found == self.version() {
            Ok(connection)
        } else {
            Err(Why::InUse)
        }
    }

    fn version(&self) -> i64 {
        i64::try_from(self.steps.len()).expect("a handful")
    }

    fn connect(&self, path: &Path, more: OpenFlags) -> Result<Connection, Why> {
        if rusqlite::version_number() < SQLITE_AT_LEAST {
            return Err(Why::Library);
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | more;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY)?;
        let owner: i64 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
        if owner != 0 && owner != self.application_id {
            return Err(Why::Foreign);
        }
        connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
        connection.pragma_update(None, "synchronous", "full")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.pragma_update(None, "trusted_schema", false)?;
        Ok(connection)
    }
}

/// Opens a file for reading.
pub(crate) fn open_reader(path: &Path) -> Result<Connection, Why> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::OpenError;

    const ONE: Schema = Schema {
        application_id: 1_001,
        steps: &["CREATE TABLE a (b TEXT) STRICT; INSERT INTO a VALUES ('kept');"],
    };
    const TWO: Schema = Schema {
        application_id: 1_001,
        steps: &[
            ONE.steps[0],
            "ALTER TABLE a ADD COLUMN c TEXT NOT NULL DEFAULT 'new'",
        ],
    };

    fn told(path: &Path, opened: Result<Connection, Why>) -> String {
        OpenError::new(path, opened.unwrap_err()).to_string()
    }

    #[test]
    fn a_database_of_an_older_server_gets_what_is_missing_and_keeps_what_it_has() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("some.db");
        drop(ONE.open(&path).unwrap());
        for _ in 0..2 {
            let connection = TWO.open(&path).unwrap();
            let rows: (i64, String, String) = connection
                .query_row("SELECT count(*), b, c FROM a", (), |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
                })
                .unwrap();
            assert_eq!(rows, (1, "kept".to_owned(), "new".to_owned()));
        }
    }

    #[test]
    fn a_database_of_a_newer_server_is_refused_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("some.db");
        drop(TWO.open(&path).unwrap());
        let told = told(&path, ONE.open(&path));
        assert!(
            told.contains("newer server") && told.contains("some.db"),
            "{told}"
        );
        let untouched = open_reader(&path).unwrap();
        let version: i64 = untouched
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .unwrap();
        assert_eq!(version, 2);
    }

    #[test]
    fn beside_a_server_of_another_version_nothing_is_brought_up_to_date() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("some.db");
        assert!(TWO.open_as_it_is(&path).is_err(), "nothing is made");
        drop(ONE.open(&path).unwrap());
        assert!(told(&path, TWO.open_as_it_is(&path)).contains("another version"));
        assert!(ONE.open_as_it_is(&path).is_ok());
    }

    #[test]
    fn a_database_of_another_program_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("some.db");
        let foreign = Connection::open(&path).unwrap();
        foreign.pragma_update(None, "application_id", 7).unwrap();
        drop(foreign);
        assert!(told(&path, ONE.open(&path)).contains("another program"));
    }
}
