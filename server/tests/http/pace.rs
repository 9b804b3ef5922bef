//! How often anybody may ask over HTTP: 429 and when to come again (SPEC §10).

use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use tokio::time::{Duration, sleep};

use crate::server::{TestServer, refused};

/// Asks again and again until it is told to wait; answers after how many, and the refusal.
async fn until_refused(mut ask: impl AsyncFnMut() -> Response) -> (usize, Response) {
    for n in 0..200 {
        let response = ask().await;
        if response.status() == StatusCode::TOO_MANY_REQUESTS {
            return (n, response);
        }
    }
    panic!("200 requests and no refusal");
}

/// Checks the refusal, its wait in the header and in the body.
async fn checked(response: Response) {
    let seconds: u64 = response.headers()["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!(seconds >= 1);
    let message = refused(response, 429, "rate_limited").await;
    assert!(message.contains("Try again in"), "{message}");
}

#[tokio::test]
async fn the_open_routes_share_a_budget_for_each_address() {
    let server = TestServer::start_with(|config| {
        config.limits.http_per_second = 1;
        config.http.trusted_proxies = vec!["127.0.0.0/8".to_owned()];
        config.auth.registration = true;
    })
    .await;
    let post = async |path: &str, from: &str, body: &Value| {
        let request = server.post(path).header("x-forwarded-for", from).json(body);
        request.send().await.unwrap()
    };
    let user = server.login("alice").await;
    let ticket = async |from: &str| {
        let request = server.post("/api/v1/ws-ticket").bearer_auth(&user.access_token);
        request.header("x-forwarded-for", from).send().await.unwrap()
    };
    // 20 at once: half of them guests, the rest tickets.
    for _ in 0..10 {
        let guest = post("/api/v1/auth/guest", "198.51.100.1", &json!({})).await;
        assert_eq!(guest.status(), StatusCode::OK);
    }
    let (tickets, response) = until_refused(async || ticket("198.51.100.1").await).await;
    assert!((10..15).contains(&tickets), "{tickets}");
    checked(response).await;
    // A registration and a new password are worth 20.
    let reset = json!({"token": "no such code", "new": "a long enough password"});
    let response = post("/api/v1/auth/password/reset", "198.51.100.2", &reset).await;
    assert_ne!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    checked(post("/api/v1/auth/password/reset", "198.51.100.2", &reset).await).await;
    let registration = json!({"username": "newcomer", "password": "a long enough password"});
    let response = post("/api/v1/auth/register", "198.51.100.3", &registration).await;
    assert_eq!(response.status(), StatusCode::OK);
    checked(post("/api/v1/auth/register", "198.51.100.3", &registration).await).await;
    // Others are not concerned, and what costs nothing is not limited.
    assert_eq!(ticket("198.51.100.4").await.status(), StatusCode::OK);
    let health = server.get("/healthz").header("x-forwarded-for", "198.51.100.1");
    assert_eq!(health.send().await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn crash_reports_of_one_address_are_few() {
    let server = TestServer::start().await;
    let report = json!({"error": "it broke"});
    let send = async || server.post("/api/v1/errors").json(&report).send().await.unwrap();
    let (reports, response) = until_refused(send).await;
    assert!((10..20).contains(&reports), "{reports}");
    assert!(response.headers().contains_key("retry-after"));
    refused(response, 429, "rate_limited").await;
}

#[tokio::test]
async fn a_caller_of_guarded_routes_has_a_budget_of_its_own_and_so_has_guessing() {
    let server = TestServer::start_with(|config| {
        config.limits.api_per_second = 3;
        config.limits.http_per_second = 1;
    })
    .await;
    let admin = server.login("admin").await.access_token;
    let history = async |token: &str| {
        let path = "/api/v1/channels/public:a/history";
        server.get(path).bearer_auth(token).send().await.unwrap()
    };
    let (read, response) = until_refused(async || history(&admin).await).await;
    assert!((6..12).contains(&read), "{read}");
    checked(response).await;
    let (guesses, response) = until_refused(async || history("bmt_of_nobody").await).await;
    assert!((20..30).contains(&guesses), "{guesses}");
    checked(response).await;
    // No row for each refusal: a flood of requests is none of rows.
    let page: Value = loop {
        let request = server.get("/api/v1/audit?limit=200").bearer_auth(&admin);
        let response = request.send().await.unwrap();
        if response.status() == StatusCode::OK {
            break response.json().await.unwrap();
        }
        // Whoever waits as it is told comes through.
        let seconds = response.headers()["retry-after"].to_str().unwrap();
        sleep(Duration::from_secs(seconds.parse().unwrap())).await;
    };
    let rows = page["entries"].as_array().unwrap();
    assert!(rows.iter().any(|row| row["status"] == 401), "{page}");
    assert!(!rows.iter().any(|row| row["status"] == 429), "{page}");
}

#[tokio::test]
async fn messages_that_a_key_publishes_count_one_by_one() {
    let server = TestServer::start_with(|config| {
        config.limits.publish_per_second = 1;
        config.limits.publish_burst = 5;
        config.limits.rate_factor_per_key = 2;
    })
    .await;
    let admin = server.login("admin").await.access_token;
    let messages: Vec<Value> = (0..12)
        .map(|n| json!({"topic": "public:a", "payload": n, "messageId": format!("m{n}")}))
        .collect();
    let request = server.post("/api/v1/publish").bearer_auth(&admin);
    let response = request.json(&json!({"messages": messages})).send().await.unwrap();
    let body: Value = response.json().await.unwrap();
    let results = body["results"].as_array().unwrap();
    let published = results
        .iter()
        .take_while(|result| result["code"].is_null())
        .count();
    assert!((10..12).contains(&published), "{body}");
    assert_eq!(results[published]["code"], "rate_limited");
    assert!(results[published]["retryAfterMs"].as_u64().unwrap() >= 1);
}
