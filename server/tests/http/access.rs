//! FAULTS 65: every guarded route, tried by everybody.

use std::time::{SystemTime, UNIX_EPOCH};

use bmt_server::config::{Config, Mode};
use bmt_server::http;
use bmt_server::records::Scope;
use serde_json::{Value, json};

use crate::server::{TestServer, refused};
use crate::tokens::token;

fn claims(role: &str, seconds: i64) -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    json!({"sub": format!("{role}-1"), "role": role, "exp": now.saturating_add_signed(seconds)})
}

/// Who tries, with what header, and what they are told: 0 is "let in".
async fn callers(
    server: &TestServer,
    admin: &str,
    scope: Scope,
) -> Vec<(String, Option<(&'static str, String)>, u16)> {
    let signed = |role: &str, seconds| {
        let jwt = token(&json!({"alg": "HS256"}), &claims(role, seconds));
        Some(("authorization", format!("Bearer {jwt}")))
    };
    let mut callers = vec![
        ("no token".to_owned(), None, 401),
        (
            "an empty token".to_owned(),
            Some(("authorization", "Bearer".to_owned())),
            401,
        ),
        (
            "a cookie alone".to_owned(),
            Some(("cookie", server.login("admin").await.cookie)),
            401,
        ),
        ("a guest".to_owned(), signed("guest", 60), 403),
        ("a user".to_owned(), signed("user", 60), 403),
        ("an expired administrator".to_owned(), signed("admin", -60), 401),
        ("an administrator".to_owned(), signed("admin", 60), 0),
        (
            "a made-up key".to_owned(),
            Some(("x-api-key", format!("bmt_x_{}", "y".repeat(43)))),
            401,
        ),
    ];
    for held in [Scope::Publish, Scope::Read, Scope::Admin] {
        let body = json!({"name": "x", "scopes": [held.as_str()]});
        let made = server
            .post("/api/v1/keys")
            .bearer_auth(admin)
            .json(&body)
            .send()
            .await
            .unwrap();
        let made: Value = made.json().await.unwrap();
        let told = if held == scope || held == Scope::Admin {
            0
        } else {
            403
        };
        let key = made["key"].as_str().unwrap().to_owned();
        callers.push((
            format!("a key for {}", held.as_str()),
            Some(("x-api-key", key)),
            told,
        ));
    }
    callers
}

#[tokio::test]
async fn every_guarded_route_lets_in_whom_it_should_and_writes_every_attempt_down() {
    let server = TestServer::start().await;
    let admin = server.login("admin").await.access_token;
    for line in http::table(&Config::defaults(Mode::Dev)) {
        let path = line.path.replace("{id}", "nobody").replace("{topic}", "public:x");
        for (who, header, told) in callers(&server, &admin, line.scope).await {
            let what = format!("{who} at {} {path}", line.method);
            let mut request = server.request(line.method.clone(), &format!("/api/v1{path}"));
            if let Some((name, value)) = header {
                request = request.header(name, value);
            }
            let response = request.send().await.unwrap();
            let status = response.status().as_u16();
            let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
            match told {
                0 => assert!(![401, 403].contains(&status), "{what}: {status}"),
                401 => drop(refused(response, 401, "authentication_failed").await),
                _ => drop(refused(response, 403, "permission_denied").await),
            }
            let row = row_of(&server, &admin, line.act, &id).await;
            let noted = told != 0 || line.notes_success || status >= 400;
            assert_eq!(row.is_some(), noted, "{what}: {row:?}");
            if let Some(row) = row {
                assert_eq!(row["status"], status, "{what}");
                assert_eq!(row["outcome"] == "denied", told != 0, "{what}: {row}");
                assert_eq!(row["address"], "127.0.0.1");
            }
        }
    }
    server.stop().await;
}

/// The row of a request.
async fn row_of(server: &TestServer, admin: &str, act: &str, id: &str) -> Option<Value> {
    let path = format!("/api/v1/audit?limit=20&act={act}");
    let page: Value = server
        .get(&path)
        .bearer_auth(admin)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let rows = page["entries"].as_array().unwrap();
    rows.iter().find(|row| row["requestId"] == id).cloned()
}
