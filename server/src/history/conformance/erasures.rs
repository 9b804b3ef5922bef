//! A user who is erased goes out of messages; no message goes.

use bmt_server_core::channel::Traced;

use super::amendments::{edit, react, text};
use super::*;
use crate::history::Erasure;

fn erase(store: &Subject, seqs: &[Seq]) -> u64 {
    let traced = Traced {
        user: UserId::new("alice"),
        inboxes: ["user:alice".to_owned()].into(),
    };
    let (answer, answered) = channel();
    let erasure = Erasure {
        traced: Arc::new(traced),
        topic: topic("a"),
        seqs: seqs.to_vec(),
        now_ms: NOW_MS + 5,
    };
    store
        .0
        .erase(erasure, Box::new(move |result| answer.send(result).unwrap()));
    answered.recv().unwrap().unwrap()
}

pub(super) fn an_erasure_empties_what_it_names_and_moves_nothing(store: &Subject) {
    let (hers, his) = (text("a", "alice", "k1"), text("a", "bob", "k2"));
    let appended = [
        hers.clone(),
        his.clone(),
        edit("alice", "k3", &hers, "again"),
        react("alice", "k4", &his, true),
        react("bob", "k5", &his, true),
        text("a", "alice", "k6"),
    ];
    store.append(appended.to_vec());
    let before = store.all("a");
    // The last one is not named, and one is named that there never was.
    assert_eq!(erase(store, &[1, 2, 3, 4, 5, 99]), 4);
    let after = store.all("a");
    assert_eq!(
        (seqs(&after.entries), &after.epoch),
        (vec![1, 2, 3, 4, 5, 6], &before.epoch)
    );
    let payload = |seq: usize| after.entries[seq - 1].message.payload.json().to_owned();
    assert_eq!(payload(1), "{}");
    assert_eq!(payload(2), before.entries[1].message.payload.json());
    assert_eq!(
        after.entries[1].message.reactions.of("👍"),
        [UserId::new("bob")],
        "others keep their reactions"
    );
    assert_eq!(payload(3), format!(r#"{{"type":"edit","target":"{}"}}"#, hers.id));
    assert_eq!(
        payload(4),
        format!(r#"{{"type":"reaction","target":"{}"}}"#, his.id)
    );
    for unchanged in [5, 6] {
        assert_eq!(after.entries[unchanged - 1], before.entries[unchanged - 1]);
    }
    assert_eq!(
        erase(store, &[1, 2, 3, 4, 5]),
        0,
        "doing it twice changes nothing"
    );
    // The numbering goes on, and the key of an emptied message is known as before.
    let [Appended::Stored { entry, .. }, Appended::Duplicate { seq: 1, .. }] =
        &store.append(vec![text("a", "bob", "k7"), hers])[..]
    else {
        panic!("the next message, and a repetition");
    };
    assert_eq!(entry.seq(), 7);
}
