//! A client whose wall clock is a day off, or is set (FAULTS 99): only the server's clock and its own passing of time
//! count.

use bmt_client_core::{Clock, Config, Entry};
use serde_json::json;

use crate::harness::{World, message};

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// Clients whose clocks are a day behind, right, and a day ahead of the server's.
fn each_clock(scenario: impl Fn(World)) {
    for change in [0, DAY_MS, 2 * DAY_MS] {
        let mut world = World::new(Config::default());
        world.now.unix_ms = world.now.unix_ms - DAY_MS + change;
        scenario(world);
    }
}

#[test]
fn a_new_token_is_asked_for_when_the_server_says_and_not_by_the_own_clock() {
    each_clock(|mut world| {
        world.connect();
        world.greet();
        assert_eq!(world.tokens_asked, 1);
        world.advance(1_000);
        assert_eq!(world.tokens_asked, 1, "the clock says {}", world.now.unix_ms);
        world.requests();
        world.token = Ok(Some("another".to_owned()));
        // Long gone or far away by the clocks that are wrong.
        world.event("token_expiring", &json!({"expiresAt": 1_700_000_900_000u64}));
        assert_eq!(world.tokens_asked, 2);
        assert_eq!(world.request().name, "refresh");
    });
}

#[test]
fn what_waits_offline_lives_as_long_as_it_may_and_is_sent_once() {
    each_clock(|mut world| {
        world.connect();
        world.greet();
        world.cut();
        let waits = world.publish("public:a", "m1");
        world.advance(200_000);
        // Attempts that nobody answered.
        world.connects.clear();
        world.come_back();
        let sent = world.request();
        assert_eq!(sent.body["messageId"], "m1");
        world.reply_published(&sent, 1);
        assert!(world.answer(waits).is_ok());
        world.cut();
        let expires = world.publish("public:a", "m2");
        world.advance(299_999);
        assert!(!world.is_answered(expires));
        world.advance(1);
        assert_eq!(world.answer(expires).unwrap_err().code(), "queue_expired");
    });
}

#[test]
fn messages_are_handed_on_by_their_seq_whatever_time_they_bear() {
    each_clock(|mut world| {
        world.connect();
        world.greet();
        world.subscribed("public:a", 0);
        world.seqs();
        let now_ms = world.now.unix_ms;
        for (seq, timestamp) in [(1, now_ms + DAY_MS), (2, 1), (3, now_ms)] {
            let mut message = message("public:a", seq);
            message["timestamp"] = json!(timestamp);
            world.event("message", &message);
        }
        assert_eq!(world.seqs(), [1, 2, 3]);
    });
}

/// A page whose device's clock is `off_ms` ahead, with what earlier ones left in storage, in the order of storage.
fn page(off_ms: i64, earlier: &World) -> World {
    let mut world = World::new(Config::default());
    world.server_ms = earlier.server_ms;
    world.now.unix_ms = earlier.server_ms.saturating_add_signed(off_ms);
    world.stored = earlier.stored.clone();
    let mut entries: Vec<Entry> = world.stored.values().cloned().collect();
    entries.sort_by_key(Entry::order);
    world.act(|client, now| client.handle_restored(now, entries));
    world
}

/// A client that was connected, with one message that waits.
fn waiting(off_ms: i64) -> World {
    let mut world = World::new(Config::default());
    world.set_wall(off_ms);
    world.connect();
    world.greet();
    world.cut();
    world.publish("public:a", "m1");
    world
}

const DAY: i64 = DAY_MS.cast_signed();

#[test]
fn a_clock_that_is_set_while_messages_wait_ends_none_early_and_keeps_none_longer() {
    for by_ms in [-DAY, DAY] {
        for was_connected in [false, true] {
            let mut world = World::new(Config::default());
            if was_connected {
                world.connect();
                world.greet();
                world.cut();
            }
            let before = world.publish("public:a", "m1");
            world.advance(100_000);
            world.set_wall(by_ms);
            let after = world.publish("public:a", "m2");
            world.act(|client, now| client.handle_timeout(now));
            world.advance(199_999);
            assert!(!world.is_answered(before), "{by_ms} {was_connected}");
            world.advance(1);
            assert_eq!(world.answer(before).unwrap_err().code(), "queue_expired");
            world.advance(99_999);
            assert!(!world.is_answered(after), "{by_ms} {was_connected}");
            world.advance(1);
            assert_eq!(world.answer(after).unwrap_err().code(), "queue_expired");
        }
    }
}

#[test]
fn what_waited_through_a_sleep_is_not_sent_late() {
    let mut world = World::greeted();
    world.cut();
    let before = world.publish("public:a", "m1");
    world.sleep(300_000);
    let after = world.publish("public:a", "m2");
    assert!(!world.is_answered(before), "a clock that was set looks the same");
    world.connects.clear();
    world.come_back();
    assert_eq!(world.answer(before).unwrap_err().code(), "queue_expired");
    assert_eq!(world.request().body["messageId"], "m2");
    assert!(!world.is_answered(after));
}

#[test]
fn what_an_earlier_page_kept_is_as_old_as_the_server_says() {
    for (then, now) in [(0, DAY), (DAY, 0), (-DAY, DAY), (DAY, -DAY)] {
        let mut young = waiting(then);
        young.sleep(299_000);
        let mut next = page(now, &young);
        assert_eq!(next.client.queue_len(), 1, "nothing is known yet");
        next.connect();
        next.greet();
        assert_eq!(next.request().body["messageId"], "m1");

        let mut old = waiting(then);
        old.sleep(301_000);
        let mut next = page(now, &old);
        next.connect();
        next.greet();
        assert!(next.requests().is_empty(), "{then} {now}");
        assert!(next.stored.is_empty());

        let mut offline = page(now, &waiting(then));
        offline.advance(300_000);
        assert_eq!(offline.client.queue_len(), 0, "it has waited here long enough");
    }
}

#[test]
fn a_clock_that_went_back_between_pages_turns_no_order_around() {
    let first = waiting(DAY);
    let mut second = page(-DAY, &first);
    second.publish("public:a", "m2");
    let mut third = page(-DAY, &second);
    third.publish("public:a", "m3");
    third.connect();
    third.greet();
    let sent = third.request();
    let ids: Vec<_> = sent.body["messages"].as_array().unwrap().iter().collect();
    let ids: Vec<_> = ids.iter().map(|entry| &entry["messageId"]).collect();
    assert_eq!(ids, ["m1", "m2", "m3"]);
}

#[test]
fn messages_of_one_millisecond_keep_their_order_after_the_clock_went_back() {
    let ahead = {
        let mut world = World::new(Config::default());
        world.set_wall(DAY);
        world.publish("public:a", "m1");
        world
    };
    let mut back = page(0, &ahead);
    let ids = ["m2", "m3", "m4"];
    for id in ids {
        back.publish("public:a", id);
    }
    let mut written: Vec<&Entry> = back
        .stored
        .values()
        .filter(|entry| entry.message_id.as_str() != "m1")
        .collect();
    // Storage has no order of its own.
    written.reverse();
    written.sort_by_key(|entry| entry.order());
    let written: Vec<_> = written.iter().map(|entry| entry.message_id.as_str()).collect();
    assert_eq!(written, ids);
}

#[test]
fn what_one_page_wrote_keeps_its_order_whichever_tabs_date_it() {
    let mut writer = World::new(Config::default());
    writer.publish("public:a", "m1");
    writer.publish("public:a", "m2");
    // Dated by a tab that heard the time three seconds earlier than the next one does.
    let date = writer.server_ms + 3_000;
    let first = writer.stored.values_mut().next().unwrap();
    assert_eq!(first.message_id.as_str(), "m1");
    (first.clock, first.timestamp) = (Clock::Server, date);
    let mut next = page(0, &writer);
    next.connect();
    next.greet();
    let sent = next.request();
    let ids: Vec<_> = sent.body["messages"].as_array().unwrap().iter().collect();
    let ids: Vec<_> = ids.iter().map(|entry| &entry["messageId"]).collect();
    assert_eq!(ids, ["m1", "m2"]);
}

#[test]
fn what_was_written_before_the_first_greeting_is_dated_anew() {
    each_clock(|mut world| {
        for id in ["m1", "m2", "m3"] {
            world.publish("public:a", id);
        }
        assert!(world.stored.values().all(|entry| entry.clock == Clock::Own));
        world.advance(1_000);
        world.connect();
        world.greet();
        let mut last = 0;
        for entry in world.stored.values() {
            assert_eq!(entry.clock, Clock::Server);
            assert!(entry.timestamp.abs_diff(world.server_ms - 1_000) < 10);
            assert!(entry.timestamp > last, "in the order of writing");
            last = entry.timestamp;
        }
        assert_eq!(world.client.unix_ms(world.now), world.server_ms);
        world.set_wall(DAY);
        world.advance(5);
        assert_eq!(world.client.unix_ms(world.now), world.server_ms);
    });
}
