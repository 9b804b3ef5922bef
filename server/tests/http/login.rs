//! From the password to the logout.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::server::{PASSWORD, TestServer, logged_in, refused};

#[tokio::test]
async fn a_person_logs_in_is_known_goes_on_and_logs_out() {
    let server = TestServer::start().await;
    let response = server.try_login("alice", PASSWORD).await;
    assert_eq!(response.headers()["cache-control"], "no-store");
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["expiresIn"], 900);
    assert_eq!(
        (&body["user"]["name"], &body["user"]["role"]),
        (&json!("Alice"), &json!("user"))
    );

    let login = server.login("alice").await;
    let me: Value = server.me(&login.access_token).await.json().await.unwrap();
    assert_eq!(me["user"], login.user);

    let next = logged_in(server.refresh(&login.cookie).await).await;
    assert_ne!(next.cookie, login.cookie);
    assert_eq!(next.user, login.user);
    assert_eq!(server.me(&next.access_token).await.status(), StatusCode::OK);

    let logout = server.post("/api/v1/auth/logout").header("cookie", &next.cookie);
    let response = logout.send().await.unwrap();
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
    let cookie = response.headers()["set-cookie"].to_str().unwrap();
    assert!(
        cookie.starts_with("bmt_refresh=;") && cookie.contains("Max-Age=0"),
        "{cookie}"
    );
    for token in [&login.access_token, &next.access_token] {
        let text = refused(server.me(token).await, 401, "authentication_failed").await;
        assert_eq!(text, "Authentication failed: revoked");
    }
    refused(server.refresh(&next.cookie).await, 401, "authentication_failed").await;
    server.stop().await;
}

#[tokio::test]
async fn the_refresh_cookie_is_out_of_reach_of_scripts_and_other_sites() {
    let server = TestServer::start_with(|config| {
        config.http.trusted_proxies = vec!["127.0.0.1".to_owned()];
    })
    .await;
    let cookie_of =
        |response: &reqwest::Response| response.headers()["set-cookie"].to_str().unwrap().to_owned();
    let plain = cookie_of(&server.try_login("bob", PASSWORD).await);
    for part in ["HttpOnly", "SameSite=Strict", "Path=/api/v1/auth"] {
        assert!(plain.contains(part), "{plain}");
    }
    assert!(!plain.contains("Secure"), "{plain}");
    let behind_tls = server
        .post("/api/v1/auth/login")
        .header("x-forwarded-proto", "https")
        .json(&json!({"username": "bob", "password": PASSWORD}));
    let secure = cookie_of(&behind_tls.send().await.unwrap());
    assert!(secure.contains("Secure"), "{secure}");
    server.stop().await;
}

/// FAULTS 49.
#[tokio::test]
async fn a_page_of_another_origin_gets_no_permission_and_changes_no_login() {
    let server = TestServer::start().await;
    let login = server.login("bob").await;
    let evil = "https://evil.example";
    for (method, path) in [
        ("POST", "/api/v1/auth/login"),
        ("POST", "/api/v1/auth/refresh"),
        ("POST", "/api/v1/auth/logout"),
        ("POST", "/api/v1/auth/logout-all"),
        ("POST", "/api/v1/publish"),
        ("DELETE", "/api/v1/users/x"),
        ("GET", "/api/v1/auth/me"),
    ] {
        let preflight = server
            .request(reqwest::Method::OPTIONS, path)
            .header("origin", evil)
            .header("access-control-request-method", method)
            .header("access-control-request-headers", "authorization, content-type");
        let credentialed = server
            .request(method.parse().unwrap(), path)
            .header("origin", evil)
            .header("cookie", &login.cookie)
            .json(&json!({}));
        for request in [preflight, credentialed] {
            let response = request.send().await.unwrap();
            let told = response.headers().keys().map(|name| name.as_str());
            let told: Vec<_> = told
                .filter(|name| name.starts_with("access-control-allow"))
                .collect();
            assert!(told.is_empty(), "{method} {path}: {told:?}");
            assert!(!response.headers().contains_key("set-cookie"), "{method} {path}");
        }
    }
    assert_eq!(server.refresh(&login.cookie).await.status(), StatusCode::OK);
    server.stop().await;
}

#[tokio::test]
async fn pages_of_other_origins_can_neither_log_in_nor_read_the_answer() {
    let server = TestServer::start().await;
    let body = json!({"username": "bob", "password": PASSWORD});
    let foreign = server
        .post("/api/v1/auth/login")
        .header("origin", "https://evil.example");
    let response = foreign.json(&body).send().await.unwrap();
    assert!(!response.headers().contains_key("access-control-allow-origin"));
    refused(response, 403, "permission_denied").await;
    let neighbour = server
        .post("/api/v1/auth/login")
        .header("origin", "http://localhost:5173");
    let response = neighbour.json(&body).send().await.unwrap();
    assert_eq!(
        response.headers()["access-control-allow-origin"],
        "http://localhost:5173"
    );
    assert_eq!(response.headers()["access-control-allow-credentials"], "true");
    assert_eq!(response.status(), StatusCode::OK);
    server.stop().await;
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_name_are_refused_in_the_same_words() {
    let server = TestServer::start().await;
    let wrong = refused(server.try_login("alice", "x").await, 401, "authentication_failed").await;
    let unknown = refused(
        server.try_login("nobody", "x").await,
        401,
        "authentication_failed",
    )
    .await;
    assert_eq!(wrong, unknown);
    server.stop().await;
}

#[tokio::test]
async fn a_body_that_is_wrong_is_refused_by_the_name_of_its_field_and_never_repeated() {
    let server = TestServer::start().await;
    let send = async |body: &str| {
        let request = server
            .post("/api/v1/auth/login")
            .header("content-type", "application/json");
        request.body(body.to_owned()).send().await.unwrap()
    };
    let text = refused(send(r#"{"username":"alice"}"#).await, 400, "invalid_message").await;
    assert!(text.contains("`password`"), "{text}");
    let text = refused(
        send(r#"{"username":"alice","password":123456}"#).await,
        400,
        "invalid_message",
    )
    .await;
    assert!(text.contains("`password`") && !text.contains("123456"), "{text}");
    for broken in [
        "",
        "{",
        "[]",
        "null",
        "\u{feff}{}",
        r#"{"username":"a","password":"b"} {}"#,
    ] {
        refused(send(broken).await, 400, "invalid_message").await;
    }
    let long = json!({"username": "alice", "password": "x".repeat(20_000)}).to_string();
    refused(send(&long).await, 413, "message_too_large").await;
    let form = server
        .post("/api/v1/auth/login")
        .body("username=alice&password=x");
    refused(form.send().await.unwrap(), 415, "invalid_message").await;
    server.stop().await;
}

/// FAULTS 52: one address, and one account behind many addresses.
#[tokio::test]
async fn guessing_is_slowed_down_for_each_address_and_for_each_account() {
    let server = TestServer::start_with(|config| {
        config.http.trusted_proxies = vec!["127.0.0.1".to_owned()];
    })
    .await;
    let guess = async |username: String, address: String| {
        let request = server
            .post("/api/v1/auth/login")
            .header("x-forwarded-for", address);
        let body = json!({"username": username, "password": "wrong"});
        request.json(&body).send().await.unwrap()
    };
    for round in 0..5 {
        let response = guess(format!("name{round}"), "203.0.113.1".to_owned()).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    }
    let response = guess("name6".to_owned(), "203.0.113.1".to_owned()).await;
    let seconds: u64 = response.headers()["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=12).contains(&seconds), "{seconds}");
    refused(response, 429, "rate_limited").await;

    for host in 0..5 {
        let response = guess("alice".to_owned(), format!("198.51.100.{host}")).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    }
    refused(
        guess("alice".to_owned(), "198.51.100.99".to_owned()).await,
        429,
        "rate_limited",
    )
    .await;
    assert_eq!(server.try_login("bob", PASSWORD).await.status(), StatusCode::OK);
    server.stop().await;
}

#[tokio::test]
async fn logins_survive_a_restart() {
    let first = TestServer::start().await;
    let login = first.login("alice").await;
    let data_dir = first.stop().await;
    let second = TestServer::start_with(|config| config.store.data_dir = data_dir.path().join("data")).await;
    assert_eq!(second.me(&login.access_token).await.status(), StatusCode::OK);
    logged_in(second.refresh(&login.cookie).await).await;
    second.stop().await;
}

#[tokio::test]
async fn a_logout_tells_the_connections_of_its_login() {
    let server = TestServer::start().await;
    let mut revoked = server.node().accounts.revocations();
    let login = server.login("alice").await;
    let logout = server
        .post("/api/v1/auth/logout")
        .bearer_auth(&login.access_token);
    assert_eq!(logout.send().await.unwrap().status(), StatusCode::NO_CONTENT);
    assert!(revoked.try_recv().is_ok());
    refused(server.refresh(&login.cookie).await, 401, "authentication_failed").await;
    server.stop().await;
}
