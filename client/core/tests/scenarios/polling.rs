//! HTTP long-polling where no WebSocket can be opened, and the way back to one.

use bmt_client_core::{Config, Event, Fetch, Frame, Response, Status, Transports};
use bmt_shared::payload::Payload;
use serde_json::{Value, json};

use crate::harness::World;

const HANDSHAKE: &str =
    r#"0{"sid":"s1","upgrades":["websocket"],"pingInterval":3600000,"pingTimeout":20000,"maxPayload":200}"#;

impl World {
    /// The only request of long-polling that was asked for.
    pub(crate) fn fetch(&mut self) -> Fetch {
        assert_eq!(self.fetches.len(), 1, "{:?}", self.fetches);
        self.fetches.remove(0)
    }

    pub(crate) fn respond(&mut self, to: &Fetch, body: &str) {
        self.act(|client, now| client.handle_response(now, to.id, Ok(Response { status: 200, body })));
    }

    fn refuse(&mut self, to: &Fetch, status: u16, body: &str) {
        self.act(|client, now| client.handle_response(now, to.id, Ok(Response { status, body })));
    }

    /// The WebSocket that was asked for cannot be opened.
    pub(crate) fn block_socket(&mut self) {
        assert_eq!(self.connects.len(), 1, "a WebSocket was asked for");
        self.connects.clear();
        self.cut();
    }

    /// Takes a client whose WebSocket is blocked to the greeting; answers the poll that waits then.
    pub(crate) fn greet_over_polling(&mut self) -> Fetch {
        let handshake = self.fetch();
        self.respond(&handshake, HANDSHAKE);
        let [post, poll] = self.post_and_poll();
        let credentials = post.body.as_deref().unwrap_or_default();
        assert!(credentials.starts_with(r#"40{"token":"Bearer "#), "{credentials}");
        self.respond(&post, "ok");
        let connected = greeting(self.server_ms);
        self.respond(&poll, &format!("40{{\"sid\":\"x\"}}\u{1e}{connected}"));
        assert_eq!(self.client.status(), Status::Connected);
        self.fetch()
    }

    fn post_and_poll(&mut self) -> [Fetch; 2] {
        let fetches: [Fetch; 2] = std::mem::take(&mut self.fetches).try_into().unwrap();
        assert!(
            fetches[0].body.is_some() && fetches[1].body.is_none(),
            "{fetches:?}"
        );
        fetches
    }
}

fn greeting(server_ms: u64) -> String {
    let limits = json!({"messageBytes": 65536, "frameBytes": 135_168, "idempotencyWindowMs": 86_400_000_u64,
        "batch": 200, "subscriptions": 1000, "publishPerSecond": 50, "publishBurst": 100, "signalPerSecond": 30});
    let body = json!({"connectionId": "c", "timestamp": server_ms, "serverTime": server_ms, "limits": limits,
        "user": {"userId": "alice", "name": "alice", "role": "user"}});
    format!("42{}", json!(["connected", body]))
}

/// A client that is greeted over long-polling, and its poll that waits.
fn polled() -> (World, Fetch) {
    let mut world = World::new(Config {
        heartbeat_interval_ms: 0,
        ..Config::default()
    });
    world.act(|client, now| client.connect(now));
    world.block_socket();
    let poll = world.greet_over_polling();
    (world, poll)
}

fn messages(world: &mut World) -> Vec<Value> {
    let events = std::mem::take(&mut world.events);
    let payload = |event: &Event<Payload>| match event {
        Event::Message(received) => {
            Some(serde_json::from_str::<Value>(received.message.payload.json()).unwrap())
        }
        _ => None,
    };
    events.iter().filter_map(payload).collect()
}

#[test]
fn where_no_websocket_opens_the_same_attempt_goes_on_over_http() {
    let (mut world, poll) = polled();
    assert!(
        poll.path_and_query
            .starts_with("/socket.io/?EIO=4&transport=polling&t=")
    );
    assert!(
        poll.path_and_query.ends_with("&sid=s1"),
        "{}",
        poll.path_and_query
    );
    assert_eq!(
        world.statuses(),
        [Status::Connecting, Status::Connected],
        "no attempt failed"
    );
    world.respond(&poll, "42[\"message\",{\"id\":\"m\",\"topic\":\"t:a\",\"type\":\"event\",\"payload\":7,\"timestamp\":1,\"from\":\"b\",\"seq\":1}]");
    assert_eq!(messages(&mut world), [json!(7)]);
    let next = world.fetch();
    assert_ne!(next.id, poll.id);
    assert_ne!(next.path_and_query, poll.path_and_query, "no cache may answer it");
}

#[test]
fn what_is_said_while_a_post_is_under_way_goes_with_the_next_within_its_size() {
    let (mut world, _poll) = polled();
    world.subscribe("public:a");
    let first = world.fetch();
    for name in ["public:b", "public:c", "public:d", "public:e"] {
        world.subscribe(name);
    }
    assert_eq!(world.fetches, [], "one post at a time");
    world.respond(&first, "ok");
    let second = world.fetch();
    world.respond(&second, "ok");
    let third = world.fetch();
    let [second, third] = [second, third].map(|fetch| fetch.body.unwrap());
    assert!(second.len() <= 200, "{second}");
    assert_eq!(
        second.matches("public:").count() + third.matches("public:").count(),
        4,
        "{second} {third}"
    );
}

#[test]
fn binary_parts_travel_as_base64() {
    let (mut world, poll) = polled();
    world.respond(
        &poll,
        "451-[\"message\",{\"id\":\"m\",\"topic\":\"t:a\",\"type\":\"event\",\"payload\":{\"_placeholder\":true,\"num\":0},\"timestamp\":1,\"from\":\"b\",\"seq\":1}]\u{1e}bAQID",
    );
    let attached = world.events.iter().find_map(|event| match event {
        Event::Message(received) => Some(received.message.payload.attachments().to_vec()),
        _ => None,
    });
    assert_eq!(attached.unwrap(), [vec![1, 2, 3]]);
}

#[test]
fn a_server_that_is_away_is_not_polled_where_websockets_are_known_to_work() {
    let mut world = World::greeted();
    world.cut();
    for attempt in 1..=4 {
        while world.connects.is_empty() {
            let next = world.timeout.unwrap().at_ms - world.now.monotonic_ms;
            world.advance(next);
        }
        world.block_socket();
        assert_eq!(world.fetches.is_empty(), attempt < 3, "attempt {attempt}");
    }
}

#[test]
fn a_network_that_needs_polling_is_remembered_until_it_is_another_one() {
    let (mut world, poll) = polled();
    world.refuse(&poll, 400, r#"{"code":1,"message":"Session ID unknown"}"#);
    assert_eq!(world.client.status(), Status::Reconnecting);
    world.advance(2_000);
    assert!(world.connects.is_empty(), "no WebSocket is tried first");
    let poll = world.greet_over_polling();
    world.refuse(&poll, 502, "");
    world.act(|client, now| client.handle_online(now, false));
    world.act(|client, now| client.handle_online(now, true));
    assert_eq!(world.connects.len(), 1);
}

#[test]
fn what_an_earlier_client_found_out_of_the_network_is_where_the_next_begins() {
    let (world, _poll) = polled();
    assert!(world.client.needs_polling());
    let mut world = World::new(Config::default());
    assert!(!world.client.needs_polling());
    world.client.recall_polling();
    world.act(|client, now| client.connect(now));
    assert_eq!(world.connects, [], "no WebSocket is tried first");
    let _poll = world.greet_over_polling();
    assert!(world.client.needs_polling());
    world.act(|client, now| client.handle_online(now, true));
    assert!(!world.client.needs_polling(), "the network may be another one");
    // A network where polling does not work is another one too.
    let mut world = World::new(Config::default());
    world.client.recall_polling();
    world.act(|client, now| client.connect(now));
    let handshake = world.fetch();
    world.refuse(&handshake, 502, "");
    assert!(!world.client.needs_polling());
}

#[test]
fn a_handshake_that_fails_over_http_too_is_a_failed_attempt_and_says_when_to_come_back() {
    let mut world = World::new(Config::default());
    world.act(|client, now| client.connect(now));
    world.block_socket();
    let handshake = world.fetch();
    world.refuse(
        &handshake,
        503,
        r#"{"type":"error","code":"unavailable","retryAfterMs":60000}"#,
    );
    assert_eq!(world.statuses(), [Status::Connecting, Status::Reconnecting]);
    world.advance(59_999);
    assert!(world.connects.is_empty());
    world.advance(1);
    assert_eq!(world.connects.len(), 1, "first of all a WebSocket again");
}

#[test]
fn a_websocket_takes_the_session_over_when_one_works() {
    let (mut world, poll) = polled();
    world.advance(30_000);
    let connect = world.connects.remove(0);
    assert_eq!(
        connect.path_and_query,
        "/socket.io/?EIO=4&transport=websocket&sid=s1"
    );
    world.frames.clear();
    world.fetches.clear();
    world.act(|client, now| client.handle_opened(now));
    assert_eq!(world.frames, ["2probe"]);
    world.receive("3probe");
    world.publish("public:a", "p1");
    assert_eq!(world.fetches, [], "nothing more is said over HTTP");
    world.frames.clear();
    world.respond(&poll, "42[\"message\",{\"id\":\"m\",\"topic\":\"t:a\",\"type\":\"event\",\"payload\":7,\"timestamp\":1,\"from\":\"b\",\"seq\":1}]\u{1e}6");
    assert_eq!(messages(&mut world), [json!(7)]);
    assert_eq!(world.frames[0], "5");
    assert!(world.frames[1].contains("\"p1\""), "{:?}", world.frames);
    world.message("public:x", 1);
    assert_eq!(messages(&mut world).len(), 1);
    assert_eq!(world.client.status(), Status::Connected);
    world.cut();
    world.advance(2_000);
    assert_eq!(world.connects.len(), 1, "WebSockets are known to work now");
}

#[test]
fn a_probe_that_fails_leaves_the_session_alone_and_is_repeated_later_and_later() {
    let (mut world, _poll) = polled();
    for wait in [30_000, 60_000, 120_000] {
        world.advance(wait - 1);
        assert_eq!(world.connects, []);
        world.advance(1);
        world.block_socket();
        assert_eq!(world.client.status(), Status::Connected);
    }
}

#[test]
fn no_websocket_is_tried_while_the_line_is_slow() {
    let (mut world, _poll) = polled();
    world.publish("public:a", "p1");
    let post = world.fetches.remove(0);
    world.advance(3_000);
    world.respond(&post, "ok");
    world.advance(30_000);
    assert_eq!(world.connects, []);
}

#[test]
fn a_websocket_that_opens_and_stays_silent_is_no_way() {
    let mut world = World::new(Config::default());
    world.connect();
    world.advance(10_000);
    assert_eq!(world.closes.len(), 1);
    world.greet_over_polling();
}

#[test]
fn who_wants_a_websocket_alone_gets_no_polling_and_the_other_way_round() {
    let only = |transports| {
        let mut world = World::new(Config {
            transports,
            ..Config::default()
        });
        world.act(|client, now| client.connect(now));
        world
    };
    let mut world = only(Transports::WebSocket);
    world.block_socket();
    assert_eq!(world.fetches, []);
    assert_eq!(world.client.status(), Status::Reconnecting);
    let mut world = only(Transports::Polling);
    assert_eq!(world.connects, []);
    world.greet_over_polling();
    world.advance(3_000_000);
    assert_eq!(world.connects, [], "no WebSocket takes over");
}

#[test]
fn the_last_words_are_posted_and_the_poll_is_given_up() {
    let (mut world, _poll) = polled();
    world.act(|client, now| client.disconnect(now));
    let last = world.fetch();
    assert_eq!(last.body.as_deref(), Some("41\u{1e}1"));
    assert_eq!(world.aborts, 1);
    assert!(world.closes.is_empty(), "no WebSocket is open");
}

#[test]
fn late_answers_and_frames_of_what_is_over_change_nothing() {
    let (mut world, poll) = polled();
    world.act(|client, now| client.disconnect(now));
    world.respond(&poll, "42[\"message\",{}]");
    world.act(|client, now| client.handle_frame(now, Frame::Text("3probe")));
    assert_eq!(world.client.status(), Status::Disconnected);
}

#[test]
fn an_answer_that_is_no_payload_ends_the_connection_and_is_told() {
    let (mut world, poll) = polled();
    world.events.clear();
    world.respond(&poll, "<html>log in to this network</html>");
    assert!(world.events.iter().any(|event| matches!(event, Event::Error(_))));
    assert_eq!(world.client.status(), Status::Reconnecting);
}
