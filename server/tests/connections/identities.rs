//! Which names are told, and which never: `socket.id` of the library is the private id of the Engine.IO session,
//! and whoever knows it can speak for a client that polls (FAULTS 33, 50).

use serde_json::json;

use crate::raw::RawClient;
use crate::support::{Client, POLLING, Polling, Socket, TestServer, WEBSOCKET, token};

#[tokio::test]
async fn the_private_session_id_is_in_nothing_that_is_said() {
    let server = TestServer::start().await;
    let mut client = Client::connect(&server, "u").await;
    let polling = Polling::connect(&server, "u").await;
    let mut raw = RawClient::connect(&server, &token("u")).await;
    let secrets = [client.sid.clone(), polling.sid.clone()];
    let mut said = vec![client.hello.to_string()];
    let topic = json!({"topic": "public:a", "presence": true});
    polling.post(r#"421["subscribe",{"topic":"public:a"}]"#).await;
    said.push(polling.until("431[").await);
    said.push(raw.request("subscribe", &topic).await.to_string());
    for (name, body) in [
        ("subscribe", topic.clone()),
        ("publish", json!({"topic": "public:a", "payload": 1})),
        ("history", topic.clone()),
        ("presence", topic.clone()),
        ("publish", json!({"topic": "private:a", "payload": 1})),
        ("no_such_event", json!({})),
        ("unsubscribe", topic),
        ("refresh", json!({"token": token("somebody else")})),
    ] {
        said.push(client.request(name, &body).await.to_string());
    }
    // The goodbye after the refused token, and what the others heard meanwhile.
    said.extend(client.rest().await);
    said.push(polling.until("42[\"message\"").await);
    said.push(raw.frame("data").await.to_string());
    for path in ["/healthz", "/readyz", "/api/v1/auth/me", "/no/such/page"] {
        let answer = reqwest::get(server.url(path)).await.unwrap();
        said.push(format!("{:?}", answer.headers()));
        said.push(answer.text().await.unwrap());
    }
    for text in said {
        assert!(secrets.iter().all(|secret| !text.contains(secret)), "{text}");
    }
}

#[tokio::test]
async fn a_session_on_a_websocket_is_not_reached_by_its_id() {
    let server = TestServer::start().await;
    let mut client = Client::connect(&server, "u").await;
    let polling = Polling::connect(&server, "u").await;
    let url = server.url(&format!("{WEBSOCKET}&sid={}", polling.sid));
    let mut upgraded = Socket::open(&url, &[]).await.unwrap();
    upgraded.send("2probe").await;
    assert_eq!(upgraded.text().await, "3probe");
    upgraded.send("5").await;
    upgraded.send(r#"421["heartbeat",{}]"#).await;
    while !upgraded.text().await.starts_with("431[") {}
    for sid in [&client.sid, &polling.sid] {
        let url = server.url(&format!("{POLLING}&sid={sid}"));
        let publish = r#"42["publish",{"topic":"public:a","payload":1}]"#;
        let posted = reqwest::Client::new()
            .post(&url)
            .body(publish)
            .send()
            .await
            .unwrap();
        assert_eq!(posted.status(), 400);
        assert_eq!(reqwest::get(&url).await.unwrap().status(), 400);
        let taken_over = Socket::open(&server.url(&format!("{WEBSOCKET}&sid={sid}")), &[]).await;
        assert_eq!(taken_over.err(), Some(400));
    }
    // Both live on, and nothing was published in their names.
    let published = json!({"topic": "public:a", "payload": 2});
    assert_eq!(client.request("publish", &published).await["seq"], 1);
    upgraded.send(r#"422["heartbeat",{}]"#).await;
    while !upgraded.text().await.starts_with("432[") {}
}

#[tokio::test]
async fn a_connections_name_is_not_its_session_id_and_never_comes_twice() {
    let server = TestServer::start().await;
    let mut names = std::collections::HashSet::new();
    for _ in 0..50 {
        let client = Client::connect(&server, "u").await;
        let name = client.hello["connectionId"].as_str().unwrap().to_owned();
        assert!(!name.contains(&client.sid) && !client.sid.contains(&name));
        assert!(names.insert(name));
    }
}
