//! How connections end: the token's time, a kick, the server's own end (FAULTS 40, 41, 97; SPEC §5.5, §5.6).

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::raw::RawClient;
use crate::support::{Client, Polling, TestServer, token, token_with, unix_ms};

/// A token that ends within two seconds.
fn short_token() -> String {
    token_with("u", &json!({"exp": unix_ms() / 1_000 + 2}))
}

fn is_event(packet: &str, name: &str) -> bool {
    packet.starts_with(&format!("42[\"{name}\""))
}

#[tokio::test]
async fn a_token_that_ends_is_announced_and_then_disconnects() {
    let server = TestServer::start().await;
    let mut client = Client::connect_with(&server, &short_token()).await;
    assert!(client.event("token_expiring").await["expiresAt"].is_u64());
    let closing = client.event("closing").await;
    assert_eq!(closing["code"], 4001);
    assert_eq!(closing["retryAfterMs"], Value::Null);
    assert_eq!(
        client.packet().await,
        "41",
        "a Socket.IO DISCONNECT: the client must not return by itself"
    );
    client.rest().await;
    server.emptied().await;
}

#[tokio::test]
async fn a_token_that_ends_closes_raw_with_4001() {
    let server = TestServer::start().await;
    let mut client = RawClient::connect(&server, &short_token()).await;
    client.frame("token_expiring").await;
    client.frame("closing").await;
    assert_eq!(client.socket.close_code().await, Some(4001));
    server.emptied().await;
}

#[tokio::test]
async fn a_refresh_keeps_the_connection_and_its_subscriptions() {
    let server = TestServer::start().await;
    let mut client = Client::connect_with(&server, &short_token()).await;
    let expires = client.event("token_expiring").await["expiresAt"]
        .as_u64()
        .unwrap();
    client.request("subscribe", &json!({"topic": "public:a"})).await;
    let refreshed = client.request("refresh", &json!({"token": token("u")})).await;
    assert_eq!(refreshed["status"], "success");
    // Well after the first token's end.
    while unix_ms() < expires + 300 {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let published = json!({"topic": "public:a", "payload": 1});
    assert_eq!(client.request("publish", &published).await["seq"], 1);
}

#[tokio::test]
async fn a_refresh_with_a_bad_token_is_refused_and_with_anothers_closes() {
    let server = TestServer::start().await;
    let mut client = Client::connect(&server, "u").await;
    let refused = client.request("refresh", &json!({"token": "nonsense"})).await;
    assert_eq!(refused["code"], "authentication_failed");
    let refused = client
        .request("refresh", &json!({"token": token("somebody else")}))
        .await;
    assert_eq!(refused["code"], "authentication_failed");
    assert_eq!(client.event("closing").await["code"], 1008);
    assert_eq!(client.packet().await, "41");
    client.rest().await;
    server.emptied().await;
}

#[tokio::test]
async fn a_refresh_with_a_lower_role_takes_subscriptions_away() {
    let server = TestServer::start().await;
    let admin = token_with("u", &json!({"role": "admin"}));
    let mut client = Client::connect_with(&server, &admin).await;
    for topic in ["private:a", "public:a"] {
        let subscribed = client.request("subscribe", &json!({"topic": topic})).await;
        assert_eq!(subscribed["status"], "success");
    }
    client.request("refresh", &json!({"token": token("u")})).await;
    let lost = client.event("unsubscribed").await;
    assert_eq!(
        (&lost["topic"], &lost["code"]),
        (&json!("private:a"), &json!("permission_denied"))
    );
    let mut writer = Client::connect_with(&server, &admin).await;
    for topic in ["private:a", "public:a"] {
        writer
            .request("publish", &json!({"topic": topic, "payload": 1}))
            .await;
    }
    assert_eq!(
        client.event("message").await["topic"],
        "public:a",
        "nothing of the other came before"
    );
}

#[tokio::test]
async fn the_servers_end_tells_everybody_when_to_come_back_and_closes_the_transport() {
    // Not by a heartbeat that nobody answers.
    let mut server = TestServer::with(|config| config.heartbeat.interval_ms = 60_000).await;
    let mut socketio = Client::connect(&server, "u").await;
    let mut raw = RawClient::connect(&server, &token("u")).await;
    let polling = Polling::connect(&server, "u").await;
    let polled = tokio::spawn(async move { polling.until("closing").await });
    // Nothing tells when a poll has arrived; one that comes later finds the door closed.
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    server.stop().await;
    let packets = socketio.rest().await;
    let closing = packets
        .iter()
        .find(|packet| is_event(packet, "closing"))
        .expect("a goodbye");
    assert!(
        closing.contains("1012") && closing.contains("retryAfterMs"),
        "{closing}"
    );
    assert!(
        !packets.contains(&"41".to_owned()),
        "a DISCONNECT would keep official clients away"
    );
    let closing = raw.frame("closing").await;
    assert_eq!(closing["data"]["code"], 1012);
    assert!(closing["data"]["retryAfterMs"].as_u64().unwrap() <= 6_000);
    assert_eq!(raw.socket.close_code().await, Some(1012));
    let polled = polled.await.unwrap();
    assert!(polled.contains("1012"), "{polled}");
}

#[tokio::test]
async fn what_was_acked_before_the_end_is_acked_ahead_of_the_goodbye() {
    let mut server = TestServer::with(|config| config.limits.publish_per_second = 0).await;
    let mut client = Client::connect(&server, "u").await;
    for n in 0..500 {
        let publish = format!(r#"42{n}["publish",{{"topic":"public:a","payload":{n}}}]"#);
        client.socket.try_send(Message::text(publish)).await.unwrap();
    }
    client.ack(0).await;
    server.stop().await;
    let packets = client.rest().await;
    let goodbye = packets
        .iter()
        .position(|packet| is_event(packet, "closing"))
        .expect("a goodbye");
    let last_ack = packets
        .iter()
        .rposition(|packet| packet.starts_with("43"))
        .expect("acks");
    assert!(last_ack < goodbye);
}
