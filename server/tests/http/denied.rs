//! Handshakes that are refused, in the audit log: each kind once, floods as a count.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::members::person;
use crate::server::TestServer;

/// Rows of refused connections, as soon as there are so many.
async fn rows(server: &TestServer, count: usize) -> Vec<Value> {
    let root = person("root", &json!({"role": "admin"}));
    let found = async {
        loop {
            let request = server
                .get("/api/v1/audit?act=connection.open&limit=200")
                .bearer_auth(&root);
            let page: Value = request.send().await.unwrap().json().await.unwrap();
            let rows = page["entries"].as_array().unwrap();
            if rows.len() >= count {
                return rows.clone();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(20), found)
        .await
        .expect("the rows come")
}

async fn open(server: &TestServer, path: &str, origin: Option<&str>) -> bool {
    let url = format!("ws://{}{path}", server.address());
    let mut request = url.into_client_request().unwrap();
    if let Some(origin) = origin {
        request.headers_mut().insert("origin", origin.parse().unwrap());
    }
    match tokio_tungstenite::connect_async(request).await {
        Ok((mut socket, _)) => {
            let first = futures_util::StreamExt::next(&mut socket).await.unwrap().unwrap();
            let is_in = first.to_string().contains("connectionId");
            if is_in {
                // Held open, so that it counts.
                std::mem::forget(socket);
            }
            is_in
        }
        Err(_) => false,
    }
}

#[tokio::test]
async fn refused_handshakes_are_written_down_and_those_let_in_are_not() {
    let server = TestServer::start_with(|config| {
        config.limits.connections_per_address = 1;
        config.auth.guests = false;
    })
    .await;
    let evil = Some("https://evil.example");
    let good = format!("/api/v1/ws?token={}", person("eve", &json!({})));
    assert!(!open(&server, "/api/v1/ws", None).await);
    assert!(!open(&server, "/api/v1/ws?token=garbage", None).await);
    assert!(!open(&server, &good, evil).await);
    assert!(!open(&server, "/socket.io/?EIO=4&transport=websocket", evil).await);
    assert!(open(&server, &good, None).await);
    assert!(!open(&server, &good, None).await);
    let rows = rows(&server, 4).await;
    let mut told: Vec<_> = rows
        .iter()
        .map(|row| {
            assert_eq!(row["outcome"], "denied");
            assert_eq!(row["address"], "127.0.0.1");
            assert_eq!(row["actorKind"], "unknown");
            let text = |name: &str| row[name].as_str().unwrap().to_owned();
            (text("target"), row["status"].as_u64().unwrap())
        })
        .collect();
    told.sort();
    told.dedup();
    let expected = [
        ("connections_per_address", 429),
        ("foreign_origin", 403),
        ("malformed", 401),
        ("missing", 401),
    ];
    assert_eq!(told, expected.map(|(reason, status)| (reason.to_owned(), status)));
    server.stop().await;
}

#[tokio::test]
async fn a_socket_io_connect_with_a_bad_token_and_one_connection_too_many_are_written_down() {
    let server = TestServer::start_with(|config| config.limits.connections_per_user = 1).await;
    let open = async |token: &str| {
        let url = format!("ws://{}/socket.io/?EIO=4&transport=websocket", server.address());
        let (mut socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
        let connect = format!("40{}", json!({"token": token}));
        let connect = tokio_tungstenite::tungstenite::Message::text(connect);
        futures_util::SinkExt::send(&mut socket, connect).await.unwrap();
        socket
    };
    let expired = person("eve", &json!({"exp": 1_000}));
    let _refused = open(&expired).await;
    let good = person("eve", &json!({}));
    let _first = open(&good).await;
    assert_eq!(rows(&server, 1).await[0]["target"], "expired");
    let _second = open(&good).await;
    let rows = rows(&server, 2).await;
    assert_eq!(
        (&rows[0]["target"], &rows[0]["actor"], &rows[0]["status"]),
        (&json!("connections_per_user"), &json!("eve"), &json!(429))
    );
    server.stop().await;
}

#[tokio::test]
async fn a_flood_of_refused_handshakes_is_a_count_and_no_flood_of_rows() {
    let server = TestServer::start_with(|config| config.auth.guests = false).await;
    assert!(!open(&server, "/api/v1/ws", None).await);
    assert_eq!(rows(&server, 1).await[0]["times"], 1);
    for _ in 0..100 {
        assert!(!open(&server, "/api/v1/ws", None).await);
    }
    assert_eq!(rows(&server, 1).await.len(), 1, "the rest is counted");
    // What was counted is written at the end at the latest.
    let data_dir = server.stop().await;
    let path = data_dir.path().join("data/records.db");
    let records = rusqlite::Connection::open(path).unwrap();
    let counted: Vec<u32> = records
        .prepare("SELECT times FROM audit WHERE act = 'connection.open' ORDER BY id")
        .unwrap()
        .query_map((), |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(counted, [1, 100]);
}
