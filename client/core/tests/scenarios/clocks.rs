//! A client whose wall clock is a day off (FAULTS 99): only the server's clock and its own passing of time count.

use bmt_client_core::Config;
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
