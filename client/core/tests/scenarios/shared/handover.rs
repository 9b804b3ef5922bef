//! The tab with the connection is closed, frozen, crashes, hangs, or loses its connection.

use bmt_client_core::{Event, Status};
use serde_json::json;

use super::Browser;
use crate::harness::{message, published, subscribed};

/// The server takes every subscription that was asked for at `seq` of epoch `e`, with nothing missed.
fn restore(browser: &mut Browser, seq: u64) {
    for request in browser.requests() {
        assert_eq!(request.name, "subscribe", "{request:?}");
        assert_eq!(request.body["since"], json!({"seq": seq, "epoch": "e"}));
        let channel = request.body["topic"].as_str().unwrap().to_owned();
        browser.reply(
            &request,
            &subscribed(&channel, seq, &json!({"recovered": true, "messages": []})),
        );
    }
}

fn with_subscriptions() -> Browser {
    let mut browser = Browser::greeted(3);
    for tab in 0..3 {
        browser.subscribed(tab, "public:a", 0);
    }
    browser.server_says("message", &message("public:a", 1));
    assert_eq!(browser.seqs(), [[1], [1], [1]]);
    browser
}

/// The next leader is asked for a transport, gets it, and everybody is back where they were.
fn assert_hands_over(browser: &mut Browser, gone: usize) {
    assert_ne!(browser.leader(), gone);
    // Last words are waited for where there were none.
    browser.advance(50);
    let before = browser.tabs[1].now.monotonic_ms;
    browser.server_greets();
    restore(browser, 1);
    assert_eq!(browser.tabs[1].now.monotonic_ms, before, "no time has passed");
    browser.server_says("message", &message("public:a", 2));
    for tab in [1, 2] {
        assert_eq!(browser.tabs[tab].seqs(), [2], "{tab}");
        assert_eq!(browser.tabs[tab].client.status(), Status::Connected);
    }
}

#[test]
fn a_closed_leader_is_replaced_at_once() {
    let mut browser = with_subscriptions();
    browser.close(0);
    assert!(
        browser.tabs[0].frames.contains(&"41".to_owned()),
        "it has said good-bye"
    );
    assert_hands_over(&mut browser, 0);
}

#[test]
fn a_crashed_leader_is_replaced_at_once() {
    let mut browser = with_subscriptions();
    browser.crash(0);
    assert_hands_over(&mut browser, 0);
}

#[test]
fn a_disconnected_leader_is_replaced_at_once() {
    let mut browser = with_subscriptions();
    browser.act(0, |client, now| client.disconnect(now));
    assert_hands_over(&mut browser, 0);
    assert_eq!(browser.tabs[0].client.status(), Status::Disconnected);
}

#[test]
fn a_frozen_leader_is_replaced_and_follows_when_it_is_seen_again() {
    let mut browser = with_subscriptions();
    browser.act(0, |client, now| client.handle_leaving(now));
    assert_hands_over(&mut browser, 0);
    browser.act(0, |client, now| client.handle_visible(now));
    assert_eq!(browser.tabs[0].client.status(), Status::Connected);
    let request = browser.request();
    assert_eq!(request.body["since"]["seq"], 1);
    let missed = [message("public:a", 2)];
    browser.reply(
        &request,
        &subscribed("public:a", 2, &json!({"recovered": true, "messages": missed})),
    );
    assert_eq!(browser.tabs[0].seqs(), [2]);
    assert_eq!(browser.tabs[0].connects.len(), 0);
}

#[test]
fn a_leader_that_hangs_is_robbed_and_follows_when_it_wakes() {
    let mut browser = with_subscriptions();
    browser.hang(0);
    browser.advance(16_500);
    assert_hands_over(&mut browser, 0);
    let leader = browser.leader();
    browser.wake(0);
    assert_eq!(browser.leader(), leader, "it takes nothing back");
    assert_eq!(browser.tabs[0].closes, [1000], "its connection is closed");
    let request = browser.request();
    assert_eq!(request.body["since"]["seq"], 1);
    let missed = [message("public:a", 2)];
    browser.reply(
        &request,
        &subscribed("public:a", 2, &json!({"recovered": true, "messages": missed})),
    );
    assert_eq!(browser.tabs[0].seqs(), [2]);
    assert_eq!(browser.tabs[0].client.status(), Status::Connected);
}

#[test]
fn tabs_that_find_a_leader_silent_together_rob_it_once() {
    let mut browser = Browser::greeted(8);
    browser.hang(0);
    browser.advance(17_000);
    assert!(browser.reigns <= 3, "{}", browser.reigns);
    browser.server_greets();
    for tab in 1..8 {
        assert_eq!(browser.tabs[tab].client.status(), Status::Connected, "{tab}");
    }
}

#[test]
fn a_tab_that_is_opened_while_the_leader_hangs_does_not_wait_for_it_for_ever() {
    let mut browser = Browser::greeted(1);
    browser.hang(0);
    browser.open_tab();
    browser.advance(6_500);
    assert_eq!(browser.leader(), 1);
    browser.server_greets();
    assert_eq!(browser.tabs[1].client.status(), Status::Connected);
}

#[test]
fn a_publish_under_way_is_sent_again_under_its_id_by_the_next_leader() {
    for tab in [0, 1, 2] {
        let mut browser = with_subscriptions();
        let id = browser.publish(1, "public:a", "m1");
        assert_eq!(browser.request().body["messageId"], "m1");
        browser.crash(tab);
        browser.advance(50);
        if tab == 0 {
            browser.server_greets();
            let requests = browser.requests();
            let again: Vec<_> = requests
                .iter()
                .filter(|request| request.name == "publish")
                .collect();
            assert_eq!(again.len(), 1, "{requests:?}");
            assert_eq!(again[0].body["messageId"], "m1");
            let reply = published(&again[0].body, 2);
            let again = (*again[0]).clone();
            browser.reply(&again, &reply);
            assert!(browser.tabs[1].is_answered(id));
            assert_eq!(browser.tabs[1].client.queue_len(), 0);
        } else {
            assert_eq!(browser.leader(), 0, "a follower's end is nobody else's");
        }
    }
}

#[test]
fn a_subscribe_under_way_is_asked_for_again_by_the_next_leader() {
    let mut browser = Browser::greeted(3);
    let id = browser.subscribe(2, "public:a");
    browser.close(0);
    browser.server_greets();
    let request = browser.request();
    browser.reply(&request, &subscribed("public:a", 4, &json!({})));
    assert!(browser.tabs[2].answer(id).is_ok());
}

#[test]
fn a_recovery_under_way_begins_anew_with_the_next_leader() {
    let mut browser = with_subscriptions();
    // Tab 2 misses 2 and waits for it when the leader goes.
    browser.server_says("message", &message("public:a", 3));
    browser.requests();
    browser.crash(0);
    browser.advance(50);
    browser.server_greets();
    let missed = [message("public:a", 2), message("public:a", 3)];
    for request in browser.requests() {
        assert_eq!(request.body["since"]["seq"], 1);
        browser.reply(
            &request,
            &subscribed("public:a", 3, &json!({"recovered": true, "messages": missed})),
        );
    }
    browser.server_says("message", &message("public:a", 4));
    for tab in [1, 2] {
        assert_eq!(browser.tabs[tab].seqs(), [2, 3, 4], "{tab}");
    }
}

#[test]
fn a_lost_connection_is_lost_in_every_tab_and_comes_back_in_every_tab() {
    let mut browser = with_subscriptions();
    browser.server_closes(1006);
    for tab in 0..3 {
        assert_eq!(browser.tabs[tab].client.status(), Status::Reconnecting, "{tab}");
    }
    browser.advance(1_500);
    browser.server_greets();
    restore(&mut browser, 1);
    for tab in 0..3 {
        assert_eq!(browser.tabs[tab].client.status(), Status::Connected, "{tab}");
        assert!(
            browser.tabs[tab]
                .client
                .is_subscribed(&crate::harness::topic("public:a"))
        );
    }
    assert_eq!(browser.reigns, 1);
}

#[test]
fn a_kick_is_for_every_tab_and_nobody_comes_back() {
    let mut browser = with_subscriptions();
    browser.server_closes(4002);
    browser.advance(600_000);
    for tab in 0..3 {
        assert_eq!(browser.tabs[tab].client.status(), Status::Failed, "{tab}");
        assert!(browser.tabs[tab].connects.is_empty(), "{tab}");
    }
    browser.connect(2);
    assert_eq!(browser.leader(), 2, "until somebody says so");
}

#[test]
fn a_tab_that_gets_the_lock_before_the_last_words_of_a_kicked_leader_waits_for_them() {
    let mut browser = Browser::greeted(2);
    browser.hold_posts(1);
    browser.server_closes(4002);
    browser.advance(20);
    assert_eq!(browser.leader(), 1);
    browser.pass_posts(1);
    browser.advance(10_000);
    assert_eq!(browser.tabs[1].client.status(), Status::Failed);
    assert!(browser.tabs[1].connects.is_empty());
}

#[test]
fn the_servers_advice_to_wait_is_kept_by_every_tab() {
    let mut browser = with_subscriptions();
    browser.server_says(
        "closing",
        &json!({"code": 1012, "reason": "restart", "retryAfterMs": 20_000}),
    );
    browser.server_closes(1012);
    browser.close(0);
    browser.advance(19_000);
    assert!(browser.tabs.iter().all(|tab| tab.connects.is_empty()));
    browser.advance(2_000);
    browser.server_greets();
    let told = |event: &Event<_>| matches!(event, Event::Closing(_));
    assert!(browser.tabs[1].events.iter().any(told) && browser.tabs[2].events.iter().any(told));
}

#[test]
fn a_token_that_is_refused_ends_one_tab_and_the_next_tries_its_own() {
    // One that a provider gave is asked for once more.
    for (is_fixed, refusals) in [(false, 2), (true, 1)] {
        let mut browser = Browser::new(2);
        browser.tabs[0].has_fixed_token = is_fixed;
        browser.connect(0);
        browser.connect(1);
        for _ in 0..refusals {
            browser.tabs[0].open();
            browser.tabs[0].receive(
                r#"0{"sid":"s","upgrades":[],"pingInterval":3600000,"pingTimeout":20000,"maxPayload":1}"#,
            );
            browser.server_sends(r#"44{"message":"no","data":{"code":"authentication_failed"}}"#);
        }
        assert_eq!(browser.tabs[0].client.status(), Status::Failed, "{is_fixed}");
        assert_eq!(browser.leader(), 1, "{is_fixed}");
        browser.server_greets();
        assert_eq!(browser.tabs[1].client.status(), Status::Connected);
    }
}

#[test]
fn only_the_leader_is_asked_for_a_new_token_when_the_old_one_ends() {
    let mut browser = Browser::greeted(2);
    let before: Vec<u32> = browser.tabs.iter().map(|tab| tab.tokens_asked).collect();
    browser.server_says("token_expiring", &json!({"expiresAt": 1}));
    let after: Vec<u32> = browser.tabs.iter().map(|tab| tab.tokens_asked).collect();
    assert_eq!(after, [before[0] + 1, before[1]]);
}

#[test]
fn of_two_leaders_the_later_one_stays() {
    let mut browser = Browser::greeted(2);
    browser.hang(0);
    browser.advance(16_500);
    assert_eq!(browser.leader(), 1);
    browser.server_greets();
    // The lock's loss is not told; the posts are enough.
    browser.forget_lock_words(0);
    browser.wake(0);
    assert_eq!(browser.tabs[0].closes, [1000]);
    assert_eq!(browser.tabs[0].client.status(), Status::Connected);
    assert_eq!(browser.tabs[1].client.status(), Status::Connected);
    assert_eq!(browser.leader(), 1);
}

#[test]
fn a_tab_that_other_leaders_rob_again_and_again_connects_by_itself() {
    let mut browser = Browser::greeted(1);
    let mut rivals_term = browser.tabs[0].now.unix_ms * 2;
    let mut rival = |browser: &mut Browser| {
        rivals_term += 1;
        let claim = format!("lead 7 0 {rivals_term}\n1");
        browser.act(0, |client, now| client.handle_post(now, &claim, &[]));
    };
    for _ in 0..2 {
        rival(&mut browser);
        // It has the lock of its host all the same.
        browser.server_greets();
        assert_eq!(browser.tabs[0].client.status(), Status::Connected);
    }
    rival(&mut browser);
    assert_eq!(browser.tabs[0].connects.len(), 1, "it is away for no moment");
    browser.tabs[0].open();
    browser.tabs[0].greet();
    browser.settle();
    rival(&mut browser);
    assert_eq!(browser.tabs[0].client.status(), Status::Connected);
    assert_eq!(browser.tabs[0].connects.len(), 0, "nobody robs it any more");
    // Later it shares again.
    browser.advance(60_000);
    browser.tabs[0].cut();
    browser.settle();
    browser.advance(2_000);
    browser.server_greets();
    assert_eq!(browser.leader(), 0);
}
