//! How long things live: answers in flight, channels nobody uses, the shards themselves.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bmt_shared::event::{PresenceAction, ServerEvent};
use bmt_shared::reply::Reply;
use bmt_shared::request::Subscribe;
use futures_util::future::join_all;

use super::gate::Gate;
use super::{Client, Settings, WINDOW_MS, in_memory, one, settle, start, topic};
use crate::history::{Histories, MemoryHistory};
use crate::outbox::Outgoing;

#[tokio::test]
async fn draining_answers_what_is_in_flight_and_closes_the_store() {
    let (gate, histories) = Gate::new();
    let shards = start(histories);
    let alice = Client::new(&shards, "c1", "alice");
    alice.subscribe(Subscribe::to(topic("public:a"))).await;
    gate.shut();
    let replies = [
        alice.publish("m1", one("public:a")),
        alice.publish("m2", one("public:b")),
    ];
    settle().await;
    let draining = tokio::spawn({
        let shards = shards.clone();
        async move { shards.drain().await }
    });
    settle().await;
    assert!(
        !gate.closed.load(Ordering::SeqCst),
        "the store is needed for the answers"
    );
    gate.open_up();
    draining.await.unwrap();
    for reply in replies {
        assert!(matches!(reply.await.unwrap(), Reply::Published(_)));
    }
    assert_eq!(alice.words(), ["m1"]);
    assert!(gate.closed.load(Ordering::SeqCst));
}

#[tokio::test]
async fn the_shards_end_with_their_last_handle() {
    let (gate, histories) = Gate::new();
    let shards = start(histories);
    let alice = Client::new(&shards, "c1", "alice");
    alice.published("m1", "public:a", "1").await;
    drop((shards, alice));
    while Arc::strong_count(&gate) > 1 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_nobody_uses_leaves_the_memory_and_comes_back_whole() {
    let (gate, histories) = Gate::new();
    let shards = start(histories);
    let alice = Client::new(&shards, "c1", "alice");
    let before = alice.subscribe(Subscribe::to(topic("public:a"))).await;
    alice.published("m1", "public:a", "1").await;
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    assert_eq!(gate.released.load(Ordering::SeqCst), 0, "it has a subscriber");
    shards.closed(&alice.me.connection, [topic("public:a")]);
    tokio::time::sleep(Duration::from_secs(299)).await;
    assert_eq!(gate.released.load(Ordering::SeqCst), 0);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(gate.released.load(Ordering::SeqCst), 1);
    let again = alice.subscribe(Subscribe::to(topic("public:a"))).await;
    assert_eq!((again.seq, again.epoch), (1, before.epoch));
    assert_eq!(gate.opened.load(Ordering::SeqCst), 2);
}

/// Memory stays bounded however many channels somebody thinks up: who leaves one takes it along.
#[tokio::test(start_paused = true)]
async fn of_a_hundred_thousand_channels_made_and_left_nothing_stays() {
    const WAVES: usize = 100;
    const EACH: usize = 1_000;
    let memory = Arc::new(MemoryHistory::new(WINDOW_MS));
    let shards = start(Histories::new(memory.clone(), memory.clone()));
    let alice = &Client::new(&shards, "c1", "alice");
    for wave in 0..WAVES {
        let name = move |n: usize| topic(&format!("public:w{wave}-{n}"));
        // All at once, so that the shard has a full inbox and not a thousand turns.
        let joining = (0..EACH).map(|n| {
            alice.ask(move |shards, answer| shards.subscribe(&alice.me, Subscribe::to(name(n)), answer))
        });
        for reply in join_all(joining).await {
            assert!(matches!(reply, Reply::Subscribed(_)));
        }
        assert_eq!((shards.largest(1).await.0, memory.streams()), (EACH, EACH));
        let leaving = (0..EACH).map(|n| {
            alice.ask(move |shards, answer| shards.unsubscribe(&alice.me.connection, name(n), answer))
        });
        for reply in join_all(leaving).await {
            assert!(matches!(reply, Reply::Unsubscribed(_)));
        }
        // Somebody may come back in a moment: until then they stay.
        assert_eq!(shards.largest(1).await.0, EACH);
        let patience = Settings::default().empty_channel_ms + 10_000;
        tokio::time::advance(Duration::from_millis(patience)).await;
        settle().await;
        assert_eq!(
            (shards.largest(1).await.0, memory.streams()),
            (0, 0),
            "wave {wave}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn joins_are_told_at_once_and_leaves_two_seconds_later() {
    let shards = in_memory();
    let [alice, bob] = [("c1", "alice"), ("c2", "bob")].map(|(id, user)| Client::new(&shards, id, user));
    let request = Subscribe {
        presence: true,
        ..Subscribe::to(topic("public:a"))
    };
    let reply = alice.subscribe(request).await;
    assert_eq!(reply.presence.map(|present| present.len()), Some(1));
    bob.subscribe(Subscribe::to(topic("public:a"))).await;
    assert_eq!(presence(&alice).await, PresenceAction::Join);
    let left_at = tokio::time::Instant::now();
    shards.closed(&bob.me.connection, [topic("public:a")]);
    assert_eq!(presence(&alice).await, PresenceAction::Leave);
    let took = left_at.elapsed();
    assert!(
        (Duration::from_millis(2_000)..Duration::from_millis(2_100)).contains(&took),
        "{took:?}"
    );
}

async fn presence(client: &Client) -> PresenceAction {
    let Outgoing::Event(event) = client.next().await else {
        panic!("not an event")
    };
    match event.event() {
        ServerEvent::Presence(change) => change.action,
        other => panic!("{other:?}"),
    }
}
