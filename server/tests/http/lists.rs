//! Lists page by page: channels that only the store knows, connections with where they come from; and what several
//! channels answer.

use futures_util::StreamExt;
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::members::person;
use crate::server::{TestServer, refused};

async fn get(server: &TestServer, path: &str) -> Value {
    let root = person("root", &json!({"role": "admin"}));
    let response = server
        .get(&format!("/api/v1{path}"))
        .bearer_auth(root)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::OK, "{path}");
    response.json().await.unwrap()
}

async fn post(server: &TestServer, path: &str, key: Option<&str>, body: &Value) -> Response {
    let root = person("root", &json!({"role": "admin"}));
    let request = server
        .post(&format!("/api/v1{path}"))
        .bearer_auth(root)
        .json(body);
    match key {
        Some(key) => request.header("idempotency-key", key),
        None => request,
    }
    .send()
    .await
    .unwrap()
}

fn names(page: &Value) -> Vec<&str> {
    let channels = page["channels"].as_array().unwrap().iter();
    channels.map(|one| one["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn channels_that_nobody_uses_any_more_are_listed_with_those_in_use() {
    let server = TestServer::start_with(|config| config.limits.empty_channel_ms = 1).await;
    let body = json!({"topics": ["private:b", "public:a", "public:Team", "system:metrics"], "payload": 1});
    post(&server, "/broadcast", None, &body).await;
    post(&server, "/broadcast", None, &body).await;
    // Out of memory, all of them: what is listed then comes from the stores.
    while get(&server, "/stats").await["channels"] != 0 {
        tokio::task::yield_now().await;
    }
    let all = get(&server, "/channels").await;
    assert_eq!(
        names(&all),
        ["private:b", "public:Team", "public:a", "system:metrics"]
    );
    let one = &all["channels"][2];
    assert_eq!(
        (&one["seq"], &one["messageCount"], &one["subscribers"]),
        (&json!(2), &json!(2), &json!(0))
    );
    let created = one["createdAt"].as_u64().unwrap();
    assert!(created > 1_700_000_000_000, "{one}");
    // One of them is used again, and still as old as it was.
    let url = format!(
        "ws://{}/api/v1/ws?token={}",
        server.address(),
        person("eve", &json!({"role": "admin"}))
    );
    let (mut socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
    let subscribe = json!({"type": "subscribe", "messageId": "s", "data": {"topic": "public:a"}});
    futures_util::SinkExt::send(
        &mut socket,
        tokio_tungstenite::tungstenite::Message::text(subscribe.to_string()),
    )
    .await
    .unwrap();
    while !socket
        .next()
        .await
        .unwrap()
        .unwrap()
        .to_string()
        .contains("\"ack\"")
    {}
    let found = get(&server, "/channels?prefix=public:&search=A").await;
    assert_eq!(names(&found), ["public:Team", "public:a"]);
    let used = &found["channels"][1];
    assert_eq!(
        (&used["subscribers"], &used["createdAt"], &used["messageCount"]),
        (&json!(1), &json!(created), &json!(2))
    );
    let details = get(&server, "/stats").await;
    assert_eq!(details["channelDetails"][0], *used, "{details}");
    let mut seen = Vec::new();
    let mut next = String::new();
    loop {
        let page = get(&server, &format!("/channels?limit=1{next}")).await;
        seen.extend(names(&page).into_iter().map(str::to_owned));
        match page["nextCursor"].as_str() {
            Some(cursor) => next = format!("&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(seen, names(&all));
    server.stop().await;
}

#[tokio::test]
async fn connections_are_listed_with_where_they_come_from_and_found_by_it() {
    let server = TestServer::start_with(|config| {
        config.http.trusted_proxies = vec!["127.0.0.0/8".to_owned()];
    })
    .await;
    let open = async |user: &str, address: &str, path: &str| {
        let url = format!("ws://{}{path}", server.address());
        let mut request = url.into_client_request().unwrap();
        let headers = request.headers_mut();
        headers.insert("user-agent", format!("Browser of {user}").parse().unwrap());
        headers.insert("x-forwarded-for", address.parse().unwrap());
        let (mut socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
        socket.next().await.unwrap().unwrap();
        socket
    };
    let token = |user: &str| person(user, &json!({"name": user.to_uppercase()}));
    let raw = |user: &str| format!("/api/v1/ws?token={}", token(user));
    let _ann = open("ann", "203.0.113.7", &raw("ann")).await;
    let _bob = open("bob", "198.51.100.1", &raw("bob")).await;
    let mut eve = open("eve", "198.51.100.2", "/socket.io/?EIO=4&transport=websocket").await;
    let connect = format!("40{}", json!({"token": token("eve")}));
    futures_util::SinkExt::send(&mut eve, tokio_tungstenite::tungstenite::Message::text(connect))
        .await
        .unwrap();
    eve.next().await.unwrap().unwrap();
    let all = get(&server, "/connections").await;
    assert_eq!((&all["total"], all.get("nextCursor")), (&json!(3), None), "{all}");
    for (search, users) in [
        ("203.0.113", &["ann"][..]),
        ("BROWSER%20of%20b", &["bob"]),
        ("Eve", &["eve"]),
        ("198.51.", &["bob", "eve"]),
        ("nobody", &[]),
    ] {
        let found = get(&server, &format!("/connections?search={search}")).await;
        let found = found["connections"].as_array().unwrap().iter();
        let mut found: Vec<_> = found.map(|one| one["userId"].as_str().unwrap()).collect();
        found.sort_unstable();
        assert_eq!(found, users, "{search}");
    }
    let eve = get(&server, "/connections?user=eve").await["connections"][0].clone();
    assert_eq!(
        (
            &eve["transport"],
            &eve["address"],
            &eve["userAgent"],
            &eve["subscriptions"]
        ),
        (
            &json!("websocket"),
            &json!("198.51.100.2"),
            &json!("Browser of eve"),
            &json!(0)
        )
    );
    assert!(eve["connectedAt"].as_u64().unwrap() > 1_700_000_000_000);
    let ann = get(&server, "/connections?user=ann").await;
    assert_eq!(ann["connections"][0]["transport"], "raw");
    let first = get(&server, "/connections?limit=2").await;
    let cursor = first["nextCursor"].as_str().unwrap();
    let rest = get(&server, &format!("/connections?limit=2&cursor={cursor}")).await;
    let id = |page: &Value, at: usize| {
        page["connections"][at]["connectionId"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert!(id(&first, 0) < id(&first, 1) && id(&first, 1) < id(&rest, 0));
    server.stop().await;
}

#[tokio::test]
async fn an_idempotency_key_publishes_once_whichever_way_it_is_said() {
    let server = TestServer::start().await;
    let message = json!({"topic": "public:orders", "payload": {"n": 1}});
    let first: Value = post(&server, "/publish", Some("order-1"), &message)
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(first["id"], "order-1");
    let mut named = message.clone();
    named["messageId"] = json!("order-1");
    for (key, body) in [
        (Some("order-1"), &message),
        (None, &named),
        (Some("order-1"), &named),
    ] {
        let again: Value = post(&server, "/publish", key, body).await.json().await.unwrap();
        assert_eq!(
            (&again["duplicate"], &again["messageId"]),
            (&json!(true), &first["messageId"])
        );
    }
    let other = json!({"topic": "public:orders", "payload": {"n": 2}});
    let conflict = post(&server, "/publish", Some("order-1"), &other).await;
    assert_eq!(conflict.status(), StatusCode::CONFLICT);
    let long = "k".repeat(64);
    let batch = json!({"messages": [message, {"topic": "public:orders", "payload": 2, "messageId": "own"}]});
    for (key, body) in [
        ("order-2", &named),
        ("", &message),
        (&format!("{long}k"), &message),
        (&long, &batch),
    ] {
        refused(
            post(&server, "/publish", Some(key), body).await,
            400,
            "invalid_message",
        )
        .await;
    }
    for duplicate in [false, true] {
        let answer: Value = post(&server, "/publish", Some("b"), &batch)
            .await
            .json()
            .await
            .unwrap();
        let results = answer["results"].as_array().unwrap();
        assert_eq!(
            (&results[0]["id"], &results[1]["id"]),
            (&json!("b.0"), &json!("own"))
        );
        assert!(
            results
                .iter()
                .all(|one| one.get("duplicate").is_some() == duplicate),
            "{answer}"
        );
    }
    let history = get(&server, "/channels/public:orders/history").await;
    assert_eq!(history["messages"].as_array().unwrap().len(), 3, "{history}");
    server.stop().await;
}

#[tokio::test]
async fn one_key_for_many_channels_publishes_once_on_each() {
    let server = TestServer::start().await;
    for path in ["/broadcast", "/notify"] {
        let body = match path {
            "/notify" => json!({"level": "info", "message": "x", "users": ["u1", "u2"]}),
            _ => json!({"topics": ["public:a", "public:b"], "payload": 1}),
        };
        for duplicate in [false, true] {
            let answer: Value = post(&server, path, Some("all"), &body)
                .await
                .json()
                .await
                .unwrap();
            let results = answer["results"].as_array().unwrap();
            assert_eq!(results.len(), 2, "{answer}");
            assert!(
                results
                    .iter()
                    .all(|one| one.get("duplicate").is_some() == duplicate),
                "{answer}"
            );
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn users_are_listed_page_by_page_and_found() {
    let server = TestServer::start().await;
    let mut seen = Vec::new();
    let mut next = String::new();
    loop {
        let page = get(&server, &format!("/users?limit=2{next}")).await;
        assert_eq!(page["total"], 3);
        let users = page["users"].as_array().unwrap().iter();
        seen.extend(users.map(|user| user["username"].as_str().unwrap().to_owned()));
        match page["nextCursor"].as_str() {
            Some(cursor) => next = format!("&cursor={cursor}"),
            None => break,
        }
    }
    seen.sort();
    assert_eq!(seen, ["admin", "alice", "bob"]);
    let found = get(&server, "/users?search=ALI").await;
    assert_eq!(found["users"].as_array().unwrap().len(), 1, "{found}");
    server.stop().await;
}

#[tokio::test]
async fn a_broadcast_that_reaches_some_channels_is_repeated_for_the_others_alone() {
    let server = TestServer::start().await;
    let taken = json!({"topic": "public:b", "payload": "before", "messageId": "all"});
    post(&server, "/publish", None, &taken).await;
    let body = json!({"topics": ["public:a", "public:b", "nowhere:c"], "payload": 1, "messageId": "all"});
    for duplicate in [false, true] {
        let answer = post(&server, "/broadcast", None, &body).await;
        assert_eq!(
            answer.status(),
            StatusCode::OK,
            "what was kept is told, beside what was not"
        );
        let answer: Value = answer.json().await.unwrap();
        let results = &answer["results"];
        assert_eq!(results[0]["status"], "success");
        assert_eq!(results[0].get("duplicate").is_some(), duplicate, "{answer}");
        assert_eq!(results[1]["code"], "idempotency_conflict");
        assert_eq!(results[2]["code"], "channel_not_found");
    }
    let history = get(&server, "/channels/public:a/history").await;
    assert_eq!(history["seq"], 1);
    server.stop().await;
}
