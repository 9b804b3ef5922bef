//! Shards and what a store may do: be slow, fail, restart.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bmt_shared::error::{ErrorCode, Failure};
use bmt_shared::position::{Position, Seq};
use bmt_shared::reply::{Reply, Subscribed};
use bmt_shared::request::Subscribe;
use tokio::sync::oneshot;

use super::gate::Gate;
use super::{Client, failure, in_memory, one, seqs, settle, start, topic};
use crate::history::conformance::settings;
use crate::history::{Histories, MemoryHistory, SqliteHistory};
use crate::shards::{Answer, Row, Shards};

fn on_disk(path: &Path) -> Shards {
    let stored = SqliteHistory::open(path, settings()).unwrap();
    start(Histories::new(
        Arc::new(stored),
        Arc::new(MemoryHistory::new(1_000)),
    ))
}

fn since(seq: Seq, like: &Subscribed) -> Subscribe {
    Subscribe {
        since: Some(Position {
            seq,
            epoch: like.epoch.clone(),
        }),
        ..Subscribe::to(like.topic.clone())
    }
}

#[tokio::test]
async fn nothing_is_told_before_it_is_stored() {
    let (gate, histories) = Gate::new();
    let shards = start(histories);
    let alice = Client::new(&shards, "c1", "alice");
    alice.subscribe(Subscribe::to(topic("public:a"))).await;
    gate.shut();
    let answer = Answer::Outbox(alice.me.outbox.clone(), alice.to(2));
    let key = super::key("m1");
    shards.publish(&alice.publisher(), key, one("public:a"), answer);
    settle().await;
    assert_eq!(gate.held(), 1);
    assert!(alice.words().is_empty());
    gate.open_up();
    settle().await;
    assert_eq!(alice.words(), ["m1", "r"]);
}

#[tokio::test]
async fn a_failed_commit_fails_all_that_were_sent_before_it_was_known() {
    let (gate, histories) = Gate::new();
    let shards = start(histories);
    let alice = Client::new(&shards, "c1", "alice");
    alice.subscribe(Subscribe::to(topic("public:a"))).await;
    gate.shut();
    gate.fail(true);
    let first = alice.publish("m1", one("public:a"));
    settle().await;
    // The store is well again, but this one was sent without knowing of the failure.
    gate.fail(false);
    let second = alice.publish("m2", one("public:a"));
    settle().await;
    gate.open_up();
    for reply in [first, second] {
        let refused = failure(reply.await.unwrap());
        assert_eq!(
            (refused.code, refused.retry_after_ms),
            (ErrorCode::ServerError, Some(7))
        );
    }
    for (n, key) in [(1, "m1"), (2, "m2")] {
        assert_eq!(alice.published(key, "public:a", "1").await.seq, n);
    }
    assert_eq!(alice.words(), ["m1", "m2"]);
}

#[tokio::test]
async fn in_a_row_nothing_is_taken_behind_a_refusal_that_may_be_tried_again() {
    let (gate, histories) = Gate::new();
    let shards = start(histories);
    let alice = Client::new(&shards, "c1", "alice");
    let mut row = Row::default();
    let mut send = |key: &str, on: &str| {
        let (answer, reply) = oneshot::channel();
        let answer = Answer::Entry(answer, row.clone());
        row = row.next();
        shards.publish(&alice.publisher(), super::key(key), one(on), answer);
        reply
    };
    // The channel cannot be opened, so the first one is refused. The store is well again at once.
    gate.fail(true);
    let first = send("m1", "public:a");
    settle().await;
    gate.fail(false);
    let rest = [send("m2", "public:a"), send("m3", "public:b")];
    let refused = failure(first.await.unwrap());
    for reply in rest {
        assert_eq!(failure(reply.await.unwrap()), refused);
    }
    assert_eq!(alice.published("m1", "public:a", "1").await.seq, 1);
    assert_eq!(alice.published("m2", "public:a", "1").await.seq, 2);
}

#[test]
fn a_refusal_stops_what_is_behind_it_and_nothing_before() {
    let first = Row::default();
    let (second, third) = (first.next(), first.next().next());
    let full = Failure::new(ErrorCode::RateLimited, "full");
    second.refused(&Failure::new(ErrorCode::PermissionDenied, "no"));
    assert_eq!(third.stopped(), None, "it may not be tried again");
    second.refused(&full);
    assert_eq!((first.stopped(), second.stopped()), (None, None));
    assert_eq!(third.stopped(), Some(full.clone()));
    let down = Failure::new(ErrorCode::ServerError, "down");
    first.refused(&down);
    assert_eq!(second.stopped(), Some(down));
}

#[tokio::test]
async fn a_reply_that_waits_for_the_disk_stands_before_the_live_messages() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("messages.db");
    let shards = on_disk(&path);
    let alice = Client::new(&shards, "c1", "alice");
    for n in 0..400 {
        alice.published(&format!("m{n}"), "public:a", "1").await;
    }
    shards.drain().await;
    // A new start knows only the newest messages without reading: seq 10 is far below.
    let shards = on_disk(&path);
    let alice = Client::new(&shards, "c1", "alice");
    let bob = Client::new(&shards, "c2", "bob");
    let like = bob.subscribe(Subscribe::to(topic("public:a"))).await;
    assert_eq!(like.seq, 400);
    let answer = Answer::Outbox(alice.me.outbox.clone(), alice.to(1));
    shards.subscribe(&alice.me, since(10, &like), answer);
    for n in 400..420 {
        bob.published(&format!("m{n}"), "public:a", "1").await;
    }
    let Reply::Subscribed(reply) = alice.reply().await else {
        panic!()
    };
    assert_eq!((reply.recovered, reply.seq), (Some(true), 400));
    assert_eq!(seqs(&reply.messages), (11..=400).collect::<Vec<_>>());
    for seq in 401..=420 {
        assert_eq!(alice.message().await.seq, seq);
    }
}

#[tokio::test]
async fn a_restart_keeps_numbers_epoch_and_keys() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("messages.db");
    let shards = on_disk(&path);
    let alice = Client::new(&shards, "c1", "alice");
    let before = alice.subscribe(Subscribe::to(topic("public:a"))).await;
    let first = alice.published("m1", "public:a", "1").await;
    shards.drain().await;
    let shards = on_disk(&path);
    let alice = Client::new(&shards, "c1", "alice");
    let again = alice.published("m1", "public:a", "1").await;
    assert!(again.duplicate);
    assert_eq!((&again.message_id, again.seq), (&first.message_id, 1));
    assert_eq!(alice.published("m2", "public:a", "2").await.seq, 2);
    let reply = alice.subscribe(since(0, &before)).await;
    assert_eq!((reply.recovered, seqs(&reply.messages)), (Some(true), vec![1, 2]));
}

#[tokio::test]
async fn a_crowd_that_comes_back_after_a_restart_asks_the_store_once_for_each_channel() {
    const CHANNELS: usize = 5;
    const MISSED: Seq = 20;
    let (gate, histories) = Gate::new();
    let shards = start(histories.clone());
    let name = |number: usize| format!("public:c{}", number % CHANNELS);
    let bob = Client::new(&shards, "c0", "bob");
    let mut before = Vec::new();
    for number in 0..CHANNELS {
        before.push(bob.subscribe(Subscribe::to(topic(&name(number)))).await);
        for n in 0..MISSED {
            bob.published(&format!("m{number}-{n}"), &name(number), "1").await;
        }
    }
    drop(shards);
    let asked = || [&gate.opened, &gate.read].map(|count| count.load(Ordering::SeqCst));
    assert_eq!(asked(), [CHANNELS, 0]);
    let shards = start(histories);
    for number in 0..40 * CHANNELS {
        let carol = Client::new(&shards, &format!("c{number}"), "carol");
        let reply = carol.subscribe(since(0, &before[number % CHANNELS])).await;
        assert_eq!(reply.recovered, Some(true), "{:?}", reply.reason);
        assert_eq!(seqs(&reply.messages), (1..=MISSED).collect::<Vec<_>>());
    }
    assert_eq!(asked(), [2 * CHANNELS, 0], "the others were answered from memory");
}

/// FAULTS 81: subscriptions with recovery while messages flow, in memory and on disk.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recovery_in_the_flow_makes_no_hole_and_no_double() {
    let folder = tempfile::tempdir().unwrap();
    // Each waits for its ack, so on disk it is a commit a message.
    for (shards, count) in [
        (in_memory(), 2_000),
        (on_disk(&folder.path().join("messages.db")), 200),
    ] {
        let bob = Client::new(&shards, "c0", "bob");
        let like = bob.subscribe(Subscribe::to(topic("public:a"))).await;
        let flow = tokio::spawn({
            let shards = shards.clone();
            async move {
                let bob = Client::new(&shards, "flow", "bob");
                for n in 0..count {
                    bob.published(&format!("m{n}"), "public:a", "1").await;
                }
            }
        });
        let (mut joined, mut top) = (0, 0);
        while !flow.is_finished() {
            joined += 1;
            let client = Client::new(&shards, &format!("c{joined}"), "carol");
            top = bob.waiting().last().map_or(top, |message| message.seq);
            let behind = top.saturating_sub(joined % 7);
            let reply = client.subscribe(since(behind, &like)).await;
            assert_eq!(reply.recovered, Some(true), "{:?}", reply.reason);
            let mut seen = seqs(&reply.messages);
            assert_eq!(seen.last().copied().unwrap_or(behind), reply.seq);
            for message in client.waiting() {
                seen.push(message.seq);
            }
            assert!(is_run(behind, &seen), "{seen:?} after {behind}");
            shards.closed(&client.me.connection, [topic("public:a")]);
        }
        flow.await.unwrap();
        assert!(joined > 5, "{joined} subscriptions in the flow");
    }
}

fn is_run(after: Seq, seqs: &[Seq]) -> bool {
    seqs.iter()
        .copied()
        .zip(after + 1..)
        .all(|(seq, expected)| seq == expected)
}
