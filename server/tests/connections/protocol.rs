//! The behaviours of the official protocol suites, case by case. docs/PROTOCOL.md says which test shows which case.

mod engine_io;
mod socket_io;

use bmt_server::config::Config;
use serde_json::Value;

use crate::support::Polling;

/// What separates the packets of a polling payload.
const SEPARATOR: char = '\u{1e}';

/// Nothing ends a session in a test's time but what the test does.
fn patient(config: &mut Config) {
    config.heartbeat.interval_ms = 60_000;
    config.heartbeat.timeout_ms = 60_000;
    config.limits.authenticate_ms = 60_000;
}

/// Pings come often, and nobody is hurried to answer them.
fn often_pinged(config: &mut Config) {
    patient(config);
    config.heartbeat.interval_ms = 300;
}

/// Polls until so many packets have come that are no ping; pings are answered.
async fn polled(polling: &Polling, packets: usize) -> Vec<String> {
    let mut all = Vec::new();
    while all.len() < packets {
        let (status, payload) = polling.get().await;
        assert_eq!(status, 200, "{payload}");
        for packet in payload.split(SEPARATOR) {
            if packet == "2" {
                polling.post("3").await;
            } else {
                all.push(packet.to_owned());
            }
        }
    }
    all
}

/// The body of an Engine.IO `open` packet, which has all of its fields and no other.
fn handshake(packet: &str) -> Value {
    let handshake: Value = serde_json::from_str(packet.strip_prefix('0').unwrap()).unwrap();
    let mut fields: Vec<_> = handshake.as_object().unwrap().keys().collect();
    fields.sort_unstable();
    let all = ["maxPayload", "pingInterval", "pingTimeout", "sid", "upgrades"];
    assert_eq!(fields, all);
    assert!(handshake["sid"].is_string());
    handshake
}
