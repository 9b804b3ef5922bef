//! Subscriptions over the life of connections.

use bmt_client_core::event::Origin;
use bmt_client_core::{ClientError, Event};
use bmt_shared::position::{Epoch, Position};
use bmt_shared::reply::Reply;
use bmt_shared::request::Subscribe;
use serde_json::json;

use crate::harness::{World, failed, message, subscribed, topic};

#[test]
fn a_subscription_is_answered_and_its_messages_come_in_order() {
    let mut world = World::greeted();
    let id = world.subscribe("public:a");
    let request = world.request();
    assert_eq!(request.name, "subscribe");
    assert!(!world.is_answered(id));
    world.reply_subscribed(&request, 7, &json!({}));
    assert!(matches!(world.answer(id), Ok(Reply::Subscribed(_))));
    assert!(world.client.is_subscribed(&topic("public:a")));
    world.message("public:a", 8);
    world.message("public:a", 9);
    assert_eq!(world.seqs(), [8, 9]);
}

#[test]
fn history_comes_as_messages_before_the_live_ones() {
    let mut world = World::greeted();
    let mut subscribe = Subscribe::to(topic("public:a"));
    subscribe.history = Some(2);
    world.act(|client, now| client.subscribe(now, subscribe));
    let request = world.request();
    assert_eq!(request.body["history"], 2);
    let page = json!({"messages": [message("public:a", 6), message("public:a", 7)]});
    world.reply_subscribed(&request, 7, &page);
    world.message("public:a", 8);
    let origins: Vec<_> = world
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Message(received) => Some((received.message.seq, received.origin)),
            _ => None,
        })
        .collect();
    assert_eq!(
        origins,
        [(6, Origin::History), (7, Origin::History), (8, Origin::Live)]
    );
}

#[test]
fn a_subscription_made_offline_is_answered_when_it_takes_effect() {
    let mut world = World::new(Default::default());
    let id = world.subscribe("public:a");
    world.advance(60_000);
    assert!(!world.is_answered(id));
    world.connect();
    world.greet();
    let request = world.request();
    world.reply_subscribed(&request, 0, &json!({}));
    assert!(world.answer(id).is_ok());
}

#[test]
fn after_a_reconnect_all_are_asked_for_in_one_batch_from_where_they_stand() {
    let mut world = World::greeted();
    world.subscribed("public:a", 3);
    world.subscribed("public:b", 5);
    world.message("public:a", 4);
    world.events.clear();
    world.cut();
    world.come_back();
    let request = world.request();
    assert_eq!(
        request.body["topics"],
        json!([
            {"topic": "public:a", "since": {"seq": 4, "epoch": "e"}},
            {"topic": "public:b", "since": {"seq": 5, "epoch": "e"}},
        ])
    );
    let missed = json!({"recovered": true, "messages": [message("public:a", 5), message("public:a", 6)]});
    world.reply(
        &request,
        &json!({"status": "success", "results": [
            subscribed("public:a", 6, &missed),
            subscribed("public:b", 5, &json!({"recovered": true, "messages": []})),
        ]}),
    );
    world.message("public:a", 7);
    assert_eq!(world.seqs(), [5, 6, 7]);
}

#[test]
fn one_refusal_in_a_batch_does_not_stop_the_rest() {
    let mut world = World::greeted();
    let both = ["public:a", "private:b"].map(|name| Subscribe::to(topic(name)));
    let ids = world.act(|client, now| client.subscribe_all(now, both.to_vec()));
    let request = world.request();
    let results: Vec<_> = request.body["topics"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| match entry["topic"].as_str().unwrap() {
            "public:a" => subscribed("public:a", 0, &json!({})),
            _ => failed("permission_denied", None),
        })
        .collect();
    world.reply(&request, &json!({"status": "success", "results": results}));
    assert!(world.answer(ids[0]).is_ok());
    let refused = world.answer(ids[1]).unwrap_err();
    assert_eq!(refused.code(), "permission_denied");
    assert_eq!(
        world.client.subscriptions().count(),
        1,
        "the refused one is not asked for again"
    );
}

#[test]
fn a_refusal_for_the_moment_is_asked_again_and_nobody_is_told_of_it() {
    let mut world = World::greeted();
    let id = world.subscribe("public:a");
    let request = world.request();
    world.reply(&request, &failed("rate_limited", Some(700)));
    world.advance(699);
    assert!(world.requests().is_empty() && !world.is_answered(id));
    world.advance(1);
    let again = world.request();
    world.reply_subscribed(&again, 0, &json!({}));
    assert!(world.answer(id).is_ok());
}

#[test]
fn the_answer_to_a_subscribe_counts_when_it_comes_after_the_time_of_a_request() {
    let mut world = World::greeted();
    let id = world.subscribe("public:a");
    let request = world.request();
    world.advance(25_000);
    assert!(world.requests().is_empty(), "it is not asked for twice");
    world.reply_subscribed(&request, 4, &json!({}));
    assert!(world.answer(id).is_ok());
    world.message("public:a", 5);
    assert_eq!(world.seqs(), [5]);
}

#[test]
fn a_subscribe_without_an_answer_for_a_minute_is_asked_again_and_the_first_answer_counts() {
    for first_is_lost in [false, true] {
        let mut world = World::greeted_without_heartbeats();
        let id = world.subscribe("public:a");
        let late = world.request();
        world.advance(59_999);
        assert!(world.requests().is_empty());
        world.advance(1);
        let again = world.request();
        if !first_is_lost {
            world.reply_subscribed(&late, 3, &json!({"messages": [message("public:a", 3)]}));
            assert!(world.is_answered(id), "whichever answer comes first");
        }
        world.message("public:a", 4);
        world.reply_subscribed(&again, 4, &json!({"messages": [message("public:a", 4)]}));
        assert!(world.answer(id).is_ok());
        world.message("public:a", 5);
        let seqs = if first_is_lost { vec![4, 5] } else { vec![3, 4, 5] };
        assert_eq!(world.seqs(), seqs, "each message once");
        world.advance(600_000);
        assert!(world.requests().is_empty(), "nothing is asked for any more");
    }
}

#[test]
fn a_late_answer_is_not_taken_for_a_subscription_with_other_wishes() {
    let mut world = World::greeted_without_heartbeats();
    world.subscribe("public:a");
    let late = world.request();
    world.advance(60_000);
    world.requests();
    let mut other = Subscribe::to(topic("public:a"));
    other.history = Some(2);
    let id = world.act(|client, now| client.subscribe(now, other));
    let newest = world.request();
    world.reply_subscribed(&late, 3, &json!({}));
    assert!(!world.is_answered(id));
    world.reply_subscribed(&newest, 3, &json!({}));
    assert!(world.answer(id).is_ok());
}

#[test]
fn what_is_never_answered_is_asked_for_once_a_minute_and_no_list_grows() {
    let mut world = World::greeted_without_heartbeats();
    world.subscribe("public:a");
    let first = world.request();
    world.advance(600_000);
    let again = world.requests();
    assert_eq!(again.len(), 10);
    world.reply_subscribed(&first, 3, &json!({}));
    assert!(
        !world.client.is_subscribed(&topic("public:a")),
        "that one is forgotten"
    );
    world.reply_subscribed(&again[8], 3, &json!({}));
    assert!(world.client.is_subscribed(&topic("public:a")));
}

#[test]
fn nothing_is_handed_on_after_unsubscribe() {
    let mut world = World::greeted();
    world.subscribed("public:a", 0);
    let id = world.act(|client, now| client.unsubscribe(now, &topic("public:a")));
    let request = world.request();
    world.message("public:a", 1);
    world.reply(&request, &json!({"status": "success", "topic": "public:a"}));
    assert_eq!(world.answer(id), Ok(Reply::Unsubscribed(topic("public:a"))));
    assert!(world.seqs().is_empty());
    world.cut();
    world.come_back();
    assert!(world.requests().is_empty());
}

#[test]
fn unsubscribing_before_the_answer_cancels_the_subscribe() {
    let mut world = World::greeted();
    let id = world.subscribe("public:a");
    let first = world.request();
    world.act(|client, now| client.unsubscribe(now, &topic("public:a")));
    assert_eq!(world.answer(id), Err(ClientError::Cancelled));
    let again = world.subscribe("public:a");
    world.reply_subscribed(&first, 0, &json!({}));
    assert!(
        !world.is_answered(again),
        "the first answer was for the first subscription"
    );
}

#[test]
fn what_is_under_way_of_an_earlier_subscription_is_not_the_new_ones() {
    let mut world = World::greeted();
    world.subscribed("public:a", 0);
    world.act(|client, now| client.unsubscribe(now, &topic("public:a")));
    world.requests();
    world.subscribe("public:a");
    let request = world.request();
    world.message("public:a", 1);
    world.reply_subscribed(&request, 3, &json!({}));
    world.message("public:a", 4);
    assert_eq!(world.seqs(), [4], "the new subscription begins at its reply");
}

#[test]
fn a_channel_that_is_subscribed_anew_has_its_history_again() {
    let mut world = World::greeted();
    let page = json!({"messages": [message("public:a", 6), message("public:a", 7)]});
    for _ in 0..2 {
        let mut subscribe = Subscribe::to(topic("public:a"));
        subscribe.history = Some(2);
        world.act(|client, now| client.subscribe(now, subscribe));
        let request = world.request();
        world.reply_subscribed(&request, 7, &page);
        world.act(|client, now| client.unsubscribe(now, &topic("public:a")));
        world.requests();
        assert_eq!(world.seqs(), [6, 7]);
    }
}

#[test]
fn a_channel_that_is_subscribed_anew_from_an_earlier_position_begins_there() {
    let mut world = World::greeted();
    world.subscribed("public:a", 1);
    for seq in 2..=4 {
        world.message("public:a", seq);
    }
    world.act(|client, now| client.unsubscribe(now, &topic("public:a")));
    world.requests();
    assert_eq!(world.seqs(), [2, 3, 4]);
    let mut subscribe = Subscribe::to(topic("public:a"));
    subscribe.since = Some(Position {
        seq: 2,
        epoch: Epoch::new("e"),
    });
    world.act(|client, now| client.subscribe(now, subscribe));
    let request = world.request();
    let missed: Vec<_> = (3..=5).map(|seq| message("public:a", seq)).collect();
    world.reply_subscribed(&request, 5, &json!({"recovered": true, "messages": missed}));
    assert_eq!(world.seqs(), [3, 4, 5]);
}

#[test]
fn a_right_that_is_lost_ends_the_subscription() {
    let mut world = World::greeted();
    world.subscribed("public:a", 0);
    world.event(
        "unsubscribed",
        &json!({"topic": "public:a", "code": "permission_denied", "message": "no more"}),
    );
    assert!(
        world
            .events
            .iter()
            .any(|event| matches!(event, Event::Unsubscribed(_)))
    );
    // The right is back, and with it a subscription that was asked for before its loss was told.
    world.message("public:a", 1);
    assert_eq!(
        world.seqs(),
        [0; 0],
        "nothing is handed on that nobody asked for again"
    );
    world.cut();
    world.come_back();
    assert!(world.requests().is_empty());
}
