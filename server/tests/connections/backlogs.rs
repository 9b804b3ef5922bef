//! What waits in the library for a client that takes it late, and how a session ends that has it.

use std::time::Duration;

use crate::support::{Client, Polling, Socket, TestServer, WEBSOCKET, connect_packet, token};

/// More than the library holds by itself and than it is given room for, fewer than may be in flight.
const MANY: u64 = 1_500;
/// How often a client is asked for a sign of life, ms.
const PINGS_MS: u64 = 1_000;

/// A session on polling that has asked so much, all at once, and taken no answer yet.
async fn asked(server: &TestServer) -> Polling {
    let polling = Polling::connect(server, "u").await;
    let questions: Vec<_> = (0..MANY)
        .map(|n| format!(r#"42{n}["no_such_event",{{}}]"#))
        .collect();
    assert_eq!(polling.post(questions.join("\u{1e}")).await.0, 200);
    polling
}

/// The number of the callback that a packet answers.
fn answered(packet: &str) -> Option<u64> {
    let (call, _) = packet.strip_prefix("43")?.split_once('[')?;
    call.parse().ok()
}

/// Polls until everything is answered: in order, and nothing is missing.
async fn poll_all(polling: &Polling) {
    let mut next = 0;
    while next < MANY {
        let packets = polling.until("43").await;
        for call in packets.split('\u{1e}').filter_map(answered) {
            assert_eq!(call, next);
            next += 1;
        }
    }
}

#[tokio::test]
async fn a_poll_that_comes_late_finds_all_that_waited() {
    let server = TestServer::start().await;
    let polling = asked(&server).await;
    poll_all(&polling).await;
}

#[tokio::test]
async fn a_poll_that_comes_late_finds_its_session() {
    let server = TestServer::with(|config| {
        config.heartbeat.interval_ms = PINGS_MS;
        config.heartbeat.timeout_ms = 60_000;
    })
    .await;
    let polling = asked(&server).await;
    // Meanwhile a ping is due, which finds room or ends the session. Nothing tells from outside when.
    tokio::time::sleep(Duration::from_millis(2 * PINGS_MS)).await;
    poll_all(&polling).await;
}

#[tokio::test]
async fn an_upgrade_that_comes_late_brings_all_that_waited() {
    let server = TestServer::start().await;
    let polling = asked(&server).await;
    let url = server.url(&format!("{WEBSOCKET}&sid={}", polling.sid));
    let mut socket = Socket::open(&url, &[]).await.unwrap();
    socket.send("2probe").await;
    assert_eq!(socket.text().await, "3probe");
    socket.send("5").await;
    let mut next = 0;
    while next < MANY {
        if let Some(call) = answered(&socket.text().await) {
            assert_eq!(call, next);
            next += 1;
        }
    }
}

#[tokio::test]
async fn a_polling_session_is_closed_without_a_disconnect() {
    let server = TestServer::with(|config| config.limits.connections_per_user = 1).await;
    let _first = Client::connect_with(&server, &token("u")).await;
    let second = Polling::open(&server).await;
    assert_eq!(second.post(connect_packet("u")).await.0, 200);
    let last = second.until("closing").await;
    assert!(last.contains("4005"), "{last}");
    // What follows is the end of the transport, not a DISCONNECT: an official client comes back.
    let mut packets = last;
    loop {
        assert!(!packets.split('\u{1e}').any(|packet| packet == "41"), "{packets}");
        let (status, more) = second.get().await;
        if status == 400 {
            break;
        }
        packets = more;
    }
    assert_eq!(server.count(), (1, 1), "the first lives on");
}
