//! The log of a database whose writer is the test.

use std::cell::Cell;
use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use super::*;
use crate::history::sqlite::schema;

/// A page of the log with its header, bytes.
const FRAME: u64 = 4_096 + 24;

/// A database whose writer is the test.
struct Database {
    folder: TempDir,
    connection: Connection,
    wal: Wal,
    rows: Cell<i64>,
}

impl Database {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("messages.db");
        let setup = Connection::open(&path).unwrap();
        setup
            .execute_batch("CREATE TABLE rows (one INTEGER PRIMARY KEY, filler BLOB)")
            .unwrap();
        drop(setup);
        let connection = schema::open_again(&path).unwrap();
        let wal = Wal::start(&path, FileId::of(&path).unwrap()).unwrap();
        let database = Self {
            folder,
            connection,
            wal,
            rows: Cell::new(0),
        };
        database.commit();
        database
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("messages.db")
    }

    fn pages(&self) -> Pages {
        Pages::now(&self.connection).unwrap().unwrap()
    }

    fn bytes(&self) -> u64 {
        let log = self.path().with_extension("db-wal");
        fs::metadata(log).map_or(0, |metadata| metadata.len())
    }

    /// Commits about a hundred pages, over those of ten commits before: the database stays small.
    fn commit(&self) {
        let row = self.rows.get();
        self.rows.set(row + 1);
        self.connection
            .execute(
                "INSERT OR REPLACE INTO rows VALUES (?1, zeroblob(400000))",
                [row % 10],
            )
            .unwrap();
    }

    /// Commits so many pages, as busily as can be; what was done for the log.
    fn write(&mut self, pages: u32) -> Vec<Step> {
        let mut steps = Vec::new();
        let mut written = 0;
        while written < pages {
            let before = self.pages().log;
            self.commit();
            let after = self.pages().log;
            written += after.checked_sub(before).unwrap_or(after);
            steps.push(self.wal.step(&self.connection, false).unwrap());
        }
        steps.retain(|step| *step != Step::Nothing);
        steps
    }

    fn let_pass_end(&mut self) {
        let passed = self.wal.checkpointer.wait();
        self.wal.note(passed);
    }
}

#[test]
fn the_log_is_copied_beside_the_writer_who_rarely_waits() {
    let mut database = Database::new();
    for _ in 0..2 {
        assert_eq!(database.write(COPIED_AT_ONCE), [Step::Copy]);
        database.let_pass_end();
        let pages = database.pages();
        assert!(
            pages.copied > COPIED_AT_ONCE / 2,
            "the writer copied nothing, and {pages:?}"
        );
    }
}

#[test]
fn the_log_stays_bounded_while_nothing_is_ever_quiet() {
    let mut database = Database::new();
    let mut finished = 0;
    for _ in 0..2 {
        let steps = database.write(BEGUN_ANEW + 1_000);
        finished += steps.iter().filter(|step| **step == Step::Finish).count();
        let most = u64::from(MOST + 200) * FRAME;
        assert!(database.bytes() < most, "{} bytes", database.bytes());
    }
    assert!((1..=2).contains(&finished), "begun anew {finished} times");
}

#[test]
fn a_quiet_moment_is_used_to_begin_the_log_anew() {
    let mut database = Database::new();
    assert_eq!(database.wal.moment(), None);
    database.write(COPIED_AT_ONCE / 2);
    // What comes while the log is copied stays behind, as what a reader needs.
    let reader = schema::open_reader(&database.path()).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM rows").unwrap();
    assert_eq!(database.write(COPIED_AT_ONCE / 2), [Step::Copy]);
    database.let_pass_end();
    reader.execute_batch("END").unwrap();
    database.wal.tend(&database.connection, false);
    assert_eq!(database.wal.moment(), Some(MOMENT), "{:?}", database.pages());
    let step = database.wal.step(&database.connection, true).unwrap();
    assert_eq!((step, database.wal.moment()), (Step::Finish, None));
    database.commit();
    assert!(database.pages().log < 200, "{:?}", database.pages());
}

#[test]
fn who_reads_an_old_state_keeps_it_and_the_log_is_begun_anew_after() {
    let mut database = Database::new();
    let reader = schema::open_reader(&database.path()).unwrap();
    reader.execute_batch("BEGIN").unwrap();
    let count = || -> i64 {
        reader
            .query_row("SELECT count(*) FROM rows", [], |row| row.get(0))
            .unwrap()
    };
    assert_eq!(count(), 1);
    let pages = MOST + 2 * TRIED_AGAIN;
    let steps = database.write(pages);
    assert_eq!(count(), 1);
    assert!(database.pages().log >= pages);
    // One attempt in so many pages, not one a commit.
    let most = (pages / TRIED_AGAIN + pages / COPIED_AT_ONCE) as usize;
    assert!(steps.len() <= most, "{} attempts", steps.len());
    reader.execute_batch("END").unwrap();
    database.write(TRIED_AGAIN + 200);
    database.commit();
    assert!(database.pages().log < COPIED_AT_ONCE, "{:?}", database.pages());
    let limit = u64::from(MOST + 500) * FRAME;
    assert!(database.bytes() < limit, "{} bytes are left", database.bytes());
}

#[test]
fn a_log_that_cannot_be_copied_is_told_once_and_copied_when_it_can() {
    let mut database = Database::new();
    let away = database.folder.path().join("away.db");
    let connection = schema::open_again(&database.path()).unwrap();
    fs::rename(database.path(), &away).unwrap();
    let mut incidents = Vec::new();
    for _ in 0..2 {
        assert_eq!(database.write(COPIED_AT_ONCE), [Step::Copy]);
        database.let_pass_end();
        incidents.push(database.wal.incident.clone().unwrap());
    }
    assert_eq!(incidents[0], incidents[1]);
    assert_eq!(database.pages().copied, 0);
    fs::rename(&away, database.path()).unwrap();
    database.wal.checkpointer.ask();
    database.let_pass_end();
    assert_eq!(database.wal.incident, None);
    assert!(database.pages().copied >= 2 * COPIED_AT_ONCE);
    drop(connection);
}

#[test]
fn where_nobody_copies_beside_it_the_writer_does_it_all() {
    let mut database = Database::new();
    let away = database.folder.path().join("away.db");
    fs::rename(database.path(), &away).unwrap();
    let mut steps = Vec::new();
    for _ in 0..6 {
        steps.extend(database.write(COPIED_AT_ONCE));
        database.let_pass_end();
    }
    assert_eq!(steps.iter().filter(|step| **step == Step::Finish).count(), 1);
    assert!(
        database.pages().log < 2 * COPIED_AT_ONCE,
        "{:?}",
        database.pages()
    );
}
