//! What is promised to one connection: order, one answer each, binary content (SPEC §4, §5, §6).

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::raw::RawClient;
use crate::support::{Client, Polling, TestServer, token};

// On one thread tasks run in the order of their making, and an order that is left to chance looks right.

/// More than any buffer on the way holds, fewer than may be in flight.
const MANY: u64 = 3_000;

async fn history(client: &mut Client, topic: &str) -> Vec<Value> {
    let mut payloads = Vec::new();
    let mut after = 0;
    loop {
        let page = json!({"topic": topic, "after": after, "limit": 200});
        let page = client.request("history", &page).await;
        for message in page["messages"].as_array().unwrap() {
            after = message["seq"].as_u64().unwrap();
            payloads.push(message["payload"].clone());
        }
        if page["hasMore"] != true {
            return payloads;
        }
    }
}

fn numbers(count: u64) -> Vec<Value> {
    (0..count).map(Value::from).collect()
}

async fn unlimited() -> TestServer {
    TestServer::with(|config| config.limits.publish_per_second = 0).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn publishes_fired_over_a_websocket_are_stored_in_the_order_of_sending() {
    let server = unlimited().await;
    let mut client = Client::connect(&server, "u").await;
    for n in 0..MANY {
        let call = 1_000_000 + n;
        let packet = format!(r#"42{call}["publish",{{"topic":"public:order","payload":{n}}}]"#);
        client.socket.send(packet).await;
    }
    client.ack(1_000_000 + MANY - 1).await;
    assert_eq!(history(&mut client, "public:order").await, numbers(MANY));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn publishes_fired_over_polling_are_stored_in_the_order_of_sending() {
    let server = unlimited().await;
    let polling = Polling::connect(&server, "u").await;
    for chunk in (0..MANY).collect::<Vec<_>>().chunks(500) {
        let packets: Vec<String> = chunk
            .iter()
            .map(|n| format!(r#"42["publish",{{"topic":"public:order","payload":{n},"ackRequired":false}}]"#))
            .collect();
        assert_eq!(polling.post(packets.join("\u{1e}")).await.0, 200);
    }
    polling
        .post(r#"427["publish",{"topic":"public:order","payload":"end"}]"#)
        .await;
    polling.until("437[").await;
    let mut reader = Client::connect(&server, "r").await;
    let mut expected = numbers(MANY);
    expected.push(json!("end"));
    assert_eq!(history(&mut reader, "public:order").await, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn publishes_fired_over_raw_are_stored_in_the_order_of_sending() {
    let server = unlimited().await;
    let mut raw = RawClient::connect(&server, &token("u")).await;
    for n in 0..MANY {
        let data = json!({"topic": "public:order", "payload": n, "ackRequired": false});
        raw.socket
            .send(json!({"type": "publish", "data": data}).to_string())
            .await;
    }
    let end = json!({"topic": "public:order", "payload": "end"});
    assert_eq!(raw.request("publish", &end).await["data"]["seq"], MANY + 1);
    let mut reader = Client::connect(&server, "r").await;
    let mut expected = numbers(MANY);
    expected.push(json!("end"));
    assert_eq!(history(&mut reader, "public:order").await, expected);
}

#[tokio::test]
async fn a_burst_reaches_a_subscriber_whole_that_reads_later() {
    let server = unlimited().await;
    let mut reader = Client::connect(&server, "r").await;
    reader
        .request("subscribe", &json!({"topic": "public:burst"}))
        .await;
    let mut writer = Client::connect(&server, "w").await;
    for n in 0..MANY {
        let packet = format!(r#"42["publish",{{"topic":"public:burst","payload":{n},"ackRequired":false}}]"#);
        writer.socket.send(packet).await;
    }
    let last = json!({"topic": "public:burst", "payload": "end"});
    assert_eq!(writer.request("publish", &last).await["seq"], MANY + 1);
    for n in 1..=MANY + 1 {
        assert_eq!(reader.event("message").await["seq"], n);
    }
}

#[tokio::test]
async fn every_request_is_answered_once_in_whatever_way_it_asks() {
    let server = TestServer::start().await;
    let mut client = Client::connect(&server, "u").await;
    let silent = [
        r#"42["signal",{"topic":"public:a","payload":1}]"#,
        r#"42["signal",{"topic":"private:a","payload":1}]"#,
        r#"42["ack",{"id":"m"}]"#,
        r#"42["publish",{"topic":"public:a","payload":1,"ackRequired":false}]"#,
    ];
    for packet in silent {
        client.socket.send(packet).await;
    }
    let said = [
        r#"42["publish",{"topic":"private:a","payload":1,"ackRequired":false,"messageId":"1"}]"#,
        r#"42["read",{"topic":"private:a","seq":1,"messageId":"2"}]"#,
        r#"42["no_such_event",{"messageId":"3"}]"#,
        r#"42["unsubscribe",{"topic":"public:a","messageId":"4"}]"#,
    ];
    for packet in said {
        client.socket.send(packet).await;
    }
    for (id, code) in [
        ("1", json!("permission_denied")),
        ("2", json!("permission_denied")),
        ("3", json!("invalid_message")),
        ("4", Value::Null),
    ] {
        let reply = client.event("ack").await;
        assert_eq!((&reply["id"], &reply["code"]), (&json!(id), &code));
    }
    for packet in silent.map(|packet| packet.replacen("42", "429", 1)) {
        client.socket.send(packet).await;
        client.ack(9).await;
    }
    // Nothing was answered twice: the next thing that comes is the answer to the next request.
    client
        .socket
        .send(r#"4277["unsubscribe",{"topic":"public:a"}]"#)
        .await;
    assert!(client.packet().await.starts_with("4377["));
}

#[tokio::test]
async fn binary_content_is_delivered_as_binary_live_and_from_history() {
    let server = TestServer::start().await;
    let mut reader = Client::connect(&server, "r").await;
    reader.request("subscribe", &json!({"topic": "public:b"})).await;
    let mut writer = Client::connect(&server, "w").await;
    let part = |n: usize| json!({"_placeholder": true, "num": n});
    for n in 0..2_u8 {
        let body = json!({"topic": "public:b", "payload": {"n": n, "parts": [part(1), part(0)]}});
        writer
            .socket
            .send(format!("452-1{}", json!(["publish", body])))
            .await;
        for byte in 0..2 {
            let bytes = Message::binary(vec![n, byte]);
            writer.socket.try_send(bytes).await.unwrap();
        }
        assert_eq!(writer.ack(1).await["seq"], u64::from(n) + 1);
    }
    let literal = json!({"topic": "public:b", "payload": part(0)});
    assert_eq!(writer.request("publish", &literal).await["seq"], 3);
    for n in 0..2_u8 {
        let packet = reader.packet().await;
        let body: Value = serde_json::from_str(packet.strip_prefix("452-").expect(&packet)).unwrap();
        assert_eq!(body[1]["payload"], json!({"n": n, "parts": [part(0), part(1)]}));
        for byte in [1, 0] {
            assert_eq!(
                reader.socket.receive().await.unwrap(),
                Message::binary(vec![n, byte])
            );
        }
    }
    assert_eq!(
        reader.event("message").await["payload"],
        part(0),
        "JSON that only looks so stays JSON"
    );
    reader.socket.send(r#"425["history",{"topic":"public:b"}]"#).await;
    let packet = reader.packet().await;
    let body: Value = serde_json::from_str(packet.strip_prefix("464-5").expect(&packet)).unwrap();
    let payloads: Vec<_> = body[0]["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| &m["payload"])
        .collect();
    assert_eq!(payloads[0]["parts"], json!([part(0), part(1)]));
    assert_eq!(payloads[1]["parts"], json!([part(2), part(3)]));
    assert_eq!(
        payloads[2],
        &json!({"_placeholder": false}),
        "in a binary packet a client would take it for one"
    );
    for expected in [[0, 1], [0, 0], [1, 1], [1, 0]] {
        assert_eq!(
            reader.socket.receive().await.unwrap(),
            Message::binary(expected.to_vec())
        );
    }
}

#[tokio::test]
async fn a_recovery_and_the_live_stream_meet_without_a_hole_or_a_double() {
    let server = unlimited().await;
    let mut writer = Client::connect(&server, "w").await;
    let first = json!({"topic": "public:r", "payload": 0});
    writer.request("publish", &first).await;
    let opened = writer.request("history", &json!({"topic": "public:r"})).await;
    let since = json!({"seq": 1, "epoch": opened["epoch"]});
    for round in 0..50 {
        let mut reader = Client::connect(&server, "r").await;
        for n in 0..10 {
            let packet = format!(r#"42["publish",{{"topic":"public:r","payload":{n},"ackRequired":false}}]"#);
            writer.socket.send(packet).await;
        }
        let topics = json!({"topics": [{"topic": "public:r", "since": since}, {"topic": "public:x"}]});
        let batch = reader.request("subscribe", &topics).await;
        let recovered = &batch["results"][0];
        assert_eq!(recovered["recovered"], true, "{recovered}");
        let mut seq = 1;
        for message in recovered["messages"].as_array().unwrap() {
            seq += 1;
            assert_eq!(message["seq"], seq, "round {round}");
        }
        let last = writer.request("publish", &first).await["seq"].as_u64().unwrap();
        while seq < last {
            seq += 1;
            assert_eq!(reader.event("message").await["seq"], seq, "round {round}");
        }
    }
}
