//! How many, how fast, how much (FAULTS 51, 54, 56; SPEC §5.4, §10).

use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::raw::RawClient;
use crate::support::{Client, POLLING, Polling, Socket, TestServer, WEBSOCKET, token};

const RAW: &str = "/api/v1/ws";

#[tokio::test]
async fn the_connections_of_an_address_are_limited_with_429() {
    let server = TestServer::with(|config| config.limits.connections_per_address = 2).await;
    let first = Client::connect(&server, "a").await;
    let second = RawClient::connect(&server, &token("b")).await;
    for path in [WEBSOCKET, RAW] {
        assert_eq!(
            Socket::open(&server.url(path), &[]).await.err(),
            Some(429),
            "{path}"
        );
    }
    let refused = reqwest::get(server.url(POLLING)).await.unwrap();
    assert_eq!(refused.status(), 429);
    assert!(refused.headers().contains_key("retry-after"));
    drop((first, second));
    server.emptied().await;
    Client::connect(&server, "a").await;
}

#[tokio::test]
async fn the_connections_of_the_node_are_limited_with_503() {
    let server = TestServer::with(|config| config.limits.connections = 1).await;
    let only = Polling::connect(&server, "a").await;
    assert_eq!(Socket::open(&server.url(WEBSOCKET), &[]).await.err(), Some(503));
    assert_eq!(only.post("1").await.0, 200);
    server.emptied().await;
    Client::connect(&server, "a").await;
}

#[tokio::test]
async fn the_connections_of_a_user_are_limited_and_the_transport_is_closed() {
    let server = TestServer::with(|config| config.limits.connections_per_user = 1).await;
    let _first = Client::connect(&server, "u").await;
    let mut second = Client::connect(&server, "u").await;
    let closing = second.event("closing").await;
    assert_eq!(closing["code"], 4005);
    assert!(closing["retryAfterMs"].is_u64());
    assert!(
        !second.rest().await.contains(&"41".to_owned()),
        "the client may come back"
    );
    let mut raw = RawClient::connect(&server, &token("u")).await;
    assert_eq!(raw.socket.close_code().await, Some(4005));
    Client::connect(&server, "other").await;
}

#[tokio::test]
async fn one_subscription_over_the_limit_fails() {
    let server = TestServer::with(|config| config.limits.subscriptions = 2).await;
    let mut client = Client::connect(&server, "u").await;
    for (topic, failure) in [("a", None), ("b", None), ("c", Some("subscribe_failed"))] {
        let reply = client.request("subscribe", &json!({"topic": topic})).await;
        assert_eq!(reply["code"].as_str(), failure, "{topic}");
    }
    client.request("unsubscribe", &json!({"topic": "a"})).await;
    assert_eq!(
        client.request("subscribe", &json!({"topic": "c"})).await["status"],
        "success"
    );
}

#[tokio::test]
async fn a_connection_has_a_thousand_subscriptions_and_not_one_more() {
    let server = TestServer::start().await;
    let mut client = Client::connect(&server, "u").await;
    for hundred in 0..5 {
        let topics: Vec<_> = (0..200)
            .map(|n| json!({"topic": format!("public:c{hundred}-{n}")}))
            .collect();
        let reply = client.request("subscribe", &json!({"topics": topics})).await;
        let results = reply["results"].as_array().unwrap();
        let refused = results.iter().find(|result| result["status"] != "success");
        assert_eq!((results.len(), refused), (200, None));
    }
    let reply = client
        .request("subscribe", &json!({"topic": "public:more"}))
        .await;
    assert_eq!(reply["code"], "subscribe_failed");
    for topic in ["public:c0-0", "public:c4-199"] {
        let publish = json!({"topic": topic, "payload": 1});
        assert_eq!(
            client.request("publish", &publish).await["deliveredTo"],
            1,
            "{topic}"
        );
    }
}

#[tokio::test]
async fn a_batch_is_stopped_by_the_first_refusal_that_may_be_tried_again() {
    let server = TestServer::with(|config| {
        config.limits.publish_per_second = 1;
        config.limits.publish_burst = 3;
    })
    .await;
    let mut client = Client::connect(&server, "u").await;
    let entry = |topic: &str, n: u32| json!({"topic": topic, "payload": n, "messageId": format!("m{n}")});
    let messages = [
        entry("public:a", 0),
        entry("private:no", 1),
        entry("public:a", 2),
        entry("public:a", 3),
        json!({"topic": 5, "messageId": "m4"}),
        entry("public:a", 5),
    ];
    let reply = client.request("publish", &json!({"messages": messages})).await;
    let results = reply["results"].as_array().unwrap();
    let codes: Vec<_> = results.iter().map(|result| result["code"].as_str()).collect();
    let (denied, limited) = (Some("permission_denied"), Some("rate_limited"));
    assert_eq!(codes, [None, denied, None, limited, limited, limited]);
    let ids: Vec<_> = results
        .iter()
        .map(|result| result["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["m0", "m1", "m2", "m3", "m4", "m5"]);
}

#[tokio::test]
async fn a_subscriber_that_reads_too_slowly_is_closed_as_one_and_recovers() {
    let server = TestServer::with(|config| {
        config.limits.publish_per_second = 0;
        config.limits.outbox_messages = 500;
    })
    .await;
    let mut reader = RawClient::connect(&server, &token("reader")).await;
    let subscribed = reader.request("subscribe", &json!({"topic": "public:a"})).await;
    let mut writer = Client::connect(&server, "writer").await;
    let text = "x".repeat(8_000);
    // Many times what the kernel holds on both sides.
    for n in 0..4_000 {
        let publish =
            format!(r#"42["publish",{{"topic":"public:a","payload":"{text}","ackRequired":false}}]"#);
        writer.socket.try_send(Message::text(publish)).await.unwrap();
        if n % 100 == 0 {
            writer.request("heartbeat", &json!({})).await;
        }
    }
    let mut seen = 0;
    loop {
        match reader.socket.receive().await {
            Ok(Message::Text(frame)) => {
                let frame: serde_json::Value = serde_json::from_str(&frame).unwrap();
                if let Some(seq) = frame["sequence"].as_u64() {
                    assert_eq!(seq, seen + 1, "in order and without a gap up to the close");
                    seen = seq;
                }
                if frame["type"] == "closing" {
                    assert_eq!(frame["data"]["reason"], "slow_consumer");
                }
            }
            Ok(_) => {}
            // The close itself may not get through to one that reads so late.
            Err(frame) => {
                let code = frame.map(|frame| u16::from(frame.code));
                assert!(code.is_none_or(|code| code == 4003), "{code:?}");
                break;
            }
        }
    }
    assert!(seen < 4_000);
    let mut again = RawClient::connect(&server, &token("reader")).await;
    let after = json!({"topic": "public:a", "after": seen, "limit": 1});
    let page = again.request("history", &after).await;
    assert_eq!(page["data"]["messages"][0]["seq"], seen + 1);
    assert_eq!(page["data"]["epoch"], subscribed["data"]["epoch"]);
}
