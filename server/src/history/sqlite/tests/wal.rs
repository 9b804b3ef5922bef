//! A store whose log is long enough to be copied into the database.

use bmt_shared::payload::Payload;
use bmt_shared::request::Publish;

use super::super::schema;
use super::*;
use crate::history::conformance::{draft_of, topic};

/// Messages that make up more of the log than is copied at once, 13 pages each.
const MANY: u64 = 400;

/// Publishes messages of 50 kB.
fn fill(store: &Subject, keys: std::ops::Range<u64>) {
    let text = "x".repeat(50_000);
    let payload = format!(r#"{{"type":"text","text":"{text}"}}"#);
    let payload = Payload::parse(&payload).unwrap();
    for key in keys {
        let publish = Publish::new(topic("a"), payload.clone());
        store.append(vec![draft_of(publish, "u", &format!("k{key}"), NOW_MS)]);
    }
}

/// How long the log is, and how much of it is copied, in pages.
fn pages(folder: &Folder) -> (i64, i64) {
    let other = schema::open_checkpointer(&folder.database()).unwrap();
    other
        .query_row("PRAGMA wal_checkpoint(NOOP)", [], |row| {
            Ok((row.get(1)?, row.get(2)?))
        })
        .unwrap()
}

fn wait_for(what: &str, mut is_there: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_there() {
        assert!(Instant::now() < deadline, "{what}");
        thread::yield_now();
    }
}

#[test]
fn a_long_log_is_copied_without_a_further_publish() {
    let folder = Folder::new();
    let store = in_sqlite(&folder.database());
    fill(&store, 0..MANY / 2);
    let reader = schema::open_reader(&folder.database()).unwrap();
    reader.execute_batch("BEGIN; SELECT * FROM store").unwrap();
    fill(&store, MANY / 2..MANY);
    wait_for("nothing is copied", || pages(&folder).1 > 0);
    reader.execute_batch("END").unwrap();
    wait_for("the log is not copied to its end", || {
        let (log, copied) = pages(&folder);
        log > 0 && log == copied
    });
    fill(&store, MANY..MANY + 1);
    let (log, _) = pages(&folder);
    assert!(log < 100, "{log} pages: the log was not begun anew");
}

/// As after a SIGKILL, and as after a power cut, which leaves no shared memory.
#[test]
fn what_was_acked_is_there_after_an_end_between_copying_the_log_and_beginning_it_anew() {
    let folder = Folder::new();
    let store = in_sqlite(&folder.database());
    fill(&store, 0..MANY / 2);
    let epoch = store.open("a", KEEP_ALL, NOW_MS).epoch;
    // Holds the copying up in the middle.
    let reader = schema::open_reader(&folder.database()).unwrap();
    reader.execute_batch("BEGIN; SELECT * FROM store").unwrap();
    fill(&store, MANY / 2..MANY);
    wait_for("nothing is copied", || pages(&folder).1 > 0);
    let (log, copied) = pages(&folder);
    assert!(copied < log, "{copied} of {log} pages are copied");
    for power_cut in [false, true] {
        let left = copy_as_left(&folder);
        if power_cut {
            fs::remove_file(left.file("messages.db-shm")).unwrap();
        }
        let again = in_sqlite(&left.database());
        let opened = again.open("a", KEEP_ALL, NOW_MS);
        assert_eq!((opened.epoch, opened.top), (epoch.clone(), MANY));
        again.0.close();
        let found = super::super::inspect(&left.database()).unwrap();
        assert_eq!((found.messages, found.problems), (MANY, Vec::<String>::new()));
    }
}

#[test]
fn a_store_that_is_closed_while_its_log_is_copied_leaves_one_file() {
    let folder = Folder::new();
    let store = in_sqlite(&folder.database());
    fill(&store, 0..MANY);
    store.0.close();
    let log = fs::metadata(folder.file("messages.db-wal")).map_or(0, |log| log.len());
    assert_eq!(log, 0);
}
