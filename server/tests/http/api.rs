//! The API of programs and administrators: who is let in, what it does, what it leaves in the audit log.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::server::{TestServer, refused};

impl TestServer {
    async fn admin(&self) -> String {
        self.login("admin").await.access_token
    }

    async fn key(&self, token: &str, scope: &str) -> (String, String) {
        let body = json!({"name": "a program", "scopes": [scope]});
        let response = self
            .post("/api/v1/keys")
            .bearer_auth(token)
            .json(&body)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::CREATED);
        assert_eq!(response.headers()["cache-control"], "no-store");
        let made: Value = response.json().await.unwrap();
        (
            made["id"].as_str().unwrap().to_owned(),
            made["key"].as_str().unwrap().to_owned(),
        )
    }

    async fn with_key(
        &self,
        method: Method,
        path: &str,
        key: &str,
        body: Option<Value>,
    ) -> reqwest::Response {
        let request = self.request(method, path).header("x-api-key", key);
        match body {
            Some(body) => request.json(&body),
            None => request,
        }
        .send()
        .await
        .unwrap()
    }

    async fn audit(&self, token: &str, query: &str) -> Vec<Value> {
        let path = format!("/api/v1/audit?limit=200&{query}");
        let response = self.get(&path).bearer_auth(token).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let page: Value = response.json().await.unwrap();
        page["entries"].as_array().unwrap().clone()
    }
}

#[tokio::test]
async fn a_key_is_shown_once_does_what_its_scope_says_and_ends_when_revoked() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let (id, key) = server.key(&admin, "read").await;
    let list = server
        .get("/api/v1/keys")
        .bearer_auth(&admin)
        .send()
        .await
        .unwrap();
    let list = list.text().await.unwrap();
    assert!(list.contains(&id) && !list.contains(&key), "{list}");
    let channels = server.with_key(Method::GET, "/api/v1/channels", &key, None).await;
    assert_eq!(channels.status(), StatusCode::OK);
    let as_bearer = server
        .get("/api/v1/channels")
        .bearer_auth(&key)
        .send()
        .await
        .unwrap();
    assert_eq!(as_bearer.status(), StatusCode::OK);
    let message = json!({"topic": "public:a", "payload": 1});
    let publish = server
        .with_key(Method::POST, "/api/v1/publish", &key, Some(message))
        .await;
    let text = refused(publish, 403, "permission_denied").await;
    assert!(text.contains("publish"), "{text}");
    let revoke = server
        .request(Method::DELETE, &format!("/api/v1/keys/{id}"))
        .bearer_auth(&admin);
    assert_eq!(revoke.send().await.unwrap().status(), StatusCode::NO_CONTENT);
    let over = server.with_key(Method::GET, "/api/v1/channels", &key, None).await;
    refused(over, 401, "authentication_failed").await;
    let both = server
        .get("/api/v1/channels")
        .bearer_auth(&admin)
        .header("x-api-key", &key);
    refused(both.send().await.unwrap(), 401, "authentication_failed").await;
    server.stop().await;
}

#[tokio::test]
async fn a_message_published_by_a_program_is_stored_once_and_comes_from_the_server() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let (_, key) = server.key(&admin, "admin").await;
    let message = json!({"topic": "private:orders", "payload": {"n": 1}, "messageId": "order-1"});
    let publish = async |body: &Value| {
        server
            .with_key(Method::POST, "/api/v1/publish", &key, Some(body.clone()))
            .await
    };
    let first: Value = publish(&message).await.json().await.unwrap();
    assert_eq!(
        (&first["status"], &first["id"], &first["seq"]),
        (&json!("success"), &json!("order-1"), &json!(1))
    );
    let again: Value = publish(&message).await.json().await.unwrap();
    assert_eq!(again["duplicate"], true);
    assert_eq!(again["messageId"], first["messageId"]);
    let other = json!({"topic": "private:orders", "payload": {"n": 2}, "messageId": "order-1"});
    let response = publish(&other).await;
    assert_eq!(response.status(), StatusCode::CONFLICT);
    let refusal: Value = response.json().await.unwrap();
    assert_eq!(
        (&refusal["code"], &refusal["id"]),
        (&json!("idempotency_conflict"), &json!("order-1"))
    );
    let path = "/api/v1/channels/private:orders/history";
    let history: Value = server
        .with_key(Method::GET, path, &key, None)
        .await
        .json()
        .await
        .unwrap();
    let messages = history["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 1, "{history}");
    assert_eq!(messages[0]["from"], "server");
    for (body, status, code) in [
        (json!({"topic": "public:a"}), 400, "invalid_message"),
        (json!({"topic": "a b", "payload": 1}), 400, "invalid_message"),
        (
            json!({"topic": "nowhere:a", "payload": 1}),
            404,
            "channel_not_found",
        ),
        (
            json!({"topic": "public:a", "payload": "x".repeat(65_536)}),
            413,
            "message_too_large",
        ),
    ] {
        let response = publish(&body).await;
        assert_eq!(response.status().as_u16(), status);
        let refusal: Value = response.json().await.unwrap();
        assert_eq!(
            (&refusal["type"], &refusal["code"]),
            (&json!("error"), &json!(code))
        );
    }
    server.stop().await;
}

#[tokio::test]
async fn a_broadcast_answers_for_each_channel_in_order() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let (_, key) = server.key(&admin, "publish").await;
    let body = json!({"topics": ["public:a", "no such name", "nowhere:x", "public:b"], "payload": {"x": 1}});
    let answer = server
        .with_key(Method::POST, "/api/v1/broadcast", &key, Some(body))
        .await;
    let answer: Value = answer.json().await.unwrap();
    let results = answer["results"].as_array().unwrap();
    assert_eq!(results[0]["topic"], "public:a");
    assert_eq!(results[1]["code"], "invalid_message");
    assert_eq!(results[2]["code"], "channel_not_found");
    assert_eq!(results[3]["topic"], "public:b");
    for wrong in [
        json!({"topics": [], "payload": 1}),
        json!({"topics": vec!["a"; 201], "payload": 1}),
    ] {
        let response = server
            .with_key(Method::POST, "/api/v1/broadcast", &key, Some(wrong))
            .await;
        refused(response, 400, "invalid_message").await;
    }
    server.stop().await;
}

#[tokio::test]
async fn a_notification_waits_where_its_receiver_finds_it() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let (_, key) = server.key(&admin, "admin").await;
    for (body, topic) in [
        (
            json!({"level": "info", "message": "hello", "users": ["u1", "u2"]}),
            "user:u2",
        ),
        (
            json!({"level": "warning", "message": "careful", "title": "Stop", "topic": "public:team"}),
            "public:team",
        ),
        (
            json!({"level": "error", "message": "down"}),
            "system:notifications",
        ),
    ] {
        let sent = server
            .with_key(Method::POST, "/api/v1/notify", &key, Some(body.clone()))
            .await;
        assert_eq!(sent.status(), StatusCode::OK);
        let path = format!("/api/v1/channels/{topic}/history");
        let history: Value = server
            .with_key(Method::GET, &path, &key, None)
            .await
            .json()
            .await
            .unwrap();
        let payload = &history["messages"][0]["payload"];
        assert_eq!(payload["type"], "notification");
        for field in ["level", "message", "title"] {
            assert_eq!(payload[field], body[field], "{field}");
        }
    }
    for wrong in [
        json!({"level": "loud", "message": "x"}),
        json!({"level": "info", "message": " "}),
        json!({"level": "info", "message": "x", "users": ["u"], "topic": "public:a"}),
    ] {
        let response = server
            .with_key(Method::POST, "/api/v1/notify", &key, Some(wrong))
            .await;
        refused(response, 400, "invalid_message").await;
    }
    server.stop().await;
}

#[tokio::test]
async fn channels_in_use_are_listed_page_by_page() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let (_, key) = server.key(&admin, "admin").await;
    let topics: Vec<String> = (0..5).map(|at| format!("public:c{at}")).collect();
    let body = json!({"topics": topics, "payload": 1});
    server
        .with_key(Method::POST, "/api/v1/broadcast", &key, Some(body))
        .await;
    let list = async |query: &str| -> Value {
        let path = format!("/api/v1/channels?prefix=public:c&{query}");
        server
            .with_key(Method::GET, &path, &key, None)
            .await
            .json()
            .await
            .unwrap()
    };
    let first = list("limit=3").await;
    let cursor = first["nextCursor"].as_str().unwrap();
    let channel = &first["channels"][2];
    assert_eq!(
        (
            &channel["name"],
            &channel["seq"],
            &channel["messageCount"],
            &channel["subscribers"]
        ),
        (&json!("public:c2"), &json!(1), &json!(1), &json!(0))
    );
    let rest = list(&format!("limit=3&cursor={cursor}")).await;
    assert_eq!(
        (rest.get("nextCursor"), rest["channels"].as_array().unwrap().len()),
        (None, 2)
    );
    for wrong in ["limit=0", "limit=x", "colour=red"] {
        let path = format!("/api/v1/channels?{wrong}");
        let response = server.with_key(Method::GET, &path, &key, None).await;
        refused(response, 400, "invalid_message").await;
    }
    server.stop().await;
}

#[tokio::test]
async fn every_login_and_every_failure_of_one_is_in_the_audit_log() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    server.try_login("alice", "wrong").await;
    let login = server.login("alice").await;
    server.refresh("bmt_refresh=nonsense").await;
    server.refresh(&login.cookie).await;
    server
        .post("/api/v1/auth/logout")
        .header("cookie", &login.cookie)
        .send()
        .await
        .unwrap();
    let user = login.user["userId"].as_str().unwrap();
    let rows = server.audit(&admin, "act=auth.").await;
    let told: Vec<_> = rows
        .iter()
        .rev()
        .map(|row| (row["act"].as_str().unwrap(), row["outcome"].as_str().unwrap()))
        .collect();
    assert_eq!(
        told,
        [
            ("auth.login", "done"),
            ("auth.login", "denied"),
            ("auth.login", "done"),
            ("auth.refresh", "denied"),
            ("auth.refresh", "done"),
            ("auth.logout", "done"),
        ]
    );
    let denied = &rows[4];
    assert_eq!(
        (&denied["target"], &denied["address"]),
        (&json!("alice"), &json!("127.0.0.1"))
    );
    assert_eq!(denied["actorKind"], "unknown");
    assert_eq!(
        (&rows[3]["actorKind"], &rows[3]["actor"]),
        (&json!("user"), &json!(user))
    );
    assert!(!serde_json::to_string(&rows).unwrap().contains("wrong"));
    assert_eq!(
        server
            .audit(&admin, &format!("act=auth.login&actor={user}"))
            .await
            .len(),
        1
    );
    server.stop().await;
}

#[tokio::test]
async fn the_audit_log_cannot_be_written_through_the_api() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        let response = server
            .request(method, "/api/v1/audit")
            .bearer_auth(&admin)
            .send()
            .await
            .unwrap();
        refused(response, 405, "invalid_operation").await;
    }
    server.stop().await;
}

#[tokio::test]
async fn an_administrator_makes_changes_blocks_and_removes_an_account() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let send = async |method: Method, path: &str, body: Option<Value>| {
        let request = server.request(method, path).bearer_auth(&admin);
        match body {
            Some(body) => request.json(&body),
            None => request,
        }
        .send()
        .await
        .unwrap()
    };
    let new = json!({"username": "Carol", "password": "a long enough one", "name": "Carol C."});
    let made = send(Method::POST, "/api/v1/users", Some(new.clone())).await;
    assert_eq!(made.status(), StatusCode::CREATED);
    let made: Value = made.json().await.unwrap();
    assert_eq!(
        (&made["username"], &made["role"], &made["blocked"]),
        (&json!("carol"), &json!("user"), &json!(false))
    );
    let taken = send(Method::POST, "/api/v1/users", Some(new)).await;
    refused(taken, 409, "invalid_operation").await;
    let user = format!("/api/v1/users/{}", made["userId"].as_str().unwrap());
    let login = server.try_login("carol", "a long enough one").await;
    assert_eq!(login.status(), StatusCode::OK);
    let token = login.json::<Value>().await.unwrap()["accessToken"]
        .as_str()
        .unwrap()
        .to_owned();
    let changed: Value = send(Method::PATCH, &user, Some(json!({"role": "admin"})))
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(changed["role"], "admin");
    let list = server
        .get("/api/v1/users?limit=2")
        .bearer_auth(&token)
        .send()
        .await
        .unwrap();
    let list: Value = list.json().await.unwrap();
    assert_eq!(list["total"], 4);
    assert_eq!(list["users"].as_array().unwrap().len(), 2);
    let blocked = send(Method::POST, &format!("{user}/block"), None).await;
    assert_eq!(blocked.json::<Value>().await.unwrap()["blocked"], true);
    refused(server.me(&token).await, 401, "authentication_failed").await;
    send(Method::POST, &format!("{user}/unblock"), None).await;
    assert_eq!(
        server.try_login("carol", "a long enough one").await.status(),
        StatusCode::OK
    );
    assert_eq!(
        send(Method::DELETE, &user, None).await.status(),
        StatusCode::NO_CONTENT
    );
    refused(send(Method::GET, &user, None).await, 404, "invalid_operation").await;
    let rows = server.audit(&admin, "act=user.block").await;
    assert_eq!(
        (&rows[0]["target"], &rows[0]["outcome"]),
        (&made["userId"], &json!("done"))
    );
    server.stop().await;
}

#[tokio::test]
async fn crash_reports_are_folded_cut_and_few_for_each_address() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let report = |error: &str| {
        let body = json!({"error": error, "stack": "s".repeat(9_000), "timestamp": 1});
        server.post("/api/v1/errors").json(&body)
    };
    for _ in 0..3 {
        assert_eq!(
            report("it broke").send().await.unwrap().status(),
            StatusCode::NO_CONTENT
        );
    }
    let foreign = report("x")
        .header("origin", "https://evil.example")
        .send()
        .await
        .unwrap();
    refused(foreign, 403, "permission_denied").await;
    let large = server
        .post("/api/v1/errors")
        .json(&json!({"error": "x".repeat(20_000)}));
    refused(large.send().await.unwrap(), 413, "message_too_large").await;
    assert_eq!(
        report("again").bearer_auth(&admin).send().await.unwrap().status(),
        StatusCode::NO_CONTENT
    );
    let list = server
        .get("/api/v1/errors")
        .bearer_auth(&admin)
        .send()
        .await
        .unwrap();
    let list: Value = list.json().await.unwrap();
    let errors = list["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 2, "{list}");
    assert_eq!(
        (&errors[1]["error"], &errors[1]["reports"]),
        (&json!("it broke"), &json!(3))
    );
    assert_eq!(errors[1]["stack"].as_str().unwrap().len(), 6_000);
    assert!(errors[0]["userId"].as_str().unwrap().starts_with("u_"), "{list}");
    let mut told = Vec::new();
    for _ in 0..12 {
        told.push(report("flood").send().await.unwrap().status());
    }
    assert!(told.contains(&StatusCode::TOO_MANY_REQUESTS), "{told:?}");
    server.stop().await;
}

#[tokio::test]
async fn nobody_locks_the_own_account_out() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let own = server.login("admin").await.user["userId"]
        .as_str()
        .unwrap()
        .to_owned();
    for (method, path) in [(Method::DELETE, ""), (Method::POST, "/block")] {
        let response = server
            .request(method, &format!("/api/v1/users/{own}{path}"))
            .bearer_auth(&admin)
            .send()
            .await
            .unwrap();
        refused(response, 409, "invalid_operation").await;
    }
    let rows = server.audit(&admin, "act=user.block").await;
    assert_eq!(rows[0]["outcome"], "failed");
    server.stop().await;
}
