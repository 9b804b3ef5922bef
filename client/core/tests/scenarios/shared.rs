//! Tabs of one browser that share a connection.

mod browser;
mod handover;
mod holds;

use bmt_client_core::{Client, Event, Native, Status};
use bmt_shared::payload::Payload;
use bmt_shared::request::Publish;
use serde_json::{Value, json};

use crate::harness::{Request, failed, message, published, subscribed, text, topic};
use browser::Browser;

#[test]
fn one_tab_connects_and_the_others_are_greeted_by_it() {
    let browser = Browser::greeted(3);
    assert_eq!(browser.leader(), 0);
    for tab in 0..3 {
        assert_eq!(browser.tabs[tab].client.status(), Status::Connected);
        assert_eq!(browser.tabs[tab].client.user().unwrap().user_id.as_str(), "alice");
    }
    assert!(
        browser.tabs[1..]
            .iter()
            .all(|tab| tab.connects.is_empty() && tab.frames.is_empty())
    );
}

#[test]
fn a_tab_takes_the_time_from_the_leader_and_not_from_its_old_greeting() {
    let mut browser = Browser::greeted(1);
    browser.advance(3_600_000);
    browser.open_tab();
    let (leader, late) = (&browser.tabs[0], &browser.tabs[1]);
    assert_eq!(late.client.status(), Status::Connected);
    assert_eq!(late.client.unix_ms(late.now), leader.client.unix_ms(leader.now));
}

#[test]
fn a_message_goes_to_the_tabs_that_subscribed_to_its_channel_once_each() {
    let mut browser = Browser::greeted(3);
    browser.subscribed(1, "public:a", 0);
    browser.subscribed(2, "public:a", 0);
    browser.subscribed(0, "public:b", 0);
    browser.server_says("message", &message("public:a", 1));
    browser.server_says("message", &message("public:b", 1));
    browser.server_says("message", &message("public:a", 2));
    assert_eq!(browser.seqs(), [vec![1], vec![1, 2], vec![1, 2]]);
}

#[test]
fn an_answer_goes_to_the_tab_that_asked() {
    let mut browser = Browser::greeted(3);
    let asked: Vec<_> = (0..3)
        .map(|tab| browser.publish(tab, "public:a", &format!("m{tab}")))
        .collect();
    let requests = browser.requests();
    assert_eq!(requests.len(), 3, "{requests:?}");
    for (seq, request) in requests.iter().enumerate().rev() {
        browser.reply(request, &published(&request.body, seq as u64 + 1));
    }
    for (tab, id) in asked.into_iter().enumerate() {
        assert!(browser.tabs[tab].is_answered(id), "{tab}");
        assert_eq!(browser.tabs[tab].client.queue_len(), 0);
    }
}

#[test]
fn a_refusal_of_the_server_goes_to_the_tab_that_asked() {
    let mut browser = Browser::greeted(2);
    let id = browser.act(1, |client, now| {
        client.history(
            now,
            bmt_shared::request::HistoryQuery {
                topic: topic("private:x"),
                range: bmt_shared::request::HistoryRange::Newest,
                limit: 1,
            },
        )
    });
    let request = browser.request();
    browser.reply(&request, &failed("permission_denied", None));
    assert_eq!(
        browser.tabs[1].answer(id).unwrap_err().code(),
        "permission_denied"
    );
}

#[test]
fn a_tab_that_subscribes_late_loses_nothing_between_its_request_and_the_answer() {
    let mut browser = Browser::greeted(2);
    browser.subscribed(0, "public:a", 0);
    browser.subscribe(1, "public:a");
    let request = browser.request();
    // The server read its history at 1; what it said meanwhile overtook the answer.
    browser.server_says("message", &message("public:a", 1));
    browser.server_says("message", &message("public:a", 2));
    browser.reply(&request, &subscribed("public:a", 1, &json!({})));
    browser.server_says("message", &message("public:a", 3));
    assert_eq!(browser.seqs(), [vec![1, 2, 3], vec![2, 3]]);
}

#[test]
fn a_tab_recovers_what_it_alone_misses() {
    let mut browser = Browser::greeted(2);
    browser.subscribed(0, "public:a", 0);
    browser.subscribed(1, "public:a", 2);
    browser.server_says("message", &message("public:a", 3));
    let request = browser.request();
    assert_eq!(
        request.body["since"]["seq"], 0,
        "the first tab asks for what is before 3"
    );
    let missed: Vec<Value> = vec![message("public:a", 1), message("public:a", 2)];
    browser.reply(
        &request,
        &subscribed("public:a", 2, &json!({"recovered": true, "messages": missed})),
    );
    assert_eq!(browser.seqs(), [vec![1, 2, 3], vec![3]]);
}

#[test]
fn binary_parts_go_both_ways() {
    let mut browser = Browser::greeted(2);
    browser.subscribed(1, "public:a", 0);
    let placeholder = json!({"blob": {"_placeholder": true, "num": 0}});
    let payload = Payload::encode(&placeholder).unwrap();
    let payload = payload.with_attachments(vec![bytes::Bytes::from_static(&[1, 2, 3])]);
    browser
        .act(1, |client, now| {
            client.publish(now, Publish::new(topic("public:a"), payload), None)
        })
        .unwrap();
    let sent = browser.tabs[0].frames.pop().unwrap();
    assert!(sent.starts_with("451-"), "{sent}");
    assert_eq!(browser.tabs[0].binary, [[1, 2, 3]]);

    let mut body = message("public:a", 1);
    body["payload"] = placeholder;
    browser.server_sends(&format!("451-{}", json!(["message", body])));
    browser.server_sends_bytes(&[7, 8]);
    let events = std::mem::take(&mut browser.tabs[1].events);
    let parts: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Message(received) => Some(received.message.payload.attachments().to_vec()),
            _ => None,
        })
        .collect();
    assert_eq!(parts, [[bytes::Bytes::from_static(&[7, 8])]]);
}

/// Three tabs on a channel.
fn listening() -> Browser {
    let mut browser = Browser::greeted(3);
    for tab in 0..3 {
        browser.subscribed(tab, "public:a", 0);
    }
    browser
}

/// How many signals each tab heard since the last look.
fn heard(browser: &mut Browser) -> Vec<usize> {
    let heard = browser.tabs.iter_mut().map(|tab| {
        let events = std::mem::take(&mut tab.events);
        let signals = events.iter().filter(|event| matches!(event, Event::Signal(_)));
        signals.count()
    });
    heard.collect()
}

fn signal(browser: &mut Browser, tab: usize) -> Request {
    let say = |client: &mut Client<Native>, now| client.signal(now, topic("public:a"), text("typing"));
    browser.act(tab, say).unwrap();
    let request = browser.request();
    assert_eq!(request.name, "signal");
    request
}

#[test]
fn a_signal_reaches_the_other_tabs_when_the_server_has_taken_it() {
    let mut browser = listening();
    for (tab, signals) in [(1, [1, 0, 1]), (0, [0, 1, 1])] {
        let request = signal(&mut browser, tab);
        assert_eq!(heard(&mut browser), [0, 0, 0], "nobody has admitted it yet");
        browser.reply(&request, &json!({"type": "ack", "status": "success"}));
        assert_eq!(heard(&mut browser), signals, "said in {tab}");
    }
    // What a tab says last is heard when it is gone.
    let request = signal(&mut browser, 2);
    browser.close(2);
    browser.reply(&request, &json!({"type": "ack", "status": "success"}));
    assert_eq!(heard(&mut browser)[..2], [1, 1]);
}

#[test]
fn a_refused_signal_is_shown_to_no_tab_and_told_to_the_one_that_said_it() {
    let mut browser = listening();
    for said_in in [0, 1] {
        let request = signal(&mut browser, said_in);
        browser.reply(&request, &failed("permission_denied", None));
        for (tab, world) in browser.tabs.iter_mut().enumerate() {
            let events = std::mem::take(&mut world.events);
            let shown = events.iter().any(|event| matches!(event, Event::Signal(_)));
            let refusals = events.iter().filter(|event| match event {
                Event::Error(error) => error.code() == "permission_denied",
                _ => false,
            });
            assert_eq!(
                (shown, refusals.count()),
                (false, usize::from(tab == said_in)),
                "{tab}"
            );
        }
    }
}

#[test]
fn a_server_of_the_seeds_is_asked_for_no_answer_to_a_signal() {
    let mut browser = Browser::new(2);
    browser.connect(0);
    browser.tabs[0].open();
    browser.tabs[0].greet_as("alice", None);
    browser.settle();
    browser.connect(1);
    assert_eq!(browser.tabs[1].client.status(), Status::Connected);
    for tab in [1, 0] {
        assert_eq!(signal(&mut browser, tab).key, None, "said in {tab}");
        let events = std::mem::take(&mut browser.tabs[1 - tab].events);
        assert!(events.iter().any(|event| matches!(event, Event::Signal(_))));
    }
}

#[test]
fn a_connection_over_long_polling_is_shared_too() {
    let mut browser = Browser::new(2);
    browser.connect(0);
    browser.tabs[0].block_socket();
    let poll = browser.tabs[0].greet_over_polling();
    browser.settle();
    browser.connect(1);
    assert_eq!(browser.tabs[1].client.status(), Status::Connected);
    browser.subscribe(1, "public:a");
    let sent = browser.tabs[0].fetch().body.unwrap_or_default();
    assert!(sent.contains(r#""topic":"public:a""#), "{sent}");
    let answer = format!("431{}", json!([subscribed("public:a", 0, &json!({}))]));
    let event = format!("42{}", json!(["message", message("public:a", 1)]));
    browser.tabs[0].respond(&poll, &format!("{answer}\u{1e}{event}"));
    browser.settle();
    assert_eq!(browser.tabs[1].seqs(), [1]);
}

#[test]
fn users_do_not_share_and_tokens_of_nobody_knows_whom_do_not_either() {
    let mut browser = Browser::new(3);
    browser.tabs[1].token = Ok(Some(browser::token("bob")));
    browser.tabs[2].token = Ok(Some("opaque".to_owned()));
    for tab in 0..3 {
        browser.connect(tab);
        assert_eq!(browser.tabs[tab].connects.len(), 1, "{tab} connects by itself");
    }
}

#[test]
fn what_others_say_on_the_bus_is_nothing() {
    let mut browser = Browser::greeted(2);
    for garbage in [
        "",
        "down",
        "42[\"message\",{}]",
        "down 1 0 99\n42[\"x\"]",
        "ended 9 0 0\n1000 0 3 0 no",
        "lead x 0 0\n1",
    ] {
        for tab in 0..2 {
            browser.act(tab, |client, now| client.handle_post(now, garbage, &[]));
        }
    }
    for tab in 0..2 {
        assert_eq!(browser.tabs[tab].client.status(), Status::Connected, "{tab}");
    }
    assert_eq!(browser.leader(), 0);
}

#[test]
fn a_message_to_be_confirmed_is_confirmed_by_the_tab_that_handed_it_on() {
    let mut browser = Browser::greeted(3);
    browser.subscribed(1, "public:a", 0);
    browser.subscribed(2, "public:a", 0);
    let mut asking = message("public:a", 1);
    asking["requireDelivery"] = json!(true);
    // The server counts connections: the first of these confirms for the browser, the other changes nothing.
    browser.server_says("message", &asking);
    let acks = browser.requests();
    let named: Vec<_> = acks
        .iter()
        .map(|ack| (ack.name.as_str(), &ack.body["id"]))
        .collect();
    assert_eq!(named, [("ack", &asking["id"]), ("ack", &asking["id"])]);
    assert_eq!(browser.seqs(), [vec![], vec![1], vec![1]]);
    // A tab that does not want the channel confirms nothing for those that do and hang.
    browser.hang(1);
    browser.hang(2);
    let mut next = message("public:a", 2);
    next["requireDelivery"] = json!(true);
    browser.server_says("message", &next);
    assert!(browser.requests().is_empty());
}
