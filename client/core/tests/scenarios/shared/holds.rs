//! Channels that several tabs hold on one connection.

use bmt_client_core::Event;
use bmt_shared::payload::Payload;
use bmt_shared::request::Subscribe;
use serde_json::json;

use super::Browser;
use crate::harness::{subscribed, topic};

fn filtered(channel: &str, value: &str) -> Subscribe {
    let mut subscribe = Subscribe::to(topic(channel));
    subscribe
        .params
        .insert("room".to_owned(), Payload::encode(&json!(value)).unwrap());
    subscribe
}

#[test]
fn a_channel_is_given_up_when_the_last_tab_lets_go() {
    let mut browser = Browser::greeted(3);
    for tab in 0..3 {
        browser.subscribed(tab, "public:a", 0);
    }
    for tab in [0, 1] {
        let id = browser.unsubscribe(tab, "public:a");
        assert!(browser.tabs[tab].answer(id).is_ok());
        assert!(browser.requests().is_empty(), "others hold it");
    }
    browser.unsubscribe(2, "public:a");
    assert_eq!(browser.request().name, "unsubscribe");
}

#[test]
fn a_tab_that_is_closed_lets_go_of_all_it_held() {
    let mut browser = Browser::greeted(3);
    browser.subscribed(1, "public:a", 0);
    browser.subscribed(2, "public:a", 0);
    browser.subscribed(2, "public:b", 0);
    browser.close(2);
    let request = browser.request();
    assert_eq!(
        (&*request.name, &request.body["topic"]),
        ("unsubscribe", &json!("public:b"))
    );
}

#[test]
fn a_tab_that_crashed_lets_go_when_it_has_been_silent_for_long() {
    let mut browser = Browser::greeted(2);
    browser.subscribed(1, "public:a", 0);
    browser.crash(1);
    browser.advance(140_000);
    assert!(browser.requests().is_empty());
    browser.advance(10_000);
    assert_eq!(browser.request().name, "unsubscribe");
}

#[test]
fn a_tab_that_was_taken_for_dead_is_greeted_anew() {
    let mut browser = Browser::greeted(2);
    browser.subscribed(1, "public:a", 0);
    browser.hang(1);
    browser.advance(151_000);
    assert_eq!(browser.request().name, "unsubscribe");
    browser.wake(1);
    browser.advance(1);
    let requests = browser.requests();
    assert_eq!(requests.len(), 1, "{requests:?}");
    assert_eq!(requests[0].body["since"]["seq"], 0);
}

#[test]
fn tabs_share_a_filter_and_one_that_differs_is_refused() {
    let mut browser = Browser::greeted(3);
    for tab in [1, 0] {
        browser.subscribe_with(tab, filtered("public:a", "x"));
        let request = browser.request();
        browser.reply(&request, &subscribed("public:a", 0, &json!({})));
    }
    for other in [filtered("public:a", "y"), Subscribe::to(topic("public:a"))] {
        let id = browser.subscribe_with(2, other);
        let error = browser.tabs[2].answer(id).unwrap_err();
        assert_eq!(error.code(), "invalid_operation", "{error}");
    }
    let own = browser.subscribe_with(0, filtered("public:a", "y"));
    assert_eq!(
        browser.tabs[0].answer(own).unwrap_err().code(),
        "invalid_operation"
    );
    browser.requests();
    browser.unsubscribe(1, "public:a");
    browser.requests();
    browser.subscribe_with(2, filtered("public:a", "y"));
    assert_eq!(
        browser.request().body["params"]["room"],
        "y",
        "nobody else holds it now"
    );
}

#[test]
fn one_channel_that_cannot_be_shared_does_not_stop_the_others_of_its_batch() {
    let mut browser = Browser::greeted(2);
    browser.subscribe_with(0, filtered("public:a", "x"));
    let request = browser.request();
    browser.reply(&request, &subscribed("public:a", 0, &json!({})));
    let wanted = ["public:a", "public:b"].map(|name| Subscribe::to(topic(name)));
    let ids = browser.act(1, |client, now| client.subscribe_all(now, wanted.to_vec()));
    let request = browser.request();
    assert_eq!(request.body["topic"], "public:b");
    browser.reply(&request, &subscribed("public:b", 0, &json!({})));
    assert_eq!(
        browser.tabs[1].answer(ids[0]).unwrap_err().code(),
        "invalid_operation"
    );
    assert!(browser.tabs[1].answer(ids[1]).is_ok());
}

#[test]
fn presence_is_asked_for_while_any_tab_wants_it_and_told_to_those_that_do() {
    let mut browser = Browser::greeted(3);
    let mut with_presence = Subscribe::to(topic("public:a"));
    with_presence.presence = true;
    for (tab, subscribe) in [(1, with_presence), (2, Subscribe::to(topic("public:a")))] {
        browser.subscribe_with(tab, subscribe);
        let request = browser.request();
        assert_eq!(request.body["presence"], true, "{tab}");
        browser.reply(&request, &subscribed("public:a", 0, &json!({})));
    }
    let user = json!({"userId": "bob", "name": "Bob", "connections": 1, "since": 1});
    browser.server_says(
        "presence",
        &json!({"topic": "public:a", "action": "join", "user": user}),
    );
    let told = browser.tabs.iter().map(|tab| {
        let told = |event: &&Event<Payload>| matches!(event, Event::Presence(_));
        tab.events.iter().filter(told).count()
    });
    assert_eq!(told.collect::<Vec<_>>(), [0, 1, 0]);
}

#[test]
fn a_channel_that_the_server_takes_away_is_taken_from_every_tab_that_holds_it() {
    let mut browser = Browser::greeted(3);
    browser.subscribed(1, "public:a", 0);
    browser.subscribed(2, "public:a", 0);
    let body = json!({"topic": "public:a", "code": "permission_denied", "message": "no more"});
    browser.server_says("unsubscribed", &body);
    let told = browser.tabs.iter().map(|tab| {
        let told = |event: &&Event<Payload>| matches!(event, Event::Unsubscribed(_));
        tab.events.iter().filter(told).count()
    });
    assert_eq!(told.collect::<Vec<_>>(), [0, 1, 1]);
    browser.unsubscribe(1, "public:a");
    assert!(browser.requests().is_empty());
}

#[test]
fn a_channel_that_the_server_refuses_is_held_by_nobody() {
    let mut browser = Browser::greeted(3);
    let id = browser.subscribe(1, "private:x");
    let request = browser.request();
    browser.reply(&request, &crate::harness::failed("permission_denied", None));
    assert_eq!(
        browser.tabs[1].answer(id).unwrap_err().code(),
        "permission_denied"
    );
    browser.requests();
    browser.subscribed(2, "private:x", 0);
    browser.unsubscribe(2, "private:x");
    assert_eq!(browser.request().name, "unsubscribe");
}
