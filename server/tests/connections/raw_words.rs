//! What is said on the raw endpoint: every way in, every type, every code by its number (SPEC §7, §10).

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::raw::RawClient;
use crate::support::{Client, Polling, Socket, TestServer, WEBSOCKET, token, token_with, unix_ms, within};

/// Asks the server for a ticket, as `token`.
async fn ticket(server: &TestServer, token: &str) -> String {
    let asked = reqwest::Client::new()
        .post(server.url("/api/v1/ws-ticket"))
        .bearer_auth(token);
    let answer = asked.send().await.unwrap().text().await.unwrap();
    let answer: Value = serde_json::from_str(&answer).unwrap();
    answer["ticket"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn every_way_in_leads_to_connect() {
    let server = TestServer::start().await;
    let (own, ticket) = (token("u"), ticket(&server, &token("u")).await);
    for query in [
        format!("token={own}"),
        format!("token=Bearer%20{own}"),
        format!("ticket={ticket}"),
        "auth=frame".to_owned(),
    ] {
        let mut client = RawClient::open(&server, &format!("{query}&clientId=phone&protocol=1.0")).await;
        if query == "auth=frame" {
            client
                .socket
                .send(json!({"type": "auth", "data": {"token": own}}).to_string())
                .await;
        }
        let hello = client.next().await;
        assert_eq!(hello["type"], "connect", "{query}: {hello}");
        let data = &hello["data"];
        assert_eq!(
            (&data["clientId"], &data["user"]["userId"]),
            (&json!("phone"), &json!("u"))
        );
        assert!(data["connectionId"].is_string() && data["serverTime"].is_number());
        assert!(data["heartbeatInterval"].is_number() && data["limits"]["frameBytes"].is_number());
    }
    // Preferred to the query, and the server takes the subprotocol that it knows.
    let protocols = [("sec-websocket-protocol", format!("bmt.v1, bearer.{own}"))];
    let mut socket = Socket::open(&server.url("/api/v1/ws?token=nonsense"), &protocols)
        .await
        .unwrap();
    assert!(socket.text().await.contains("\"connect\""));
    let mut again = RawClient::open(&server, &format!("ticket={ticket}")).await;
    assert_eq!(again.next().await["data"]["code"], 1001, "a ticket is good once");
}

#[tokio::test]
async fn a_refused_token_is_told_by_its_number_and_closed_for_good_or_for_a_new_one() {
    let server = TestServer::start().await;
    let expired = token_with("u", &json!({"exp": unix_ms() / 1_000 - 60}));
    for (query, reason, close) in [
        (format!("token={expired}"), "expired", 4001),
        ("token=a.b.c".to_owned(), "malformed", 1008),
        ("ticket=unknown".to_owned(), "expired", 4001),
    ] {
        let mut client = RawClient::open(&server, &query).await;
        let refused = client.next().await;
        let details = &refused["data"]["details"];
        assert_eq!(
            (&refused["type"], &refused["data"]["code"]),
            (&json!("error"), &json!(1001))
        );
        assert_eq!(details["code"], "authentication_failed");
        assert_eq!(details["status"], 40_100);
        assert_eq!(details["reason"], reason, "{query}: {refused}");
        assert_eq!(client.socket.close_code().await, Some(close), "{query}");
    }
    server.emptied().await;
}

#[tokio::test]
async fn every_type_is_answered_as_the_protocol_says() {
    let server = TestServer::start().await;
    let mut client = RawClient::connect(&server, &token("u")).await;
    let topic = json!({"topic": "public:a"});
    for (kind, data) in [
        ("subscribe", topic.clone()),
        ("subscribe", json!({"topics": [topic]})),
        ("publish", json!({"topic": "public:b", "payload": 1})),
        (
            "publish",
            json!({"messages": [{"topic": "public:b", "payload": 1, "messageId": "m"}]}),
        ),
        ("history", topic.clone()),
        ("presence", topic.clone()),
        ("read", json!({"topic": "public:a", "seq": 1})),
        ("refresh", json!({"token": token("u")})),
        ("unsubscribe", topic.clone()),
    ] {
        let answer = client.request(kind, &data).await;
        assert_eq!(answer["type"], "ack", "{kind}: {answer}");
        assert_eq!(
            answer["data"]["messageId"], answer["messageId"],
            "{kind}: {answer}"
        );
        assert!(answer["timestamp"].is_number(), "{kind}: {answer}");
    }
    // What is not answered, and behind it what is.
    for silent in [
        json!({"type": "signal", "messageId": "s", "data": {"topic": "public:a", "payload": 1}}),
        json!({"type": "ack", "messageId": "s", "data": {"id": "m"}}),
        json!({"type": "publish", "messageId": "s", "data": {"topic": "public:b", "payload": 1, "ackRequired": false}}),
    ] {
        client.socket.send(silent.to_string()).await;
    }
    for (kind, sent, answered) in [
        ("ping", json!({"type": "ping", "timestamp": 7}), "pong"),
        ("ping", json!({"type": "ping", "data": {"timestamp": 7}}), "pong"),
        (
            "heartbeat",
            json!({"type": "heartbeat", "timestamp": 7}),
            "heartbeat",
        ),
        (
            "heartbeat",
            json!({"type": "heartbeat", "data": {"timestamp": 7}}),
            "heartbeat",
        ),
    ] {
        client.socket.send(sent.to_string()).await;
        let answer = client.next().await;
        assert_eq!(
            (&answer["type"], &answer["timestamp"]),
            (&json!(answered), &json!(7)),
            "{kind}: {answer}"
        );
        assert_eq!(answer["data"]["timestamp"], 7);
    }
}

#[tokio::test]
async fn a_channel_message_stands_in_its_envelope() {
    let server = TestServer::start().await;
    let mut client = RawClient::connect(&server, &token("u")).await;
    client.request("subscribe", &json!({"topic": "public:a"})).await;
    let mut sequence = 0;
    for (payload, kind, data) in [
        (
            json!({"type": "notification", "content": {"title": "x"}}),
            "notification",
            json!({"title": "x"}),
        ),
        (json!({"type": "status", "content": 1}), "status", json!(1)),
        (
            json!({"type": "status_change", "a": 1}),
            "status",
            json!({"type": "status_change", "a": 1}),
        ),
        (json!({"type": "text", "content": "x"}), "data", json!("x")),
        (json!([1, 2]), "data", json!([1, 2])),
        (json!(null), "data", json!(null)),
    ] {
        let body = json!({"type": "publish", "messageId": format!("m{sequence}"), "data": {"topic": "public:a", "payload": payload}});
        client.socket.send(body.to_string()).await;
        // A subscriber of its own channel hears the message or the ack first.
        let (mut message, mut ack) = (None, None);
        while message.is_none() || ack.is_none() {
            let frame = client.next().await;
            if frame["type"] == "ack" {
                ack = Some(frame);
            } else {
                message = Some(frame);
            }
        }
        let (message, ack) = (message.unwrap(), ack.unwrap());
        sequence += 1;
        assert_eq!(
            (&message["type"], &message["data"]),
            (&json!(kind), &data),
            "{message}"
        );
        assert_eq!(
            (&message["topic"], &message["from"]),
            (&json!("public:a"), &json!("u"))
        );
        assert_eq!(
            (&message["sequence"], &ack["data"]["seq"]),
            (&json!(sequence), &json!(sequence))
        );
        assert_eq!(
            message["messageId"], ack["data"]["id"],
            "the message's own id: {ack}"
        );
    }
}

#[tokio::test]
async fn every_refusal_has_its_number_and_its_name() {
    let server = TestServer::with(|config| config.limits.subscriptions = 1).await;
    let mut client = RawClient::connect(&server, &token("u")).await;
    let publish = |topic: &str, payload: Value| json!({"topic": topic, "payload": payload});
    client.request("subscribe", &json!({"topic": "public:a"})).await;
    for (kind, data, number, name) in [
        ("no_such_type", json!({}), 2000, "invalid_message"),
        ("publish", json!({"topic": "public:a"}), 2000, "invalid_message"),
        (
            "subscribe",
            json!({"topic": "not a name"}),
            2000,
            "invalid_message",
        ),
        (
            "publish",
            publish("public:a", json!("x".repeat(64 * 1_024))),
            2001,
            "message_too_large",
        ),
        (
            "subscribe",
            json!({"topic": "nowhere:a"}),
            3000,
            "channel_not_found",
        ),
        (
            "subscribe",
            json!({"topic": "public:b"}),
            3000,
            "subscribe_failed",
        ),
        (
            "publish",
            publish("user:another", json!(1)),
            3001,
            "permission_denied",
        ),
        (
            "publish",
            publish("public:a", json!({"type": "delete", "target": "gone"})),
            3002,
            "invalid_operation",
        ),
        ("refresh", json!({}), 2000, "invalid_message"),
    ] {
        let refused = client.request(kind, &data).await;
        let data = &refused["data"];
        assert_eq!(refused["type"], "error", "{kind}: {refused}");
        assert_eq!(
            (&data["code"], &data["details"]["code"]),
            (&json!(number), &json!(name)),
            "{refused}"
        );
        assert_eq!(data["messageId"], refused["messageId"]);
        assert!(data["message"].as_str().is_some_and(|text| !text.is_empty()));
    }
    for (payload, kind) in [(1, "ack"), (2, "error")] {
        let body = json!({"type": "publish", "messageId": "same", "data": {"topic": "public:c", "payload": payload}});
        client.socket.send(body.to_string()).await;
        let answer = loop {
            let frame = client.next().await;
            if frame["messageId"] == "same" {
                break frame;
            }
        };
        assert_eq!(answer["type"], kind);
        assert!(kind == "ack" || answer["data"]["code"] == 2003, "{answer}");
    }
}

#[tokio::test]
async fn who_is_too_fast_is_told_when_to_come_again() {
    let server = TestServer::with(|config| {
        config.limits.publish_per_second = 1;
        config.limits.publish_burst = 1;
    })
    .await;
    let mut client = RawClient::connect(&server, &token("u")).await;
    let publish = json!({"topic": "public:a", "payload": 1});
    let refused = loop {
        let answer = client.request("publish", &publish).await;
        if answer["type"] == "error" {
            break answer;
        }
    };
    assert_eq!(refused["data"]["code"], 2002);
    let wait_ms = refused["data"]["details"]["retryAfterMs"].as_u64().unwrap();
    assert!((1..=1_000).contains(&wait_ms), "{wait_ms}");
}

#[tokio::test]
async fn what_a_client_tells_of_itself_may_be_so_long() {
    let server = TestServer::start().await;
    let long = "x".repeat(4 * 1_024);
    for path in ["/api/v1/ws", WEBSOCKET] {
        let separator = if path.contains('?') { '&' } else { '?' };
        let url = server.url(&format!("{path}{separator}about={long}"));
        let answer = reqwest::get(url.replace("transport=websocket", "transport=polling"))
            .await
            .unwrap();
        if path == WEBSOCKET {
            assert_eq!(answer.status(), 400);
            assert!(answer.text().await.unwrap().contains("limits.metadata_bytes"));
        }
        assert_eq!(Socket::open(&url, &[]).await.err(), Some(400), "{path}");
    }
    // The token does not count.
    let large = token_with(
        "u",
        &json!({"permissions": vec!["channel:private:something:*"; 200]}),
    );
    assert!(large.len() > long.len());
    let mut client = RawClient::connect(&server, &large).await;
    Client::connect_with(&server, &large).await;

    let mut talkative = Client::open(&server).await;
    talkative
        .socket
        .send(format!("40{}", json!({"token": token("u"), "about": long})))
        .await;
    let refused = talkative.packet().await;
    assert!(
        refused.starts_with("44") && refused.contains("limits.metadata_bytes"),
        "{refused}"
    );

    let filter = json!({"topic": "public:a", "params": {"kind": long}});
    let refused = client.request("subscribe", &filter).await;
    assert_eq!(refused["data"]["code"], 2001, "{refused}");
    let listed = client.request("subscribe", &json!({"topics": [filter]})).await;
    assert_eq!(listed["data"]["results"][0]["code"], 2001, "{listed}");
    let polling = Polling::connect(&server, "u").await;
    assert_eq!(polling.post("3").await.0, 200);
}

/// FAULTS 10: binary content is refused with what to do instead, and the connection stays.
#[tokio::test]
async fn binary_frames_are_refused_politely() {
    let server = TestServer::start().await;
    let mut client = RawClient::connect(&server, &token("u")).await;
    client
        .socket
        .try_send(Message::binary(b"{\"type\":\"ping\"}".to_vec()))
        .await
        .unwrap();
    let refused = within("an answer", client.next()).await;
    assert_eq!(refused["data"]["details"]["code"], "invalid_message");
    assert!(
        refused["data"]["message"]
            .as_str()
            .unwrap()
            .contains("text frames")
    );
    assert_eq!(
        client.request("presence", &json!({"topic": "public:a"})).await["type"],
        "ack"
    );
}
