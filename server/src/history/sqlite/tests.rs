//! What the conformance suite does not reach: the file, its damages, and failing commits.

mod damage;
mod wal;

use std::fs::{self, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use bmt_server_core::channel::{Appended, Retention};
use bmt_shared::position::Epoch;
use rusqlite::Connection;
use tempfile::TempDir;

use super::{OpenError, SqliteHistory};
use crate::history::conformance::{KEEP_ALL, NOW_MS, Subject, all, draft, in_sqlite, seqs, settings};
use crate::history::{Append, Batch, History};

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn database(&self) -> PathBuf {
        self.file("messages.db")
    }

    /// A closed database with messages 1 to `count` in the channel `a`; answers their epoch.
    fn with_messages(&self, count: usize) -> Epoch {
        let store = in_sqlite(&self.database());
        store.fill("a", count, KEEP_ALL);
        let epoch = store.open("a", KEEP_ALL, NOW_MS).epoch;
        store.0.close();
        epoch
    }

    fn refusal(&self) -> OpenError {
        match SqliteHistory::open(&self.database(), settings()) {
            Ok(_) => panic!("the database was opened"),
            Err(error) => error,
        }
    }
}

/// Copies the database as a killed process would leave it: whatever is in the files at this moment.
fn copy_as_left(from: &Folder) -> Folder {
    let to = Folder::new();
    for file in fs::read_dir(from.0.path()).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), to.file(file.file_name().to_str().unwrap())).unwrap();
    }
    to
}

#[test]
fn what_was_acked_is_there_after_a_kill_under_the_same_epoch() {
    let folder = Folder::new();
    let store = in_sqlite(&folder.database());
    let epoch = store.open("a", KEEP_ALL, NOW_MS).epoch;
    for n in 1..=20 {
        store.append(vec![draft("a", "u", &format!("k{n}"))]);
    }
    // The store still runs: nothing was closed in good order.
    let left = copy_as_left(&folder);
    let again = in_sqlite(&left.database());
    let page = again.read(all("a"));
    assert_eq!((page.epoch, seqs(&page.entries)), (epoch, (1..=20).collect()));
    let appended = again.append(vec![draft("a", "u", "k20"), draft("a", "u", "k21")]);
    assert!(
        matches!(appended[0], Appended::Duplicate { seq: 20, .. }),
        "keys survive"
    );
    assert!(matches!(&appended[1], Appended::Stored { entry, .. } if entry.seq() == 21));
}

#[test]
fn a_log_that_was_cut_off_begins_a_new_epoch() {
    let folder = Folder::new();
    let store = in_sqlite(&folder.database());
    for n in 1..=20 {
        store.append(vec![draft("a", "u", &format!("k{n}"))]);
    }
    let epoch = store.open("a", KEEP_ALL, NOW_MS).epoch;
    for cut in [1, 9_000, 20_000] {
        let left = copy_as_left(&folder);
        let log = left.file("messages.db-wal");
        let length = fs::metadata(&log).unwrap().len();
        OpenOptions::new()
            .write(true)
            .open(&log)
            .unwrap()
            .set_len(length - cut)
            .unwrap();
        let again = in_sqlite(&left.database());
        let page = again.read(all("a"));
        assert!(
            page.entries.len() < 20,
            "the cut of {cut} bytes took messages away"
        );
        assert_ne!(page.epoch, epoch, "{cut}");
        // The new epoch stays from then on.
        again.0.close();
        assert_eq!(
            in_sqlite(&left.database()).open("a", KEEP_ALL, NOW_MS).epoch,
            page.epoch
        );
    }
}

#[test]
fn a_database_that_is_gone_or_emptied_begins_a_new_epoch() {
    for empty in [true, false] {
        let folder = Folder::new();
        let epoch = folder.with_messages(5);
        if empty {
            fs::write(folder.database(), "").unwrap();
        } else {
            fs::remove_file(folder.database()).unwrap();
        }
        let opened = in_sqlite(&folder.database()).open("a", KEEP_ALL, NOW_MS);
        assert_eq!(opened.top, 0);
        assert_ne!(opened.epoch, epoch);
    }
}

#[test]
fn an_older_copy_begins_a_new_epoch_and_a_whole_one_does_not() {
    let folder = Folder::new();
    let epoch = folder.with_messages(5);
    let older = copy_as_left(&folder);
    assert_eq!(
        in_sqlite(&older.database()).open("a", KEEP_ALL, NOW_MS).epoch,
        epoch
    );
    let store = in_sqlite(&folder.database());
    store.append(vec![draft("a", "u", "more")]);
    store.0.close();
    fs::copy(older.database(), folder.database()).unwrap();
    let opened = in_sqlite(&folder.database()).open("a", KEEP_ALL, NOW_MS);
    assert_eq!(opened.top, 5);
    assert_ne!(opened.epoch, epoch);
}

#[test]
fn a_database_without_its_mark_is_not_trusted_to_be_the_newest() {
    let folder = Folder::new();
    let epoch = folder.with_messages(5);
    fs::remove_file(folder.file("messages.mark")).unwrap();
    let opened = in_sqlite(&folder.database()).open("a", KEEP_ALL, NOW_MS);
    assert_eq!(opened.top, 5);
    assert_ne!(opened.epoch, epoch);
}

#[test]
fn a_newer_schema_is_refused_and_left_alone() {
    let folder = Folder::new();
    folder.with_messages(1);
    let connection = Connection::open(folder.database()).unwrap();
    connection.pragma_update(None, "user_version", 1_000).unwrap();
    drop(connection);
    let told = folder.refusal().to_string();
    assert!(told.contains("newer server (schema 1000"), "{told}");
    let connection = Connection::open(folder.database()).unwrap();
    let version: i64 = connection
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap();
    assert_eq!(version, 1_000);
}

#[test]
fn a_database_of_another_program_is_refused() {
    let folder = Folder::new();
    let connection = Connection::open(folder.database()).unwrap();
    connection.execute_batch("CREATE TABLE theirs (a)").unwrap();
    drop(connection);
    let told = folder.refusal().to_string();
    assert!(told.contains("another program"), "{told}");
}

#[test]
fn a_file_that_is_no_database_is_refused() {
    let folder = Folder::new();
    fs::write(folder.database(), "x".repeat(10_000)).unwrap();
    let error = folder.refusal();
    assert!(error.is_damage(), "{error}");
    assert!(error.to_string().contains("Restore it from a backup"), "{error}");
}

/// FAULTS 75: wherever a page is destroyed, the server refuses, or what it serves is whole.
#[test]
fn a_destroyed_page_is_refused_or_does_no_harm() {
    let folder = Folder::new();
    let epoch = folder.with_messages(300);
    let pages = fs::metadata(folder.database()).unwrap().len() / 4_096;
    assert!(pages > 10, "there is something to destroy");
    let mut refused = 0;
    for page in 0..pages {
        let left = copy_as_left(&folder);
        overwrite(&left.database(), page * 4_096, &[0xa5; 64]);
        match SqliteHistory::open(&left.database(), settings()) {
            Err(error) => {
                assert!(
                    error.is_damage() || error.to_string().contains("another program"),
                    "{error}"
                );
                refused += 1;
            }
            Ok(store) => assert_whole_or_refused(&Subject(Arc::new(store)), &epoch, 300),
        }
    }
    assert!(refused > pages / 2, "{refused} of {pages} refused");
}

fn assert_whole_or_refused(store: &Subject, epoch: &Epoch, count: u64) {
    let (answer, answered) = channel();
    store
        .0
        .read(all("a"), Box::new(move |result| answer.send(result).unwrap()));
    if let Ok(page) = answered.recv().unwrap()
        && page.epoch == *epoch
    {
        assert_eq!(seqs(&page.entries), (1..=count).collect::<Vec<_>>());
    }
}

fn overwrite(path: &Path, at: u64, bytes: &[u8]) {
    let mut file = OpenOptions::new().write(true).open(path).unwrap();
    file.seek(SeekFrom::Start(at)).unwrap();
    file.write_all(bytes).unwrap();
}

#[test]
fn a_missing_message_is_an_error_and_never_a_shorter_history() {
    let folder = Folder::new();
    folder.with_messages(10);
    let connection = Connection::open(folder.database()).unwrap();
    let removed = connection
        .execute("DELETE FROM messages WHERE key = 'm5'", [])
        .unwrap();
    assert_eq!(removed, 1);
    drop(connection);
    let store = in_sqlite(&folder.database());
    let (answer, answered) = channel();
    store
        .0
        .read(all("a"), Box::new(move |result| answer.send(result).unwrap()));
    let failure = answered.recv().unwrap().unwrap_err();
    assert!(failure.to_string().contains("incident"), "{failure}");
}

#[test]
fn a_missing_newest_message_is_refused_at_the_start() {
    let folder = Folder::new();
    folder.with_messages(10);
    let connection = Connection::open(folder.database()).unwrap();
    connection
        .execute("DELETE FROM messages WHERE key = 'm10'", [])
        .unwrap();
    drop(connection);
    let error = folder.refusal();
    assert!(error.is_damage(), "{error}");
}

/// FAULTS 73: the folder is taken away while the server runs, and brought back.
#[test]
fn a_failed_commit_burns_no_seq_and_takes_later_batches_with_it() {
    let folder = Folder::new();
    let store = in_sqlite(&folder.database());
    store.append(vec![draft("a", "u", "k1")]);
    let away = folder.file("away.db");
    fs::rename(folder.database(), &away).unwrap();
    let failure = store.try_append(0, vec![draft("a", "u", "k2")]).unwrap_err();
    assert!(!store.0.is_writable());
    fs::rename(&away, folder.database()).unwrap();
    // Sent before the failure was heard of: must not overtake the message that will be sent again.
    let late = store.try_append(0, vec![draft("a", "u", "k3")]).unwrap_err();
    assert_eq!(late.term, failure.term);
    let again = store.try_append(late.term, vec![draft("a", "u", "k2"), draft("a", "u", "k3")]);
    let again = again.unwrap();
    assert!(matches!(&again[0], Appended::Stored { entry, .. } if entry.seq() == 2));
    assert!(matches!(&again[1], Appended::Stored { entry, .. } if entry.seq() == 3));
    assert!(store.0.is_writable());
}

#[test]
fn a_row_that_fails_takes_its_whole_batch_back() {
    let folder = Folder::new();
    let store = in_sqlite(&folder.database());
    store.append(vec![draft("a", "u", "k1"), draft("b", "u", "k1")]);
    let other = Connection::open(folder.database()).unwrap();
    other
        .execute_batch(
            "CREATE TRIGGER planted BEFORE INSERT ON messages WHEN NEW.key = 'poison'
             BEGIN SELECT RAISE(ABORT, 'planted'); END",
        )
        .unwrap();
    let batch = ["k2", "poison", "k3"].map(|key| draft("a", "u", key));
    let failure = store.try_append(0, batch.to_vec()).unwrap_err();
    assert_eq!(seqs(&store.read(all("a")).entries), [1], "nothing of it is kept");
    other.execute_batch("DROP TRIGGER planted").unwrap();
    let again = store.try_append(failure.term, batch.to_vec()).unwrap();
    for (appended, expected) in again.iter().zip(2..) {
        assert!(matches!(appended, Appended::Stored { entry, .. } if entry.seq() == expected));
    }
    assert_eq!(seqs(&store.read(all("a")).entries), [1, 2, 3, 4]);
    assert!(store.0.is_writable());
}

#[test]
fn a_store_that_comes_back_is_ready_without_a_publish() {
    let folder = Folder::new();
    let store = in_sqlite(&folder.database());
    let away = folder.file("away.db");
    fs::rename(folder.database(), &away).unwrap();
    store.try_append(0, vec![draft("a", "u", "k1")]).unwrap_err();
    assert!(!store.0.is_writable());
    fs::rename(&away, folder.database()).unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while !store.0.is_writable() {
        assert!(Instant::now() < deadline, "the store does not come back");
        thread::yield_now();
    }
}

#[test]
fn the_file_does_not_grow_with_what_is_trimmed() {
    let folder = Folder::new();
    let store = in_sqlite(&folder.database());
    let retention = Retention {
        messages: Some(100),
        ttl_ms: 0,
    };
    store.fill("a", 500, retention);
    store.0.close();
    let rows = |table: &str| -> i64 {
        let connection = Connection::open(folder.database()).unwrap();
        connection
            .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))
            .unwrap()
    };
    assert!((100..=113).contains(&rows("messages")), "{}", rows("messages"));
    assert_eq!(rows("keys"), 500);
}

#[test]
fn a_closed_store_answers_instead_of_keeping_silent() {
    let folder = Folder::new();
    let store = in_sqlite(&folder.database());
    store.0.close();
    assert!(!store.0.is_writable());
    assert!(store.try_append(0, vec![draft("a", "u", "k")]).is_err());
}

/// FAULTS 78: many publishers share a sync; each still waits for its own.
#[test]
fn sixty_four_publishers_share_their_commits() {
    const PUBLISHERS: usize = 64;
    const EACH: usize = 40;
    let folder = Folder::new();
    let store = Arc::new(SqliteHistory::open(&folder.database(), settings()).unwrap());
    let sync = sync_latency(&folder.file("probe"));
    let began = Instant::now();
    let publishers = (0..PUBLISHERS).map(|publisher| {
        let store = store.clone();
        thread::spawn(move || {
            (0..EACH)
                .map(|n| publish(&store, publisher, n))
                .collect::<Vec<_>>()
        })
    });
    let publishers: Vec<_> = publishers.collect();
    let mut waits: Vec<Duration> = publishers
        .into_iter()
        .flat_map(|one| one.join().unwrap())
        .collect();
    let took = began.elapsed();
    waits.sort_unstable();
    let acked = waits.len() as f64 / took.as_secs_f64();
    let p99 = waits[waits.len() * 99 / 100];
    println!(
        "{acked:.0} acked/s by {PUBLISHERS} publishers, ack p50 {:?}, p99 {p99:?}; one sync takes {sync:?}",
        waits[waits.len() / 2]
    );
    // One sync a message would be at most 1/sync; loose, because the machine is shared.
    let alone = 1.0 / sync.as_secs_f64();
    assert!(
        acked > 1_000.0 || acked > 2.0 * alone,
        "{acked:.0} acked/s, {alone:.0} syncs/s"
    );
}

fn publish(store: &SqliteHistory, publisher: usize, n: usize) -> Duration {
    let began = Instant::now();
    let (answer, answered) = channel();
    store.append(Batch {
        term: 0,
        reads: Vec::new(),
        appends: vec![Append {
            draft: draft("a", &format!("u{publisher}"), &format!("k{n}")),
            retention: KEEP_ALL,
        }],
        done: Box::new(move |result| answer.send(result.map(drop)).unwrap()),
    });
    answered.recv().unwrap().unwrap();
    began.elapsed()
}

/// The middle of some syncs of an appended page: what one commit cannot go below.
fn sync_latency(path: &Path) -> Duration {
    let mut file = fs::File::create(path).unwrap();
    let mut waits: Vec<_> = (0..21)
        .map(|_| {
            file.write_all(&[7; 4_096]).unwrap();
            let began = Instant::now();
            file.sync_data().unwrap();
            began.elapsed()
        })
        .collect();
    waits.sort_unstable();
    waits[waits.len() / 2]
}
