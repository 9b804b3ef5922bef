//! Addresses and headers: what is found, what is not, and what a browser may do with it.

use reqwest::StatusCode;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::server::{TestServer, refused};

#[tokio::test]
async fn a_server_that_runs_is_alive_and_ready() {
    let server = TestServer::start().await;
    for path in ["/healthz", "/readyz"] {
        let response = server.get(path).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        let body: Value = response.json().await.unwrap();
        assert!(body["status"].is_string());
    }
    server.stop().await;
}

/// FAULTS 64.
#[tokio::test]
async fn pages_may_run_their_own_scripts_and_nothing_else() {
    let server = TestServer::start().await;
    let mut nonces = Vec::new();
    for path in [
        "/",
        "/login",
        "/chat/public:general",
        "/dashboard",
        "/notifications",
        "/docs/1",
        "/admin",
        "/settings",
    ] {
        let response = server.get(path).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        let headers = response.headers().clone();
        let policy = headers["content-security-policy"].to_str().unwrap().to_owned();
        let scripts = policy
            .split("; ")
            .find(|rule| rule.starts_with("script-src "))
            .unwrap();
        assert!(scripts.contains("'wasm-unsafe-eval'"), "{policy}");
        assert!(
            !scripts.contains("'unsafe-eval'") && !scripts.contains("'unsafe-inline'"),
            "{policy}"
        );
        assert!(
            policy.contains("frame-ancestors 'none'") && policy.contains("object-src 'none'"),
            "{policy}"
        );
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(headers["referrer-policy"], "no-referrer");
        assert_eq!(headers["cache-control"], "no-store");
        let nonce = scripts
            .split("'nonce-")
            .nth(1)
            .unwrap()
            .trim_end_matches('\'')
            .to_owned();
        let page = response.text().await.unwrap();
        assert!(
            page.contains("<!doctype html>") || page.contains("<!DOCTYPE html>"),
            "{page}"
        );
        assert!(!page.contains("CSP_NONCE"), "{page}");
        nonces.push(nonce);
    }
    nonces.sort();
    nonces.dedup();
    assert_eq!(nonces.len(), 8, "each response has a nonce of its own");
    server.stop().await;
}

#[tokio::test]
async fn data_runs_nothing_and_is_framed_by_nobody() {
    let server = TestServer::start().await;
    for path in ["/healthz", "/api/v1/auth/me", "/no/such/file.js"] {
        let response = server.get(path).send().await.unwrap();
        let policy = response.headers()["content-security-policy"].to_str().unwrap();
        assert!(
            policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{path}"
        );
        assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    }
    server.stop().await;
}

#[tokio::test]
async fn where_every_origin_is_allowed_no_cookie_travels_along() {
    let server = TestServer::start_with(|config| config.http.allowed_origins = vec!["*".to_owned()]).await;
    let request = server.get("/healthz").header("origin", "https://anybody.example");
    let response = request.send().await.unwrap();
    assert_eq!(
        response.headers()["access-control-allow-origin"],
        "https://anybody.example"
    );
    assert!(
        !response
            .headers()
            .contains_key("access-control-allow-credentials")
    );
    server.stop().await;
}

/// FAULTS 66. Sent as they are: a client library would tidy them up.
#[tokio::test]
async fn no_address_leads_out_of_the_app() {
    let server = TestServer::start().await;
    for path in [
        "/%2e%2e/%2e%2e/etc/passwd",
        "/../../etc/passwd",
        "/..%5c..%5cetc",
        "//etc",
        "/.git/config",
        "/files/..;/",
        "/assets/../Cargo.toml",
        "/index.html",
        "/nothing",
        "/chatter",
        "/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "/%252e%252e/%252e%252e/etc/passwd",
        "/..%c0%af..%c0%afetc/passwd",
        "/..;/..;/etc/passwd",
        "/.%2e/.%2e/etc/passwd",
        "/..\\..\\etc\\passwd",
        "/assets/%2e%2e/%2e%2e/Cargo.toml",
        "/assets/..%5c..%5cCargo.toml",
        "/assets//etc/passwd",
        "/api/v1/../../etc/passwd",
        "/api/v1/%2e%2e/%2e%2e/etc/passwd",
        "/api/v1/files/..;/",
        "/api/v1/docs/../../../etc/passwd",
        "/etc/passwd%00.js",
        "/.env",
        "/.git/HEAD",
        "/data/messages.db",
    ] {
        let answer = raw(
            &server,
            &format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
        )
        .await;
        assert!(answer.starts_with("HTTP/1.1 404 "), "{path}: {answer}");
    }
    server.stop().await;
}

#[tokio::test]
async fn what_the_api_does_not_have_is_refused_as_data() {
    let server = TestServer::start().await;
    let text = refused(
        server.get("/api/v1/nothing").send().await.unwrap(),
        404,
        "invalid_operation",
    )
    .await;
    assert!(text.contains("/api/v1/nothing"), "{text}");
    let response = server.get("/api/v1/auth/login").send().await.unwrap();
    assert_eq!(response.headers()["allow"], "POST");
    refused(response, 405, "invalid_operation").await;
    server.stop().await;
}

#[tokio::test]
async fn behind_a_base_path_everything_is_below_it() {
    let server = TestServer::start_with(|config| config.http.base_path = "/realtime/".to_owned()).await;
    assert_eq!(
        server.get("/realtime/healthz").send().await.unwrap().status(),
        StatusCode::OK
    );
    assert_eq!(
        server.get("/healthz").send().await.unwrap().status(),
        StatusCode::NOT_FOUND
    );
    for page in ["/realtime", "/realtime/", "/realtime/chat/public:general"] {
        let response = server.get(page).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{page}");
        assert_eq!(response.headers()["content-type"], "text/html; charset=utf-8");
    }
    assert_eq!(
        server.get("/chat").send().await.unwrap().status(),
        StatusCode::NOT_FOUND
    );
    server.stop().await;
}

async fn raw(server: &TestServer, request: &str) -> String {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}
