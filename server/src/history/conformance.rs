//! What every store must do, run against each of them.

mod amendments;
mod erasures;
mod listing;

use std::path::Path;
use std::sync::mpsc::channel;
use std::sync::{Arc, mpsc};

use arc_swap::ArcSwap;
use bmt_server_core::channel::{Appended, Draft, Entry, Opened, Page, Range, Read, ReadMark, Retention};
use bmt_shared::channel::ChannelName;
use bmt_shared::id::{MessageId, UserId};
use bmt_shared::message::Priority;
use bmt_shared::namespace::Namespaces;
use bmt_shared::payload::Payload;
use bmt_shared::position::{Epoch, Seq};
use bmt_shared::request::Publish;

use amendments::*;
use erasures::*;
use listing::*;

use super::{Append, Batch, History, MemoryHistory, SqliteHistory, SqliteSettings, StoreFailure, Term};

pub(super) const WINDOW_MS: u64 = 60_000;
pub(crate) const NOW_MS: u64 = 1_700_000_000_000;
pub(crate) const KEEP_ALL: Retention = Retention {
    messages: None,
    ttl_ms: 0,
};

/// A store under test, asked and answered in one go.
pub(crate) struct Subject(pub(crate) Arc<dyn History>);

pub(super) fn topic(name: &str) -> ChannelName {
    ChannelName::parse(name).unwrap()
}

/// A draft by `user` under `key`, taken at [`NOW_MS`].
pub(super) fn draft(on: &str, user: &str, key: &str) -> Draft {
    let publish = Publish::new(topic(on), Payload::parse(r#"{"type":"text"}"#).unwrap());
    draft_of(publish, user, key, NOW_MS)
}

pub(super) fn draft_of(publish: Publish, user: &str, key: &str, now_ms: u64) -> Draft {
    let random = u128::from(getrandom::u64().unwrap());
    Draft::new(
        publish,
        UserId::new(user),
        MessageId::parse(key).unwrap(),
        now_ms,
        random,
    )
}

pub(crate) fn seqs(entries: &[Arc<Entry>]) -> Vec<Seq> {
    entries.iter().map(|entry| entry.seq()).collect()
}

impl Subject {
    /// Hands a batch over; what comes of it arrives later.
    pub(super) fn hand_over(
        &self,
        term: Term,
        drafts: Vec<Draft>,
        retention: Retention,
    ) -> mpsc::Receiver<Result<Vec<Appended>, StoreFailure>> {
        let (answer, answered) = channel();
        let appends = drafts.into_iter().map(|draft| Append { draft, retention });
        self.0.append(Batch {
            term,
            appends: appends.collect(),
            reads: Vec::new(),
            done: Box::new(move |result| answer.send(result).unwrap()),
        });
        answered
    }

    pub(super) fn try_append(&self, term: Term, drafts: Vec<Draft>) -> Result<Vec<Appended>, StoreFailure> {
        self.hand_over(term, drafts, KEEP_ALL).recv().unwrap()
    }

    pub(super) fn append(&self, drafts: Vec<Draft>) -> Vec<Appended> {
        self.try_append(0, drafts).unwrap()
    }

    /// Keeps read positions, after the drafts.
    fn mark(&self, drafts: Vec<Draft>, marks: &[(&str, &str, Seq)]) {
        let (answer, answered) = channel();
        let appends = drafts.into_iter().map(|draft| Append {
            draft,
            retention: KEEP_ALL,
        });
        let mark = |(on, user, seq): &(&str, &str, Seq)| ReadMark {
            topic: topic(on),
            user: UserId::new(user),
            seq: *seq,
        };
        self.0.append(Batch {
            term: 0,
            appends: appends.collect(),
            reads: marks.iter().map(mark).collect(),
            done: Box::new(move |result| answer.send(result).unwrap()),
        });
        answered.recv().unwrap().unwrap();
    }

    fn readers(&self, on: &str) -> Vec<(String, Seq)> {
        let readers = self.open(on, KEEP_ALL, NOW_MS).readers.into_iter();
        let mut readers: Vec<_> = readers
            .map(|(user, seq)| (user.as_str().to_owned(), seq))
            .collect();
        readers.sort();
        readers
    }

    pub(super) fn append_kept(&self, drafts: Vec<Draft>, retention: Retention) {
        self.hand_over(0, drafts, retention).recv().unwrap().unwrap();
    }

    /// Fills a channel with messages `1..=count`.
    pub(crate) fn fill(&self, on: &str, count: usize, retention: Retention) {
        let drafts = (1..=count).map(|n| draft(on, "filler", &format!("m{n}")));
        let drafts: Vec<_> = drafts.collect();
        for some in drafts.chunks(100) {
            self.append_kept(some.to_vec(), retention);
        }
    }

    pub(crate) fn open(&self, on: &str, retention: Retention, now_ms: u64) -> Opened {
        let (answer, answered) = channel();
        let done = Box::new(move |result| answer.send(result).unwrap());
        self.0.open(topic(on), retention, now_ms, done);
        answered.recv().unwrap().unwrap()
    }

    pub(crate) fn read(&self, read: Read) -> Page {
        let (answer, answered) = channel();
        self.0
            .read(read, Box::new(move |result| answer.send(result).unwrap()));
        answered.recv().unwrap().unwrap()
    }

    pub(super) fn all(&self, on: &str) -> Page {
        self.read(all(on))
    }
}

/// Reads a whole channel.
pub(crate) fn all(on: &str) -> Read {
    Read {
        topic: topic(on),
        range: Range::Up {
            after: 0,
            through: Seq::MAX,
        },
        messages: usize::MAX,
        bytes: usize::MAX,
        retention: KEEP_ALL,
        now_ms: NOW_MS,
    }
}

pub(super) fn stored(appended: &Appended) -> (Seq, &Epoch) {
    match appended {
        Appended::Stored { entry, epoch, .. } => (entry.seq(), epoch),
        other => panic!("{other:?}"),
    }
}

fn seqs_of_each_channel_are_consecutive(store: &Subject) {
    let batch = ["a", "b", "a", "a", "b"].iter().enumerate();
    let first = store.append(batch.map(|(at, on)| draft(on, "u", &format!("k{at}"))).collect());
    let numbers: Vec<_> = first.iter().map(|appended| stored(appended).0).collect();
    assert_eq!(numbers, [1, 1, 2, 3, 2]);
    let next = store.append(vec![draft("b", "u", "k9"), draft("a", "u", "k9")]);
    assert_eq!([stored(&next[0]).0, stored(&next[1]).0], [3, 4]);
    assert_eq!(seqs(&store.all("a").entries), [1, 2, 3, 4]);
}

fn batches_are_kept_and_answered_in_the_order_of_their_arrival(store: &Subject) {
    let (answer, answered) = channel();
    for n in 0..500 {
        let answer = answer.clone();
        store.0.append(Batch {
            term: 0,
            appends: vec![Append {
                draft: draft("a", "u", &format!("k{n}")),
                retention: KEEP_ALL,
            }],
            reads: Vec::new(),
            done: Box::new(move |result| {
                let seq = stored(&result.unwrap()[0]).0;
                answer.send((n, seq)).unwrap();
            }),
        });
    }
    drop(answer);
    let answers: Vec<(u64, Seq)> = answered.iter().collect();
    assert_eq!(answers, (0..500).map(|n| (n, n + 1)).collect::<Vec<_>>());
}

fn one_epoch_is_told_everywhere(store: &Subject) {
    // Before its first message too: who subscribes to an empty channel keeps that position.
    let before = store.open("a", KEEP_ALL, NOW_MS);
    assert_eq!((before.top, before.oldest, before.newest.len()), (0, 1, 0));
    let appended = store.append(vec![draft("a", "u", "k")]);
    assert_eq!(stored(&appended[0]).1, &before.epoch);
    assert_eq!(store.all("a").epoch, before.epoch);
    store.0.release(&topic("a"));
    let after = store.open("a", KEEP_ALL, NOW_MS);
    assert_eq!(
        (after.epoch, after.top, seqs(&after.newest)),
        (before.epoch, 1, vec![1])
    );
}

fn a_known_key_answers_the_first_message(store: &Subject) {
    let first = draft("a", "u", "k");
    let id = first.id.clone();
    // The repetition in the same batch, and in a later one.
    let appended = store.append(vec![first, draft("a", "u", "k")]);
    let again = Appended::Duplicate { id, seq: 1 };
    assert_eq!(stored(&appended[0]).0, 1);
    assert_eq!(appended[1], again);
    assert_eq!(store.append(vec![draft("a", "u", "k")]), [again]);
    assert_eq!(seqs(&store.all("a").entries), [1]);
}

fn a_known_key_with_another_body_is_a_conflict(store: &Subject) {
    store.append(vec![draft("a", "u", "k")]);
    let other = Publish::new(topic("a"), Payload::parse("2").unwrap());
    let appended = store.append(vec![draft_of(other, "u", "k", NOW_MS)]);
    assert_eq!(appended, [Appended::Conflict]);
    assert_eq!(store.open("a", KEEP_ALL, NOW_MS).top, 1);
}

fn a_key_belongs_to_its_user_and_channel(store: &Subject) {
    store.append(vec![draft("a", "u", "k")]);
    let appended = store.append(vec![draft("a", "v", "k"), draft("b", "u", "k")]);
    assert_eq!([stored(&appended[0]).0, stored(&appended[1]).0], [2, 1]);
}

fn a_key_is_forgotten_when_its_window_is_over(store: &Subject) {
    let publish = || Publish::new(topic("a"), Payload::parse("1").unwrap());
    store.append(vec![draft_of(publish(), "u", "k", NOW_MS)]);
    let late = store.append(vec![draft_of(publish(), "u", "k", NOW_MS + WINDOW_MS - 1)]);
    assert!(matches!(late[0], Appended::Duplicate { seq: 1, .. }));
    let over = store.append(vec![draft_of(publish(), "u", "k", NOW_MS + WINDOW_MS)]);
    assert_eq!(stored(&over[0]).0, 2);
    let again = store.append(vec![draft_of(publish(), "u", "k", NOW_MS + WINDOW_MS + 1)]);
    assert!(matches!(again[0], Appended::Duplicate { seq: 2, .. }));
}

fn everything_of_a_message_comes_back(store: &Subject) {
    let payload = Payload::parse(r#"{"t":"你好 \"x\"","bin":{"_placeholder":true,"num":0}}"#).unwrap();
    let publish = Publish {
        priority: Priority::High,
        ttl_ms: 5_000,
        ..Publish::new(
            topic("a"),
            payload.with_attachments(vec![vec![0, 255].into(), Vec::new().into()]),
        )
    };
    let draft = draft_of(publish, "ü\"1", "msg_1_~ x", NOW_MS);
    let appended = store.append(vec![draft.clone()]);
    let expected = draft.numbered(1);
    let Appended::Stored { entry, .. } = &appended[0] else {
        panic!()
    };
    assert_eq!(**entry, expected);
    assert_eq!(*store.all("a").entries[0], expected);
    assert_eq!(*store.open("a", KEEP_ALL, NOW_MS).newest[0], expected);
}

fn a_run_is_cut_by_its_range_and_bounds(store: &Subject) {
    store.fill("a", 10, KEEP_ALL);
    let up = |after, through, messages| {
        let page = store.read(Read {
            range: Range::Up { after, through },
            messages,
            ..all("a")
        });
        (seqs(&page.entries), page.more)
    };
    assert_eq!(up(3, 7, 9), (vec![4, 5, 6, 7], false));
    assert_eq!(up(3, 7, 2), (vec![4, 5], true));
    assert_eq!(up(3, 5, 2), (vec![4, 5], false));
    assert_eq!(up(8, 99, 9), (vec![9, 10], false));
    assert_eq!(up(10, 99, 9), (vec![], false));
    assert_eq!(up(Seq::MAX, Seq::MAX, 9), (vec![], false));
    let down = |below, messages| {
        let page = store.read(Read {
            range: Range::Down { below },
            messages,
            ..all("a")
        });
        (seqs(&page.entries), page.more)
    };
    assert_eq!(down(4, 9), (vec![1, 2, 3], false));
    assert_eq!(down(4, 2), (vec![2, 3], true));
    assert_eq!(down(99, 2), (vec![9, 10], true));
    assert_eq!(down(1, 9), (vec![], false));
    assert_eq!(down(0, 9), (vec![], false));
}

fn a_run_is_cut_by_bytes_but_never_empty(store: &Subject) {
    store.fill("a", 10, KEEP_ALL);
    let size = store.all("a").entries[0].size_bytes();
    let run = |bytes, range| {
        let page = store.read(Read {
            range,
            bytes,
            ..all("a")
        });
        (seqs(&page.entries), page.more)
    };
    let up = Range::Up {
        after: 0,
        through: 10,
    };
    assert_eq!(run(3 * size, up), (vec![1, 2, 3], true));
    assert_eq!(run(3 * size - 1, up), (vec![1, 2], true));
    assert_eq!(run(1, up), (vec![1], true));
    assert!(!run(10 * size, up).1);
    assert_eq!(run(2 * size, Range::Down { below: 11 }), (vec![9, 10], true));
}

fn only_so_many_messages_are_kept(store: &Subject) {
    let retention = Retention {
        messages: Some(20),
        ttl_ms: 0,
    };
    for round in 1..=5 {
        let drafts = (0..50).map(|n| draft("a", "u", &format!("k{round}_{n}")));
        store.append_kept(drafts.collect(), retention);
        let top = round * 50;
        let opened = store.open("a", retention, NOW_MS);
        assert_eq!((opened.top, opened.oldest), (top, top - 19));
        let page = store.read(Read {
            retention,
            ..all("a")
        });
        assert_eq!(
            (page.oldest, seqs(&page.entries)),
            (top - 19, (top - 19..=top).collect())
        );
    }
}

fn old_messages_are_not_kept(store: &Subject) {
    let retention = Retention {
        messages: None,
        ttl_ms: 1_000,
    };
    for n in 0..10 {
        let publish = Publish::new(topic("a"), Payload::parse("1").unwrap());
        let draft = draft_of(publish, "u", &format!("k{n}"), NOW_MS + 100 * n);
        store.append_kept(vec![draft], retention);
    }
    let at = |now_ms| {
        let read = Read {
            retention,
            now_ms,
            ..all("a")
        };
        let page = store.read(read);
        (page.oldest, page.entries.len())
    };
    assert_eq!(at(NOW_MS + 900), (1, 10));
    assert_eq!(at(NOW_MS + 1_299), (4, 7));
    assert_eq!(at(NOW_MS + 1_300), (5, 6));
    assert_eq!(at(NOW_MS + 1_900), (11, 0));
    let opened = store.open("a", retention, NOW_MS + 60_000);
    assert_eq!((opened.top, opened.oldest, opened.newest.len()), (10, 11, 0));
    let publish = Publish::new(topic("a"), Payload::parse("1").unwrap());
    let next = store.append(vec![draft_of(publish, "u", "next", NOW_MS + 60_000)]);
    assert_eq!(stored(&next[0]).0, 11);
}

fn a_message_past_its_ttl_is_left_out_and_not_counted(store: &Subject) {
    let drafts = (1..=6).map(|n| {
        let publish = Publish {
            ttl_ms: if n % 2 == 0 { 500 } else { 0 },
            ..Publish::new(topic("a"), Payload::parse("1").unwrap())
        };
        draft_of(publish, "u", &format!("k{n}"), NOW_MS)
    });
    store.append(drafts.collect());
    let at = |now_ms| {
        let page = store.read(Read {
            messages: 3,
            now_ms,
            ..all("a")
        });
        (seqs(&page.entries), page.more)
    };
    assert_eq!(at(NOW_MS + 499), (vec![1, 2, 3], true));
    assert_eq!(at(NOW_MS + 500), (vec![1, 3, 5], false));
}

fn read_positions_are_kept_and_only_move_up(store: &Subject) {
    store.mark(
        vec![
            draft("a", "u", "k1"),
            draft("a", "u", "k2"),
            draft("b", "u", "k1"),
        ],
        &[("a", "u", 1), ("a", "v", 2), ("b", "u", 1)],
    );
    store.mark(Vec::new(), &[("a", "u", 2), ("a", "v", 1)]);
    store.0.release(&topic("a"));
    let both = |seqs: [Seq; 2]| vec![("u".to_owned(), seqs[0]), ("v".to_owned(), seqs[1])];
    assert_eq!(store.readers("a"), both([2, 2]));
    assert_eq!(store.readers("b"), [("u".to_owned(), 1)]);
    assert_eq!(store.readers("c"), []);
}

macro_rules! conforms {
    ($($name:ident,)*) => {
        mod memory {
            $(#[test]
            fn $name() {
                super::$name(&super::Subject(super::Arc::new(super::MemoryHistory::new(super::WINDOW_MS))));
            })*
        }

        mod sqlite {
            $(#[test]
            fn $name() {
                let folder = tempfile::tempdir().unwrap();
                super::$name(&super::in_sqlite(&folder.path().join("messages.db")));
            })*
        }
    };
}

conforms! {
    channels_with_messages_are_listed_in_the_order_of_their_names,
    seqs_of_each_channel_are_consecutive,
    batches_are_kept_and_answered_in_the_order_of_their_arrival,
    one_epoch_is_told_everywhere,
    a_known_key_answers_the_first_message,
    a_known_key_with_another_body_is_a_conflict,
    a_key_belongs_to_its_user_and_channel,
    a_key_is_forgotten_when_its_window_is_over,
    everything_of_a_message_comes_back,
    a_run_is_cut_by_its_range_and_bounds,
    a_run_is_cut_by_bytes_but_never_empty,
    only_so_many_messages_are_kept,
    old_messages_are_not_kept,
    a_message_past_its_ttl_is_left_out_and_not_counted,
    read_positions_are_kept_and_only_move_up,
    an_edit_rewrites_its_target_and_is_a_message_itself,
    a_target_may_stand_in_the_same_batch,
    a_refused_amendment_leaves_no_trace,
    a_repeated_edit_is_not_carried_out_again,
    a_deletion_empties_the_message_and_its_edits,
    reactions_fold_into_their_target,
    what_is_not_kept_any_more_is_gone,
    a_message_is_edited_only_so_often,
    an_erasure_empties_what_it_names_and_moves_nothing,
}

pub(crate) fn settings() -> SqliteSettings {
    SqliteSettings {
        namespaces: Arc::new(ArcSwap::from_pointee(Namespaces::default())),
        idempotency_window_ms: WINDOW_MS,
        clock: Arc::new(|| NOW_MS),
    }
}

pub(crate) fn in_sqlite(path: &Path) -> Subject {
    Subject(Arc::new(SqliteHistory::open(path, settings()).unwrap()))
}
