//! A server that says anything at all: the client never panics, never hangs, and comes back to a good one.

use bmt_client_core::{Binding, Config, Frame, Status};
use serde_json::json;

use crate::harness::{World, message, subscribed};

/// SplitMix64: the same garbage in every run.
fn bits(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z ^ (z >> 27)
}

/// Frames that a server may send, of both bindings.
fn good_frames() -> Vec<String> {
    vec![
        r#"0{"sid":"s","upgrades":[],"pingInterval":1000,"pingTimeout":2000}"#.to_owned(),
        "2".to_owned(),
        r#"40{"sid":"x"}"#.to_owned(),
        r#"44{"message":"Authentication failed: expired","data":{"code":"rate_limited","retryAfterMs":7}}"#.to_owned(),
        "41".to_owned(),
        "451-[\"message\",{}]".to_owned(),
        format!("42{}", json!(["message", message("public:a", 3)])),
        format!("42{}", json!(["gap", {"topic": "public:a", "reason": "x", "seq": 9, "epoch": "e"}])),
        format!("42{}", json!(["closing", {"code": 4001, "reason": "x", "retryAfterMs": 5}])),
        format!("42{}", json!(["connected", {"connectionId": "c", "timestamp": 1, "limits": {"frameBytes": 1},
            "user": {"userId": "alice", "name": "A"}}])),
        format!("431{}", json!([subscribed("public:a", 4, &json!({"recovered": false, "reason": "limit"}))])),
        format!("432{}", json!([{"status": "success", "results": [{}, 7, null]}])),
        json!({"type": "data", "data": 1, "sequence": 5, "topic": "public:a", "from": "b", "messageId": "m"}).to_string(),
        json!({"type": "ack", "messageId": "q_1", "data": {"messages": [], "seq": 3, "epoch": "e", "hasMore": true}})
            .to_string(),
    ]
}

/// What JSON and the codecs are made of.
const LETTERS: &[u8] = b"\"{}[],:0123456789-\\net";

/// A good frame, mostly with some of its bytes changed, cut off or doubled.
fn mutated(frames: &[String], state: &mut u64) -> String {
    let at = |bound: usize, state: &mut u64| {
        usize::try_from(bits(state)).unwrap_or(usize::MAX >> 1) % bound.max(1)
    };
    let mut bytes = frames[at(frames.len(), state)].clone().into_bytes();
    for _ in 0..at(4, state) {
        let (from, to) = (at(bytes.len(), state), at(bytes.len(), state));
        match at(4, state) {
            0 => bytes[from] = LETTERS[at(LETTERS.len(), state)],
            1 => bytes.truncate(from.max(1)),
            2 => bytes.swap(from, to),
            _ => bytes.insert(from, bytes[to]),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn no_frame_makes_it_panic_or_keeps_it_from_coming_back() {
    let frames = good_frames();
    for seed in 0..400 {
        let mut state = seed;
        let binding = if seed % 2 == 0 {
            Binding::SocketIo
        } else {
            Binding::Raw
        };
        let mut world = World::new(Config {
            binding,
            ..Config::default()
        });
        world.act(|client, now| client.connect(now));
        world.subscribe("public:a");
        for n in 0..60 {
            world.publish("public:a", &format!("m{n}"));
            match bits(&mut state) % 8 {
                0 => world.advance(bits(&mut state) % 4_000),
                1 => world.act(|client, now| client.handle_opened(now)),
                2 => world.act(|client, now| client.handle_frame(now, Frame::Binary(&[1]))),
                3 => world.act(|client, now| client.connect(now)),
                _ => world.receive(&mutated(&frames, &mut state)),
            }
        }
        world.act(|client, now| client.disconnect(now));
        world.connects.clear();
        assert_eq!(world.client.status(), Status::Disconnected);
        world.connect();
        assert_eq!(world.client.status(), Status::Connecting);
    }
}

#[test]
fn a_message_is_read_whatever_stands_behind_it() {
    let mut world = World::greeted();
    world.subscribed("public:a", 0);
    let bodies = (1..=3).map(|seq| message("public:a", seq).to_string());
    let [first, second, third] = bodies.collect::<Vec<_>>().try_into().unwrap();
    world.receive(&format!("42[\"message\",{first},{{\"more\":1}}]"));
    world.receive(&format!("42[ \"message\" , {second} ] "));
    world.receive(&format!("42[\"message\",{third} ]"));
    assert_eq!(world.seqs(), [1, 2, 3]);
}

#[test]
fn a_message_that_is_no_json_or_comes_between_binary_parts_ends_the_connection() {
    let body = message("public:a", 1).to_string();
    let broken = [
        format!("42[\"message\",{}]", body.strip_suffix('}').unwrap()),
        format!("42[\"message\",{body}]]"),
        format!("42[\"message\",{body}}}]"),
    ];
    for frame in &broken {
        let mut world = World::greeted();
        world.subscribed("public:a", 0);
        world.receive(frame);
        assert_eq!(world.seqs(), Vec::<u64>::new(), "{frame}");
        assert_eq!(world.client.status(), Status::Reconnecting, "{frame}");
    }
    let mut world = World::greeted();
    world.subscribed("public:a", 0);
    world.receive("451-[\"message\",{\"_placeholder\":true,\"num\":0}]");
    world.receive(&format!("42[\"message\",{body}]"));
    assert_eq!(world.seqs(), Vec::<u64>::new());
    assert_eq!(world.client.status(), Status::Reconnecting);
}
