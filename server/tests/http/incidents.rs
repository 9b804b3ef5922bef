//! A failure of ours names an incident that the log holds too, whatever the way on which it was met (SPEC §10).

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::command::{output, text};
use crate::reload::{Client, Server, user};

const PATIENCE: Duration = Duration::from_secs(20);
/// Files may have a few MB (blocks of 512 or 1,024 bytes): then the message store has no room, as on a full disk.
pub(crate) const SMALL_FILES: &str = "trap '' XFSZ; ulimit -f 2500";

/// The incident that a text names.
pub(crate) fn incident(message: &str) -> String {
    let (_, named) = message.split_once("incident ").expect(message);
    named
        .chars()
        .take_while(|letter| letter.is_ascii_alphanumeric() || "-_".contains(*letter))
        .collect()
}

/// The next packet that begins like this.
async fn answered(socket: &mut WebSocketStream<MaybeTlsStream<TcpStream>>, mark: &str) -> String {
    let wait = async {
        loop {
            if let Message::Text(packet) = socket.next().await.unwrap().unwrap()
                && packet.starts_with(mark)
            {
                return packet.to_string();
            }
        }
    };
    timeout(PATIENCE, wait).await.expect(mark)
}

/// Publishes until nothing can be stored any more; the last refusal.
///
/// After the first failure the log's room is used again; once the database may not grow either, all fail. Short
/// messages fill what long ones leave: what the server tries by itself in between needs little.
async fn fill(raw: &mut Client) -> Value {
    let mut refused = Value::Null;
    for payload in ["x".repeat(60_000), "x".to_owned()] {
        let publish = json!({"topic": "public:a", "payload": payload});
        let mut in_a_row = 0;
        for _ in 0..400 {
            let answer = raw.request("publish", publish.clone()).await;
            refused = answer["data"].clone();
            in_a_row += 1;
            if answer["type"] != "error" {
                in_a_row = 0;
            }
            if in_a_row == 3 {
                break;
            }
        }
    }
    refused
}

#[tokio::test]
async fn a_store_that_fails_is_named_alike_over_raw_socketio_and_http() {
    let server = Server::start_after(SMALL_FILES, "limits.publish_per_second = 0\n", None);
    let data = server.path("data");
    let data = data.to_str().unwrap();
    let config = server.path("bmt.toml");
    let args = [
        "key",
        "create",
        "--name",
        "t",
        "--scope",
        "publish",
        "--data-dir",
        data,
        "--config",
        config.to_str().unwrap(),
    ];
    let key = output(&args, &[]);
    assert!(key.status.success(), "{}", text(&key.stderr));
    let key = text(&key.stdout).trim().to_owned();
    let publish = json!({"topic": "public:a", "payload": "x".repeat(60_000)});

    let mut raw = server.connect(&user("u")).await;
    let refused = fill(&mut raw).await;
    assert_eq!(
        (&refused["code"], &refused["details"]["code"]),
        (&json!(1011), &json!("server_error"))
    );
    let mut named = vec![incident(refused["message"].as_str().unwrap())];

    let url = format!("ws://{}/socket.io/?EIO=4&transport=websocket", server.address);
    let (mut socket, _) = connect_async(url).await.unwrap();
    let auth = json!({"token": user("u")});
    socket.send(Message::text(format!("40{auth}"))).await.unwrap();
    answered(&mut socket, "40").await;
    let call = json!(["publish", publish]);
    socket.send(Message::text(format!("427{call}"))).await.unwrap();
    let answer = answered(&mut socket, "437").await;
    let answer: Value = serde_json::from_str(&answer["437".len()..]).unwrap();
    assert_eq!(answer[0]["code"], "server_error", "{answer}");
    named.push(incident(answer[0]["message"].as_str().unwrap()));

    let client = reqwest::Client::new();
    let request = client
        .post(server.url("/api/v1/publish"))
        .header("x-api-key", key);
    let response = request.json(&publish).send().await.unwrap();
    assert_eq!(response.status(), 503);
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["code"], "server_error", "{body}");
    named.push(incident(body["message"].as_str().unwrap()));

    let ready = client.get(server.url("/readyz")).send().await.unwrap();
    assert_eq!(ready.status(), 503);
    let body: Value = ready.json().await.unwrap();
    named.push(incident(body["message"].as_str().unwrap()));

    let log = std::fs::read_to_string(server.path("log")).unwrap();
    for incident in named {
        assert!(
            incident.len() >= 12 && log.contains(&incident),
            "{incident} is not in the log: {log}"
        );
    }
}
