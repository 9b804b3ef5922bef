//! Coming up, going down, coming back.

use bmt_client_core::event::Reconnecting;
use bmt_client_core::{Config, Event, ReconnectPolicy, Status, TimeoutReason};
use serde_json::{Value, json};

use crate::harness::World;

fn delays(world: &mut World) -> Vec<u64> {
    let events = std::mem::take(&mut world.events);
    let delay = |event: &Event<_>| match event {
        Event::Reconnecting(Reconnecting { delay_ms, .. }) => *delay_ms,
        _ => None,
    };
    events.iter().filter_map(delay).collect()
}

fn exact(policy: ReconnectPolicy) -> World {
    World::new(Config {
        reconnect: ReconnectPolicy {
            jitter: 0.0,
            ..policy
        },
        ..Config::default()
    })
}

#[test]
fn the_credentials_follow_the_transports_handshake_and_the_greeting_connects() {
    let mut world = World::new(Config::default());
    world.act(|client, now| client.connect(now));
    assert_eq!(world.statuses(), [Status::Connecting]);
    assert_eq!(
        world.connects[0].path_and_query,
        "/socket.io/?EIO=4&transport=websocket"
    );
    world.open();
    assert!(
        world.frames.is_empty(),
        "nothing is said before the server's handshake"
    );
    world.handshake();
    assert_eq!(world.frames, [r#"40{"token":"Bearer t"}"#]);
    world.greet();
    assert!(
        matches!(world.events[0], Event::Connected(_)),
        "{:?}",
        world.events
    );
    assert_eq!(world.statuses(), [Status::Connected]);
    assert_eq!(world.client.connection_id().unwrap().as_str(), "c");
}

#[test]
fn a_guest_sends_no_credentials() {
    let mut world = World::new(Config::default());
    world.token = Ok(None);
    world.connect();
    world.handshake();
    assert_eq!(world.frames, ["40"]);
}

#[test]
fn delays_grow_from_a_second_to_thirty() {
    let mut world = exact(ReconnectPolicy::default());
    world.connect();
    for _ in 0..7 {
        world.cut();
        let wait = world.timeout.unwrap();
        assert_eq!(wait.reason, TimeoutReason::Retry);
        world.advance(wait.at_ms - world.now.monotonic_ms);
        world.open();
    }
    // The package's socket for any server, which is not driven by this core, is held to the same file.
    let file = include_str!("../../../../packages/realtime/test/backoff.json");
    let golden: Value = serde_json::from_str(file).unwrap();
    let policy = ReconnectPolicy::default();
    assert_eq!(golden["delaysMs"], json!(delays(&mut world)));
    assert_eq!(
        [&golden["baseMs"], &golden["capMs"]],
        [&json!(policy.base_ms), &json!(policy.cap_ms)]
    );
    assert_eq!(
        [&golden["factor"], &golden["jitter"]].map(Value::as_f64),
        [Some(policy.factor), Some(policy.jitter)]
    );
}

#[test]
fn only_a_connection_that_lived_five_seconds_forgets_the_attempts() {
    let mut world = exact(ReconnectPolicy::default());
    world.connect();
    world.greet();
    world.advance(4_999);
    world.cut();
    world.come_back();
    world.advance(4_999);
    world.cut();
    world.come_back();
    assert_eq!(delays(&mut world), [1_000, 2_000]);
    world.advance(5_000);
    world.cut();
    assert_eq!(delays(&mut world), [1_000]);
}

#[test]
fn attempts_end_where_the_policy_says_and_retry_now_begins_anew() {
    let mut world = exact(ReconnectPolicy {
        max_attempts: Some(2),
        ..ReconnectPolicy::default()
    });
    world.connect();
    world.cut();
    world.advance(1_000);
    world.open();
    world.cut();
    world.advance(2_000);
    world.open();
    world.events.clear();
    world.cut();
    assert!(world.events.contains(&Event::ReconnectFailed { attempts: 2 }));
    assert_eq!(world.client.status(), Status::Failed);
    assert_eq!(world.timeout, None, "nothing is planned");
    world.act(|client, now| client.retry_now(now));
    world.open();
    world.greet();
}

#[test]
fn offline_pauses_and_online_retries_at_once() {
    let mut world = World::greeted();
    world.cut();
    world.act(|client, now| client.handle_online(now, false));
    assert_eq!(world.timeout, None);
    world.advance(3_600_000);
    assert!(world.connects.is_empty());
    world.act(|client, now| client.handle_online(now, true));
    world.open();
    world.greet();
}

#[test]
fn a_page_that_becomes_visible_retries_at_once() {
    let mut world = World::greeted();
    world.cut();
    assert!(world.connects.is_empty());
    world.act(|client, now| client.handle_visible(now));
    assert_eq!(world.connects.len(), 1);
}

#[test]
fn a_delay_that_the_server_asked_for_outlasts_impatience() {
    let mut world = World::greeted();
    world.event(
        "closing",
        &json!({"code": 1012, "reason": "restart", "retryAfterMs": 8000}),
    );
    world.act(|client, now| client.handle_closed(now, 1000, ""));
    world.act(|client, now| client.retry_now(now));
    world.act(|client, now| client.handle_online(now, true));
    assert!(world.connects.is_empty());
    world.advance(7_999);
    assert!(world.connects.is_empty());
    world.advance(1);
    assert_eq!(world.connects.len(), 1);
}

#[test]
fn going_away_is_five_seconds_at_least() {
    let mut world = World::greeted();
    world.act(|client, now| client.handle_closed(now, 1001, ""));
    world.advance(4_999);
    assert!(world.connects.is_empty());
    world.advance(1);
    assert_eq!(world.connects.len(), 1);
}

#[test]
fn a_kick_is_final() {
    let mut world = World::greeted();
    world.event("closing", &json!({"code": 4002, "reason": "kicked"}));
    world.receive("41");
    assert_eq!(world.client.status(), Status::Failed);
    assert_eq!(world.client.state().error.as_deref(), Some("kicked"));
    assert_eq!(world.timeout, None);
    assert_eq!(world.closes, [1000]);
}

#[test]
fn a_token_that_expired_while_connected_is_replaced_at_once() {
    let mut world = World::greeted();
    world.event("closing", &json!({"code": 4001, "reason": "token_expired"}));
    world.token = Ok(Some("new".to_owned()));
    world.receive("41");
    assert_eq!(world.tokens_asked, 2);
    world.open();
    world.handshake();
    assert_eq!(world.frames, [r#"40{"token":"Bearer new"}"#]);
}

#[test]
fn a_token_that_is_greeted_and_ended_again_and_again_is_tried_twice_only() {
    let mut world = World::greeted();
    let end = |world: &mut World| {
        world.event("closing", &json!({"code": 4001, "reason": "token_expired"}));
        world.receive("41");
    };
    world.advance(5_000);
    end(&mut world);
    assert_eq!(world.tokens_asked, 2);
    world.open();
    world.greet();
    end(&mut world);
    assert!(world.events.contains(&Event::TokenExpired));
    assert_eq!(world.client.status(), Status::Failed);
    assert_eq!(world.timeout, None, "reconnecting has stopped");
}

#[test]
fn a_refused_token_is_asked_for_once_more_and_then_it_is_over() {
    let refusal = r#"44{"message":"Authentication failed: expired"}"#;
    let mut world = World::new(Config::default());
    world.connect();
    world.handshake();
    world.receive(refusal);
    assert_eq!(world.tokens_asked, 2);
    assert!(!world.events.contains(&Event::TokenExpired));
    world.open();
    world.handshake();
    world.receive(refusal);
    assert!(world.events.contains(&Event::TokenExpired));
    assert_eq!(world.client.status(), Status::Failed);
    assert_eq!(world.tokens_asked, 2);
    assert_eq!(world.timeout, None, "reconnecting has stopped");
    // A new login begins anew.
    world.connect();
    world.greet();
}

/// The server refuses whoever is there.
fn refuse(world: &mut World) {
    world.handshake();
    world.receive(r#"44{"message":"Authentication failed: expired"}"#);
}

#[test]
fn a_fixed_token_that_is_refused_is_not_tried_again() {
    let mut world = World::new(Config::default());
    world.has_fixed_token = true;
    world.connect();
    refuse(&mut world);
    assert_eq!(world.connects, [], "it would be refused again");
    assert!(world.events.contains(&Event::TokenExpired));
    assert_eq!(world.client.status(), Status::Failed);
    let why = world.client.state().error.as_deref();
    assert_eq!(why, Some("Authentication failed: expired"));
    assert_eq!(world.timeout, None);
    // Whoever connects anew wants it tried.
    world.connect();
    world.greet();
    world.event("closing", &json!({"code": 4001, "reason": "token_expired"}));
    world.receive("41");
    assert_eq!((world.client.status(), world.connects.len()), (Status::Failed, 0));
}

#[test]
fn a_fixed_token_that_was_replaced_meanwhile_is_tried_and_outlives_a_lost_connection() {
    let mut world = World::greeted();
    world.has_fixed_token = true;
    world.token = Ok(Some("another".to_owned()));
    world.event("closing", &json!({"code": 4001, "reason": "token_expired"}));
    world.receive("41");
    world.open();
    world.greet();
    // Before it has lived for five seconds.
    world.cut();
    world.come_back();
    assert!(!world.events.contains(&Event::TokenExpired));
    // Refused within them it is over: it was greeted only to be ended.
    world.event("closing", &json!({"code": 4001, "reason": "token_expired"}));
    world.receive("41");
    assert_eq!(world.client.status(), Status::Failed);
}

#[test]
fn a_guest_that_is_not_let_in_does_not_knock_twice() {
    let mut world = World::new(Config::default());
    world.has_fixed_token = true;
    world.token = Ok(None);
    world.connect();
    world.handshake();
    world.receive(r#"44{"message":"Authentication failed: missing"}"#);
    assert_eq!((world.client.status(), world.connects.len()), (Status::Failed, 0));
}

#[test]
fn a_token_that_ends_soon_is_replaced_on_the_living_connection() {
    let mut world = World::greeted();
    world.token = Ok(Some("Bearer new".to_owned()));
    world.event("token_expiring", &json!({"expiresAt": 1}));
    let request = world.request();
    assert_eq!(
        (request.name.as_str(), &request.body["token"]),
        ("refresh", &json!("new"))
    );
}

#[test]
fn a_refusal_for_the_moment_is_tried_again_when_the_server_says() {
    let mut world = World::new(Config::default());
    world.connect();
    world.handshake();
    world.receive(r#"44{"message":"full","data":{"code":"rate_limited","retryAfterMs":9000}}"#);
    assert_eq!(world.client.status(), Status::Reconnecting);
    world.advance(8_999);
    assert!(world.connects.is_empty());
    world.advance(1);
    assert_eq!(world.connects.len(), 1);
}

#[test]
fn a_server_that_never_greets_is_given_up() {
    let mut world = World::new(Config::default());
    world.connect();
    world.handshake();
    world.advance(9_999);
    assert!(world.closes.is_empty());
    world.advance(1);
    assert_eq!(world.closes.len(), 1);
    assert_eq!(world.client.status(), Status::Reconnecting);
}

#[test]
fn a_provider_without_a_token_is_asked_again_later() {
    let mut world = World::new(Config::default());
    world.token = Err("the login page is down".to_owned());
    world.act(|client, now| client.connect(now));
    assert_eq!(world.client.status(), Status::Reconnecting);
    world.token = Ok(None);
    world.come_back();
}

#[test]
fn disconnect_says_goodbye_and_stays_away() {
    let mut world = World::greeted();
    world.act(|client, now| client.disconnect(now));
    assert_eq!(world.frames, ["41"]);
    assert_eq!(world.closes, [1000]);
    assert_eq!(world.client.status(), Status::Disconnected);
    world.advance(600_000);
    world.act(|client, now| client.handle_online(now, true));
    world.act(|client, now| client.handle_visible(now));
    assert!(world.connects.is_empty());
}

#[test]
fn frames_that_break_the_protocol_close_the_transport() {
    for frame in [
        "9",
        "",
        "42",
        "42{}",
        "42[\"disconnect\"]",
        "0{}",
        "51-[\"a\"]",
        "4251-[]",
    ] {
        let mut world = World::greeted();
        world.receive(frame);
        world.receive(frame);
        let is_closed = world.client.status() == Status::Reconnecting;
        assert!(is_closed, "{frame:?}: {:?}", world.client.status());
        world.come_back();
    }
}
