//! Publishing while there is a connection.

use bmt_client_core::event::Acked;
use bmt_client_core::{ClientError, Event, Frame};
use bmt_shared::id::MessageId;
use bmt_shared::payload::Payload;
use bmt_shared::reply::Reply;
use bmt_shared::request::Publish;
use bytes::Bytes;
use serde_json::{Value, json};

use crate::harness::{World, failed, message, published, text, topic};

fn ids(batch: &Value) -> Vec<&str> {
    let messages = batch["messages"].as_array().unwrap();
    messages
        .iter()
        .map(|entry| entry["messageId"].as_str().unwrap())
        .collect()
}

#[test]
fn a_message_is_stored_before_it_is_sent_and_forgotten_after_its_ack() {
    let mut world = World::greeted();
    world.log.clear();
    let id = world.publish("public:a", "m1");
    assert_eq!(world.log[0], "put m1");
    assert!(world.log[1].starts_with("send 42"), "{:?}", world.log);
    let request = world.request();
    assert_eq!(request.body["messageId"], "m1");
    assert_eq!(world.stored.len(), 1);
    world.reply_published(&request, 4);
    let Ok(Reply::Published(reply)) = world.answer(id) else {
        panic!("not published")
    };
    assert_eq!(reply.seq, 4);
    assert!(world.stored.is_empty());
    assert!(
        world.events.iter().any(
            |event| matches!(event, Event::Ack(Acked { message_id, .. }) if message_id.as_str() == "m1")
        )
    );
}

#[test]
fn minted_ids_differ_and_come_from_the_seed() {
    let mint = || {
        let mut world = World::greeted();
        let publish = Publish::new(topic("public:a"), text("x"));
        [publish.clone(), publish].map(|publish| {
            world
                .act(|client, now| client.publish(now, publish, None))
                .unwrap()
                .message_id
        })
    };
    let [a, b] = mint();
    assert_ne!(a, b);
    assert_eq!(mint(), [a, b], "same inputs, same outputs");
}

#[test]
fn a_message_is_settled_by_its_own_copy_even_without_an_ack() {
    let mut world = World::greeted();
    world.subscribed("public:a", 0);
    let id = world.publish("public:a", "m1");
    let request = world.request();
    let mut copy = message("public:a", 1);
    copy["from"] = json!("alice");
    copy["clientMessageId"] = json!("m1");
    world.event("message", &copy);
    assert!(matches!(world.answer(id), Ok(Reply::Published(reply)) if reply.seq == 1));
    assert!(world.stored.is_empty());
    world.reply_published(&request, 1);
    assert_eq!(world.seqs(), [1]);
}

#[test]
fn a_copy_of_somebody_elses_settles_nothing() {
    let mut world = World::greeted();
    world.subscribed("public:a", 0);
    let id = world.publish("public:a", "m1");
    let mut copy = message("public:a", 1);
    copy["clientMessageId"] = json!("m1");
    world.event("message", &copy);
    assert!(!world.is_answered(id));
}

#[test]
fn what_follows_on_a_channel_waits_for_the_ack_and_goes_as_one_batch() {
    let mut world = World::greeted();
    for id in ["a1", "a2", "a3"] {
        world.publish("public:a", id);
    }
    let first = world.request();
    assert_eq!(first.body["messageId"], "a1");
    world.publish("public:b", "b1");
    let other = world.request();
    assert_eq!(other.body["messageId"], "b1", "another channel does not wait");
    world.reply_published(&first, 1);
    let batch = world.request();
    assert_eq!(ids(&batch.body), ["a2", "a3"]);
    world.publish("public:a", "a4");
    assert!(world.requests().is_empty());
    let results: Vec<_> = batch.body["messages"]
        .as_array()
        .unwrap()
        .iter()
        .zip(2..)
        .map(|(entry, seq)| published(entry, seq))
        .collect();
    world.reply(&batch, &json!({"status": "success", "results": results}));
    assert_eq!(world.request().body["messageId"], "a4");
}

#[test]
fn an_unanswered_publish_is_sent_again_under_the_same_id() {
    let mut world = World::greeted();
    let id = world.publish("public:a", "m1");
    world.request();
    world.advance(12_000);
    let again = world.request();
    assert_eq!(again.body["messageId"], "m1");
    world.reply_published(&again, 1);
    assert!(world.answer(id).is_ok());
}

#[test]
fn a_rate_limit_is_waited_out_and_the_order_holds() {
    let mut world = World::greeted();
    let id = world.publish("public:a", "m1");
    world.publish("public:a", "m2");
    let request = world.request();
    world.reply(&request, &failed("rate_limited", Some(800)));
    world.publish("public:b", "m3");
    world.advance(799);
    assert!(world.requests().is_empty());
    world.advance(1);
    let batch = world.request();
    assert_eq!(ids(&batch.body), ["m1", "m2", "m3"]);
    assert!(!world.is_answered(id));
}

#[test]
fn a_refusal_for_good_is_reported_and_does_not_block_the_rest() {
    let mut world = World::greeted();
    let refused = world.publish("system:x", "m1");
    world.publish("system:x", "m2");
    let request = world.request();
    world.reply(&request, &failed("permission_denied", None));
    assert_eq!(world.answer(refused).unwrap_err().code(), "rejected");
    assert!(
        world
            .events
            .iter()
            .any(|event| matches!(event, Event::QueueRejected { .. }))
    );
    assert_eq!(world.request().body["messageId"], "m2");
}

#[test]
fn an_oversized_message_is_refused_before_it_is_queued() {
    let mut world = World::greeted();
    let publish = Publish::new(topic("public:a"), text(&"x".repeat(65_536)));
    let refused = world.act(|client, now| client.publish(now, publish, None));
    assert!(matches!(
        refused,
        Err(ClientError::TooLarge { limit: 65_536, .. })
    ));
    assert!(world.stored.is_empty() && world.frames.is_empty());
}

#[test]
fn a_message_that_the_server_hung_up_over_is_dropped_and_reported() {
    let mut world = World::greeted();
    let id = world.publish("public:a", "m1");
    world.act(|client, now| client.handle_closed(now, 1009, ""));
    let rejected = world.answer(id).unwrap_err();
    assert_eq!(rejected.failure().unwrap().code.as_str(), "message_too_large");
    world.come_back();
    assert!(world.requests().is_empty());
}

#[test]
fn without_an_ack_a_message_is_done_when_it_is_sent() {
    let mut world = World::greeted();
    let mut publish = Publish::new(topic("public:a"), text("x"));
    publish.ack_required = false;
    let id = world
        .act(|client, now| client.publish(now, publish, None))
        .unwrap()
        .request;
    let request = world.request();
    assert_eq!((request.key, &request.body["ackRequired"]), (None, &json!(false)));
    assert_eq!(world.answer(id), Ok(Reply::Done));
    assert!(world.stored.is_empty());
}

#[test]
fn the_same_id_twice_is_one_message() {
    let mut world = World::greeted();
    let ids = [world.publish("public:a", "m1"), world.publish("public:a", "m1")];
    let request = world.request();
    world.reply_published(&request, 1);
    for id in ids {
        assert!(world.answer(id).is_ok());
    }
}

#[test]
fn binary_parts_travel_beside_the_json_both_ways() {
    let mut world = World::greeted();
    world.subscribed("public:a", 0);
    let payload = Payload::parse(r#"{"data":{"_placeholder":true,"num":0}}"#).unwrap();
    let payload = payload.with_attachments(vec![Bytes::from_static(&[1, 2])]);
    let publish = Publish::new(topic("public:a"), payload.clone());
    world
        .act(|client, now| client.publish(now, publish, MessageId::parse("m1").ok()))
        .unwrap();
    assert!(world.frames[0].starts_with("451-"), "{}", world.frames[0]);
    assert_eq!(world.binary, [[1, 2]]);

    let mut body = message("public:a", 1);
    body["payload"] = serde_json::from_str(payload.json()).unwrap();
    world.events.clear();
    world.receive(&format!("451-{}", json!(["message", body])));
    assert!(world.events.is_empty());
    world.act(|client, now| client.handle_frame(now, Frame::Binary(&[1, 2])));
    let [Event::Message(received)] = &world.events[..] else {
        panic!("{:?}", world.events)
    };
    assert_eq!(received.message.payload.attachments(), payload.attachments());
}
