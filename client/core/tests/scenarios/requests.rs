//! Questions of the application.

use bmt_client_core::ClientError;
use bmt_shared::reply::Reply;
use bmt_shared::request::{HistoryQuery, HistoryRange};
use serde_json::json;

use crate::harness::{World, failed, message, text, topic};

fn query() -> HistoryQuery {
    HistoryQuery {
        topic: topic("public:a"),
        range: HistoryRange::Before(9),
        limit: 20,
    }
}

#[test]
fn a_page_of_history_is_the_answer_and_no_message() {
    let mut world = World::greeted();
    let id = world.act(|client, now| client.history(now, query()));
    let request = world.request();
    assert_eq!(
        (&request.body["before"], &request.body["limit"]),
        (&json!(9), &json!(20))
    );
    world.reply(
        &request,
        &json!({"status": "success", "messages": [message("public:a", 8)], "seq": 9, "epoch": "e", "hasMore": true}),
    );
    let Ok(Reply::History(page)) = world.answer(id) else {
        panic!("no page")
    };
    assert!(page.has_more && page.messages.len() == 1);
    assert!(world.seqs().is_empty());
}

#[test]
fn a_question_waits_for_a_connection_and_is_asked_again_after_a_lost_one() {
    let mut world = World::new(Default::default());
    let id = world.act(|client, now| client.presence(now, topic("public:a")));
    world.connect();
    world.greet();
    assert_eq!(world.request().name, "presence");
    world.cut();
    world.come_back();
    let request = world.request();
    world.reply(&request, &json!({"status": "success", "users": [], "count": 0}));
    assert!(matches!(world.answer(id), Ok(Reply::Presence(_))));
}

#[test]
fn a_question_is_answered_in_time_whatever_happens() {
    let mut offline = World::new(Default::default());
    let id = offline.act(|client, now| client.history(now, query()));
    offline.advance(10_000);
    assert_eq!(offline.answer(id), Err(ClientError::NotConnected));

    let mut silent = World::greeted();
    let id = silent.act(|client, now| client.read(now, topic("public:a"), 4));
    silent.advance(10_000);
    assert_eq!(silent.answer(id), Err(ClientError::Timeout));

    let mut refused = World::greeted();
    let id = refused.act(|client, now| client.history(now, query()));
    let request = refused.request();
    refused.reply(&request, &failed("permission_denied", None));
    assert_eq!(refused.answer(id).unwrap_err().code(), "permission_denied");

    let mut ended = World::new(Default::default());
    let id = ended.act(|client, now| client.history(now, query()));
    ended.act(|client, now| client.disconnect(now));
    assert_eq!(ended.answer(id), Err(ClientError::Cancelled));
}

#[test]
fn what_is_asked_when_the_connection_is_told_stands_behind_the_subscriptions_and_the_queue() {
    let mut world = World::greeted();
    world.subscribed("public:a", 1);
    world.cut();
    world.publish("public:b", "m");
    world.on_connected = Some(|client, now| {
        client.presence(now, topic("public:a"));
    });
    world.come_back();
    let names: Vec<String> = world.requests().into_iter().map(|request| request.name).collect();
    assert_eq!(names, ["subscribe", "publish", "presence"]);
}

#[test]
fn a_signal_needs_a_connection_and_no_answer() {
    let mut world = World::new(Default::default());
    let say = |world: &mut World| world.act(|client, now| client.signal(now, topic("public:a"), text("x")));
    assert_eq!(say(&mut world), Err(ClientError::NotConnected));
    world.connect();
    world.greet();
    assert_eq!(say(&mut world), Ok(()));
    let request = world.request();
    assert_eq!((request.name.as_str(), request.key), ("signal", None));
}
