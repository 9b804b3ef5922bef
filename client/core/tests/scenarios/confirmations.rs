//! Messages whose publisher waits for an `ack {id}` of each subscriber (SPEC §4, `requireDelivery`).

use bmt_client_core::Event;
use serde_json::{Value, json};

use crate::harness::{World, message};

fn asking(seq: u64) -> Value {
    let mut message = message("public:a", seq);
    message["requireDelivery"] = json!(true);
    message
}

fn at(seq: u64) -> World {
    let mut world = World::greeted();
    world.subscribed("public:a", seq);
    world.events.clear();
    world
}

/// The ids confirmed since the last look; nothing else was sent.
fn confirmed(world: &mut World) -> Vec<String> {
    let requests = world.requests();
    let id = |request: &crate::harness::Request| {
        assert_eq!(
            (request.name.as_str(), request.key),
            ("ack", None),
            "{requests:?}"
        );
        request.body["id"].as_str().unwrap().to_owned()
    };
    requests.iter().map(id).collect()
}

#[test]
fn a_message_that_asks_for_it_is_confirmed_when_it_is_handed_on() {
    let mut world = at(3);
    world.event("message", &asking(4));
    assert_eq!(confirmed(&mut world), ["public:a-4"]);
    world.message("public:a", 5);
    assert!(confirmed(&mut world).is_empty(), "nobody asked");
    assert_eq!(world.seqs(), [4, 5]);
}

#[test]
fn a_message_that_is_sent_again_is_confirmed_again_and_handed_on_once() {
    let mut world = at(3);
    for _ in 0..3 {
        world.event("message", &asking(4));
    }
    assert_eq!(confirmed(&mut world), ["public:a-4"; 3]);
    assert_eq!(world.seqs(), [4]);
}

#[test]
fn a_message_behind_a_gap_is_confirmed_only_when_it_is_handed_on() {
    let mut world = at(3);
    world.event("message", &asking(5));
    let recovery = world.request();
    assert_eq!(recovery.name, "subscribe");
    let more = json!({"recovered": true, "messages": [message("public:a", 4)]});
    world.reply_subscribed(&recovery, 4, &more);
    assert_eq!(confirmed(&mut world), ["public:a-5"]);
    assert_eq!(world.seqs(), [4, 5]);
}

#[test]
fn what_a_recovery_brings_is_confirmed_too() {
    let mut world = at(3);
    world.cut();
    world.come_back();
    let request = world.request();
    let more = json!({"recovered": true, "messages": [asking(4)]});
    world.reply_subscribed(&request, 4, &more);
    assert_eq!(confirmed(&mut world), ["public:a-4"]);
}

#[test]
fn nothing_of_a_channel_that_was_left_is_confirmed() {
    let mut world = at(3);
    world.act(|client, now| client.unsubscribe(now, &crate::harness::topic("public:a")));
    world.requests();
    world.event("message", &asking(4));
    assert!(confirmed(&mut world).is_empty());
    assert!(world.seqs().is_empty());
}

#[test]
fn a_publisher_is_told_how_many_have_confirmed() {
    let mut world = at(3);
    world.event(
        "delivery",
        &json!({"messageId": "m", "confirmed": 2, "pending": 1}),
    );
    let [Event::Delivery(delivery)] = &world.events[..] else {
        panic!("{:?}", world.events)
    };
    assert_eq!(
        (delivery.message_id.as_str(), delivery.confirmed, delivery.pending),
        ("m", 2, 1)
    );
}
