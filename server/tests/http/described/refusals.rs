//! Wrong requests to every route: each is refused with a code that the document names.

use std::collections::BTreeMap;

use reqwest::{RequestBuilder, StatusCode};
use serde_json::{Value, json};

use super::Described;
use crate::members::person;
use crate::server::TestServer;

/// Wrong requests to an operation, and the status of their refusal.
fn wrong(
    api: &Described<'_>,
    method: &str,
    path: &str,
    operation: &Value,
    admin: &str,
) -> Vec<(RequestBuilder, u16)> {
    let request = || api.request(method, path, &[]);
    let user = person("eve", &json!({}));
    let mut all = Vec::new();
    let security = operation["security"].as_array().unwrap();
    if !security.is_empty() {
        all.push((request().json(&json!({})), 401));
        all.push((request().bearer_auth("garbage").json(&json!({})), 401));
    }
    let is_guarded = operation.get("x-scope").is_some();
    if is_guarded {
        all.push((request().bearer_auth(&user), 403));
    }
    if security.is_empty() && operation["responses"].get("403").is_some() {
        all.push((
            request()
                .header("origin", "https://evil.example")
                .json(&json!({})),
            403,
        ));
    }
    let token = if is_guarded { admin } else { user.as_str() };
    if operation["requestBody"]["content"]
        .get("application/json")
        .is_some()
    {
        let json = "application/json";
        let large = "x".repeat(1_000_000);
        for (kind, body, status) in [
            (json, "{", 400),
            (json, "[]", 400),
            ("text/plain", "{}", 415),
            (json, &large, 413),
        ] {
            let request = request()
                .bearer_auth(token)
                .header("content-type", kind)
                .body(body.to_owned());
            all.push((request, status));
        }
    }
    let asks = operation["parameters"].as_array().unwrap();
    if asks.iter().any(|parameter| parameter["in"] == "query") {
        let asked = format!("{}?colour=red", Described::path(path, &[]));
        all.push((
            api.server
                .request(method.parse().unwrap(), &asked)
                .bearer_auth(token),
            400,
        ));
    }
    all
}

#[tokio::test]
async fn every_refusal_has_a_code_that_the_document_names() {
    let server = TestServer::start_with(|config| config.auth.registration = true).await;
    let admin = server.login("admin").await.access_token;
    let mut api = Described::of(&server).await;
    let mut statuses: BTreeMap<u16, usize> = BTreeMap::new();
    for (method, path, operation) in api.operations() {
        let path = path.trim_start_matches("/api/v1");
        for (request, expected) in wrong(&api, &method, path, &operation, &admin) {
            let (status, body) = api.send(&method, path, request).await;
            assert_eq!(status, expected, "{method} {path}: {body}");
            *statuses.entry(status).or_default() += 1;
        }
        // Where the path names something that is not there, by who could change it.
        if path.contains('{') {
            let body = json!({});
            let request = api
                .request(&method, path, &["private:x", "y"])
                .bearer_auth(&admin)
                .json(&body);
            api.send(&method, path, request).await;
            let request = api
                .request(&method, path, &["a%20b", "y"])
                .bearer_auth(&admin)
                .json(&body);
            api.send(&method, path, request).await;
        }
    }
    for status in [400, 401, 403, 413, 415] {
        assert!(statuses[&status] > 5, "{status}: {statuses:?}");
    }
    let conflict = json!({"topic": "public:x", "payload": 1, "messageId": "m"});
    for payload in [1, 2] {
        let mut body = conflict.clone();
        body["payload"] = json!(payload);
        let request = server.post("/api/v1/publish").bearer_auth(&admin).json(&body);
        let (status, _) = api.send("POST", "/publish", request).await;
        assert_eq!(StatusCode::from_u16(status).unwrap().is_success(), payload == 1);
    }
    for _ in 0..12 {
        let request = server.post("/api/v1/errors").json(&json!({"error": "x"}));
        api.send("POST", "/errors", request).await;
        let request = server
            .post("/api/v1/auth/login")
            .json(&json!({"username": "x", "password": "y"}));
        api.send("POST", "/auth/login", request).await;
    }
    for status in ["401", "429"] {
        assert!(
            api.seen
                .contains(&("POST /auth/login".to_owned(), status.to_owned())),
            "{status}"
        );
    }
    server.stop().await;
}
