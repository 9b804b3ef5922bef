//! Several envelopes in one frame of the raw endpoint, for those who ask for it (SPEC §7).

use serde_json::{Value, json};

use crate::raw::RawClient;
use crate::support::{TestServer, token};

/// The most envelopes that one frame may hold.
const MOST_ENVELOPES: usize = 200;
/// What is gathered for one frame; the last envelope may be over it.
const MOST_BYTES: usize = 16 * 1_024;

/// A subscriber of `public:a`, which said `query` when it connected.
async fn subscriber(server: &TestServer, query: &str) -> RawClient {
    let mut client = RawClient::open(server, &format!("token={}{query}", token("reader"))).await;
    assert_eq!(client.next().await["type"], "connect", "alone it is no array");
    client
        .socket
        .send(r#"{"type":"subscribe","data":{"topic":"public:a"},"messageId":"s"}"#)
        .await;
    assert_eq!(client.next().await["type"], "ack");
    client
}

/// Publishes `count` messages in requests of 200, one right behind the other.
async fn publish(server: &TestServer, count: usize, content: &str) {
    let mut publisher = RawClient::connect(server, &token("writer")).await;
    let numbers: Vec<usize> = (0..count).collect();
    for part in numbers.chunks(200) {
        let messages: Vec<Value> = part
            .iter()
            .map(|n| json!({"topic": "public:a", "messageId": format!("m{}_{n}", content.len()), "payload": {"n": n, "text": content}}))
            .collect();
        let answer = publisher.request("publish", &json!({"messages": messages})).await;
        assert_eq!(answer["type"], "ack", "{answer}");
    }
}

/// Reads frames until `count` messages came: the envelopes of each, with the bytes of the frame.
async fn frames(client: &mut RawClient, count: usize) -> Vec<(Vec<Value>, usize)> {
    let (mut frames, mut came) = (Vec::new(), 0);
    while came < count {
        let text = client.socket.text().await;
        let envelopes = match serde_json::from_str(&text).unwrap() {
            Value::Array(envelopes) => envelopes,
            one => vec![one],
        };
        came += envelopes.len();
        frames.push((envelopes, text.len()));
    }
    frames
}

fn unlimited(config: &mut bmt_server::config::Config) {
    config.limits.publish_per_second = 0;
}

#[tokio::test]
async fn messages_due_at_once_come_in_one_frame_and_in_order() {
    let server = TestServer::with(unlimited).await;
    let mut client = subscriber(&server, "&batch=1").await;
    publish(&server, 1_000, "").await;
    let frames = frames(&mut client, 1_000).await;
    assert!(frames.len() < 500, "{} frames for 1,000 messages", frames.len());
    for (envelopes, bytes) in &frames {
        assert!(envelopes.len() <= MOST_ENVELOPES, "{}", envelopes.len());
        assert!(*bytes < MOST_BYTES + 1_024, "{bytes}");
    }
    let seqs = frames.iter().flat_map(|(envelopes, _)| envelopes);
    let seqs: Vec<u64> = seqs
        .map(|envelope| envelope["sequence"].as_u64().unwrap())
        .collect();
    assert_eq!(seqs, (1..=1_000).collect::<Vec<u64>>());
}

#[tokio::test]
async fn large_messages_are_not_gathered_beyond_the_bytes_of_a_frame() {
    let server = TestServer::with(unlimited).await;
    let mut client = subscriber(&server, "&batch=1").await;
    publish(&server, 20, &"x".repeat(6_000)).await;
    for (envelopes, bytes) in frames(&mut client, 20).await {
        assert!(bytes < MOST_BYTES + 7_000, "{} in {bytes} bytes", envelopes.len());
    }
}

#[tokio::test]
async fn who_does_not_ask_for_it_gets_one_envelope_a_frame() {
    let server = TestServer::with(unlimited).await;
    for query in ["", "&batch=0"] {
        let mut client = subscriber(&server, query).await;
        publish(&server, 200, query).await;
        let frames = frames(&mut client, 1).await;
        assert_eq!(frames[0].0.len(), 1, "{query}");
        client.request("unsubscribe", &json!({"topic": "public:a"})).await;
    }
}

#[tokio::test]
async fn the_last_words_come_behind_what_was_gathered() {
    let mut server = TestServer::with(unlimited).await;
    let mut client = subscriber(&server, "&batch=1").await;
    publish(&server, 3, "").await;
    frames(&mut client, 3).await;
    server.stop().await;
    let closing = client.next().await;
    assert_eq!(
        (&closing["type"], &closing["data"]["reason"]),
        (&json!("closing"), &json!("restart"))
    );
    assert_eq!(client.socket.close_code().await, Some(1012));
}
