//! A server that knows only the seeds: `connected` without `limits` (SPEC §9).

use bmt_client_core::Status;
use bmt_shared::reply::Reply;
use serde_json::json;

use crate::harness::{World, message};

fn greeted() -> World {
    let mut world = World::new(Default::default());
    world.connect();
    world.greet_as("alice", None);
    world
}

#[test]
fn subscriptions_are_asked_for_one_by_one_and_without_a_position() {
    let mut world = greeted();
    world.subscribe("public:a");
    world.subscribe("public:b");
    world.cut();
    world.advance(2_000);
    world.open();
    world.greet_as("alice", None);
    let requests = world.requests();
    assert_eq!(requests.len(), 2);
    for request in &requests {
        assert!(request.body["topic"].is_string() && request.body["since"].is_null());
    }
}

#[test]
fn a_plain_success_subscribes_and_messages_are_told_apart_by_id() {
    let mut world = greeted();
    let id = world.subscribe("public:a");
    let request = world.request();
    world.reply(&request, &json!({"status": "success"}));
    assert_eq!(world.answer(id), Ok(Reply::Done));
    for seq in [4, 9, 4, 7] {
        world.message("public:a", seq);
    }
    assert_eq!(world.seqs(), [4, 9, 7]);
}

#[test]
fn messages_without_a_seq_are_handed_on() {
    let mut world = greeted();
    let mut body = message("public:a", 1);
    body.as_object_mut().unwrap().remove("seq");
    world.event("message", &body);
    assert_eq!(world.seqs(), [0]);
}

#[test]
fn publishes_are_acked_by_the_callback_and_never_batched() {
    let mut world = greeted();
    let ids = ["m1", "m2", "m3"].map(|id| world.publish("public:a", id));
    for id in ids {
        let request = world.request();
        assert!(request.body["messages"].is_null());
        world.reply(&request, &json!({"status": "success"}));
        assert_eq!(world.answer(id), Ok(Reply::Done));
    }
}

#[test]
fn a_failure_without_a_code_is_final() {
    let mut world = greeted();
    let id = world.publish("public:a", "m1");
    let request = world.request();
    world.reply(&request, &json!({"status": "error", "error": "no"}));
    assert_eq!(world.answer(id).unwrap_err().code(), "rejected");
}

#[test]
fn heartbeats_end_if_the_first_is_not_answered() {
    let mut world = greeted();
    world.advance(600_000);
    assert_eq!(world.client.status(), Status::Connected);
    let heartbeats = world.frames.iter().filter(|frame| frame.contains("heartbeat"));
    assert_eq!(heartbeats.count(), 1);
}
