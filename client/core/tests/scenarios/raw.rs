//! The same client over the raw WebSocket (SPEC §7).

use bmt_client_core::{Binding, Config, Event, Status};
use bmt_shared::payload::Payload;
use bmt_shared::reply::Reply;
use bmt_shared::request::Publish;
use serde_json::{Value, json};

use crate::harness::{World, message, topic};

fn greeted() -> World {
    let mut world = World::new(Config {
        binding: Binding::Raw,
        ..Config::default()
    });
    world.act(|client, now| client.connect(now));
    assert_eq!(world.connects[0].protocols, ["bmt.v1", "bearer.t"]);
    world.open();
    send(
        &mut world,
        &json!({"type": "connect", "timestamp": 5, "data": {"clientId": "x", "connectionId": "c", "serverTime": 5,
            "user": {"userId": "alice", "name": "A", "role": "user"}, "heartbeatInterval": 10000, "limits": {}}}),
    );
    assert_eq!(world.client.status(), Status::Connected);
    world
}

fn send(world: &mut World, frame: &Value) {
    world.receive(&frame.to_string());
}

fn sent(world: &mut World) -> Value {
    assert_eq!(world.frames.len(), 1, "{:?}", world.frames);
    serde_json::from_str(&world.frames.remove(0)).unwrap()
}

fn subscribed(world: &mut World) {
    world.subscribe("public:a");
    let request = sent(world);
    assert_eq!(request["type"], "subscribe");
    let data = json!({"messageId": request["messageId"], "topic": "public:a", "subscriberCount": 1, "seq": 3, "epoch": "e"});
    send(
        world,
        &json!({"type": "ack", "messageId": request["messageId"], "data": data}),
    );
}

#[test]
fn channel_messages_come_out_of_their_envelopes_and_gaps_are_recovered() {
    let mut world = greeted();
    subscribed(&mut world);
    let data = |seq: u64| {
        json!({"type": "data", "data": {"n": seq}, "timestamp": 1, "messageId": format!("m{seq}"), "sequence": seq,
            "topic": "public:a", "from": "bob"})
    };
    send(&mut world, &data(4));
    send(&mut world, &json!([data(5), data(7)]));
    assert_eq!(world.seqs(), [4, 5]);
    let request = sent(&mut world);
    assert_eq!(request["data"]["since"]["seq"], 5);
    let data = json!({"messageId": request["messageId"], "topic": "public:a", "subscriberCount": 1, "seq": 7,
        "epoch": "e", "recovered": true, "messages": [message("public:a", 6), message("public:a", 7)]});
    send(
        &mut world,
        &json!({"type": "ack", "messageId": request["messageId"], "data": data}),
    );
    assert_eq!(world.seqs(), [6, 7]);
}

#[test]
fn what_stands_beside_a_channel_message_is_read_too() {
    let mut world = greeted();
    subscribed(&mut world);
    world.publish("public:a", "mine");
    sent(&mut world);
    send(
        &mut world,
        &json!({"type": "data", "data": 1, "timestamp": 1, "messageId": "m9", "sequence": 9, "prev": 3,
            "topic": "public:a", "from": "alice", "clientMessageId": "mine", "requireDelivery": true}),
    );
    let ack = sent(&mut world);
    assert_eq!((&ack["type"], &ack["data"]["id"]), (&json!("ack"), &json!("m9")));
    let settled =
        |event: &Event<_>| matches!(event, Event::Ack(acked) if acked.message_id.as_str() == "mine");
    assert!(world.events.iter().any(settled), "its own copy settles a publish");
    assert_eq!(world.seqs(), [9], "a skip that is told is no gap");
}

#[test]
fn a_frame_may_hold_an_answer_and_what_is_behind_it() {
    let mut world = World::new(Config {
        binding: Binding::Raw,
        ..Config::default()
    });
    world.act(|client, now| client.connect(now));
    let asked = &world.connects[0].path_and_query;
    assert!(asked.contains("&batch=1"), "{asked}");

    let mut world = greeted();
    world.subscribe("public:a");
    let request = sent(&mut world);
    let id = &request["messageId"];
    let data = |seq: u64| {
        json!({"type": "data", "data": seq, "timestamp": 1, "messageId": format!("m{seq}"), "sequence": seq,
            "topic": "public:a", "from": "bob"})
    };
    let subscribed =
        json!({"messageId": id, "topic": "public:a", "subscriberCount": 1, "seq": 3, "epoch": "e"});
    send(
        &mut world,
        &json!([{"type": "ack", "messageId": id, "data": subscribed}, data(4), data(5),
            {"type": "heartbeat", "timestamp": 1}, data(6)]),
    );
    assert_eq!(world.seqs(), [4, 5, 6]);
    assert!(world.frames.is_empty(), "nothing was missing: {:?}", world.frames);
}

#[test]
fn a_publish_is_acked_by_its_own_id() {
    let mut world = greeted();
    let id = world.publish("public:a", "m1");
    let request = sent(&mut world);
    assert_eq!(
        (&request["type"], &request["messageId"]),
        (&json!("publish"), &json!("m1"))
    );
    let data = json!({"messageId": "m1", "id": "server-1", "topic": "public:a", "seq": 8, "deliveredTo": 0});
    send(
        &mut world,
        &json!({"type": "ack", "messageId": "m1", "data": data}),
    );
    assert!(
        matches!(world.answer(id), Ok(Reply::Published(reply)) if reply.message_id.as_str() == "server-1")
    );
}

#[test]
fn errors_carry_their_code_under_details() {
    let mut world = greeted();
    let id = world.publish("public:a", "m1");
    world.frames.clear();
    let data =
        json!({"messageId": "m1", "code": 3001, "message": "no", "details": {"code": "permission_denied"}});
    send(
        &mut world,
        &json!({"type": "error", "messageId": "m1", "data": data}),
    );
    let refused = world.answer(id).unwrap_err();
    assert_eq!(refused.failure().unwrap().code.as_str(), "permission_denied");
    world.events.clear();
    send(
        &mut world,
        &json!({"type": "error", "data": {"code": 2000, "message": "bad", "details": {"code": "invalid_message"}}}),
    );
    assert!(matches!(&world.events[..], [Event::Error(error)] if error.code() == "invalid_message"));
}

#[test]
fn heartbeats_and_pings_are_frames_of_their_own() {
    let mut world = greeted();
    world.advance(30_000);
    assert_eq!(sent(&mut world)["type"], "heartbeat");
    world.advance(7);
    send(&mut world, &json!({"type": "heartbeat", "timestamp": 1}));
    assert!(world.events.contains(&Event::Latency(7)));
    send(&mut world, &json!({"type": "ping", "data": {"timestamp": 9}}));
    let pong = sent(&mut world);
    assert_eq!(
        (&pong["type"], &pong["data"]["timestamp"]),
        (&json!("pong"), &json!(9))
    );
}

#[test]
fn binary_parts_are_refused_before_anything_is_sent() {
    let mut world = greeted();
    let payload = Payload::from_json(r#"{"_placeholder":true,"num":0}"#);
    let payload = payload.with_attachments(vec![vec![1, 2].into()]);
    let publish = Publish::new(topic("public:a"), payload.clone());
    let published = world.act(|client, now| client.publish(now, publish, None));
    let signalled = world.act(|client, now| client.signal(now, topic("public:a"), payload));
    for refused in [published.map(drop), signalled] {
        assert_eq!(refused.unwrap_err().code(), "invalid_message");
    }
    assert!(world.stored.is_empty() && world.frames.is_empty());
}

#[test]
fn a_refused_token_is_asked_for_once_more() {
    let refusal = json!({"type": "error", "data": {"code": 1001, "message": "expired",
        "details": {"code": "authentication_failed", "status": 40100}}});
    let mut world = World::new(Config {
        binding: Binding::Raw,
        ..Config::default()
    });
    world.connect();
    send(&mut world, &refusal);
    assert_eq!(world.tokens_asked, 2);
    world.open();
    send(&mut world, &refusal);
    assert!(world.events.contains(&Event::TokenExpired));
    assert_eq!(world.client.status(), Status::Failed);
}

#[test]
fn a_policy_close_is_final_and_an_expired_token_is_replaced() {
    let mut world = greeted();
    world.act(|client, now| client.handle_closed(now, 1008, ""));
    assert_eq!(world.client.status(), Status::Failed);

    let mut world = greeted();
    world.act(|client, now| client.handle_closed(now, 4001, ""));
    assert_eq!((world.tokens_asked, world.connects.len()), (2, 1));
}
