//! What is refused, and what must never be.

use bmt_shared::error::ErrorCode;
use bmt_shared::payload::Payload;
use bmt_shared::request::{Publish, Subscribe};

use super::gate::Gate;
use super::{Client, Reply, failure, in_memory, one, settle, start, topic};
use crate::shards::{Answer, SHARD_BYTES};

#[tokio::test]
async fn an_unknown_namespace_is_not_found() {
    let shards = in_memory();
    let alice = Client::new(&shards, "c1", "alice");
    let refused = failure(alice.publish("m", one("nowhere:a")).await.unwrap());
    assert_eq!(refused.code, ErrorCode::ChannelNotFound);
    let subscribe = Subscribe::to(topic("nowhere:a"));
    let reply = alice
        .ask(|shards, answer| shards.subscribe(&alice.me, subscribe, answer))
        .await;
    assert_eq!(failure(reply).code, ErrorCode::ChannelNotFound);
}

#[tokio::test]
async fn a_full_shard_says_when_to_come_again_and_lets_connections_out() {
    const PAYLOAD: usize = 64 * 1_024;
    let (gate, histories) = Gate::new();
    let shards = start(histories);
    let alice = Client::new(&shards, "c1", "alice");
    alice.subscribe(Subscribe::to(topic("public:a"))).await;
    gate.shut();
    let large = Payload::parse(&format!("\"{}\"", "x".repeat(PAYLOAD - 2))).unwrap();
    let publish = Publish::new(topic("public:a"), large);
    let fits = SHARD_BYTES / PAYLOAD;
    let mut replies: Vec<_> = (0..fits)
        .map(|n| alice.publish(&format!("m{n}"), publish.clone()))
        .collect();
    let refused = failure(alice.publish("more", publish.clone()).await.unwrap());
    assert_eq!(refused.code, ErrorCode::RateLimited);
    assert!(refused.retry_after_ms.is_some());
    // Leaving is never refused: a gone connection must not stay subscribed.
    let answer = Answer::Outbox(alice.me.outbox.clone(), alice.to(2));
    shards.unsubscribe(&alice.me.connection, topic("public:a"), answer);
    settle().await;
    assert_eq!(alice.words(), ["r"]);
    gate.open_up();
    for reply in replies.drain(..) {
        assert!(reply.await.unwrap().is_success());
    }
    assert_eq!(shards.unanswered(), 0);
    assert!(alice.publish("later", publish).await.unwrap().is_success());
}

#[tokio::test]
async fn a_channel_that_cannot_be_opened_refuses_and_is_tried_again() {
    let (gate, histories) = Gate::new();
    let shards = start(histories);
    let alice = Client::new(&shards, "c1", "alice");
    gate.fail(true);
    gate.shut();
    let waiting = [
        alice.publish("m1", one("public:a")),
        alice.publish("m2", one("public:a")),
    ];
    settle().await;
    gate.open_up();
    for reply in waiting {
        let refused = failure(reply.await.unwrap());
        assert_eq!(
            (refused.code, refused.retry_after_ms),
            (ErrorCode::ServerError, Some(7))
        );
    }
    gate.fail(false);
    assert_eq!(alice.published("m1", "public:a", "1").await.seq, 1);
}

#[tokio::test]
async fn requests_to_a_stopping_server_are_told_to_come_back() {
    let shards = in_memory();
    let alice = Client::new(&shards, "c1", "alice");
    shards.drain().await;
    let refused = failure(alice.publish("m", one("public:a")).await.unwrap());
    assert_eq!(refused.code, ErrorCode::ServerError);
    assert!(refused.retry_after_ms.is_some());
    assert!(refused.message.contains("(incident "), "{}", refused.message);
    // Neither is this one left without an answer.
    let reply = alice
        .ask(|shards, answer| shards.unsubscribe(&alice.me.connection, topic("public:a"), answer))
        .await;
    assert!(matches!(reply, Reply::Failed(_)));
}
