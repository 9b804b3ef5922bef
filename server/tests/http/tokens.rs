//! Tokens at the door. What makes a token good or bad is tested beside the authenticator; here, that every bad one
//! is refused with nothing but its reason.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::server::{SECRET, TestServer, refused};

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

pub(crate) fn token(header: &Value, claims: &Value) -> String {
    let head = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header.to_string()),
        URL_SAFE_NO_PAD.encode(claims.to_string())
    );
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(head.as_bytes());
    format!("{head}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

#[tokio::test]
async fn a_token_of_an_own_back_end_is_known() {
    let server = TestServer::start().await;
    let good = token(
        &json!({"alg": "HS256"}),
        &json!({"sub": "42", "name": "Ada", "exp": now_s() + 60}),
    );
    let me: Value = server.me(&good).await.json().await.unwrap();
    assert_eq!(
        me["user"],
        json!({"userId": "42", "name": "Ada", "role": "user", "permissions": []})
    );
    server.stop().await;
}

/// FAULTS 34, 35.
#[tokio::test]
async fn bad_tokens_are_refused_with_their_reason_and_nothing_else() {
    let server = TestServer::start().await;
    let hs256 = json!({"alg": "HS256"});
    let later = now_s() + 60;
    let none = {
        let signed = token(&json!({"alg": "none"}), &json!({"sub": "1", "exp": later}));
        format!("{}.", signed.rsplit_once('.').unwrap().0)
    };
    let rows = [
        ("garbage".to_owned(), "malformed"),
        (none, "invalid_signature"),
        (
            token(&json!({"alg": "HS512"}), &json!({"sub": "1", "exp": later})),
            "invalid_signature",
        ),
        (
            token(&json!({"alg": "RS256"}), &json!({"sub": "1", "exp": later})),
            "invalid_signature",
        ),
        (token(&hs256, &json!({"sub": "1"})), "malformed"),
        (token(&hs256, &json!({"exp": later})), "malformed"),
        (
            token(&hs256, &json!({"sub": "1", "exp": later.to_string()})),
            "malformed",
        ),
        (
            token(&hs256, &json!({"sub": "1", "exp": now_s() - 60})),
            "expired",
        ),
        (
            token(&hs256, &json!({"sub": "1", "exp": later, "nbf": later})),
            "not_yet_valid",
        ),
        (
            token(
                &json!({"alg": "HS256", "typ": "refresh"}),
                &json!({"sub": "1", "exp": later}),
            ),
            "malformed",
        ),
    ];
    for (token, reason) in rows {
        let response = server.me(&token).await;
        assert_eq!(response.headers()["www-authenticate"], "Bearer");
        let text = refused(response, 401, "authentication_failed").await;
        assert_eq!(text, format!("Authentication failed: {reason}"));
    }
    let without = server.get("/api/v1/auth/me").send().await.unwrap();
    let text = refused(without, 401, "authentication_failed").await;
    assert_eq!(text, "Authentication failed: missing");
    server.stop().await;
}

#[tokio::test]
async fn access_and_refresh_tokens_never_pass_for_each_other() {
    let server = TestServer::start().await;
    let login = server.login("bob").await;
    let refresh_token = login.cookie.split_once('=').unwrap().1;
    refused(server.me(refresh_token).await, 401, "authentication_failed").await;
    let swapped = format!("bmt_refresh={}", login.access_token);
    refused(server.refresh(&swapped).await, 401, "authentication_failed").await;
    assert!(server.me(&login.access_token).await.status().is_success());
    server.stop().await;
}

/// FAULTS 37: what a token's header says about where its key is, is not even looked at.
#[tokio::test]
async fn a_header_that_points_elsewhere_leads_nowhere() {
    let elsewhere = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let url = format!("http://{}/keys.json", elsewhere.local_addr().unwrap());
    let server = TestServer::start().await;
    let claims = json!({"sub": "1", "exp": now_s() + 60});
    let own_key = json!({"kty": "oct", "k": "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE"});
    for algorithm in ["HS256", "RS256", "ES256", "EdDSA"] {
        for (name, value) in [
            ("kid", json!("../../etc/passwd")),
            ("kid", json!("' OR 1=1--")),
            ("kid", json!(url)),
            ("jku", json!(url)),
            ("x5u", json!(url)),
            ("jwk", own_key.clone()),
        ] {
            let signed = token(&json!({"alg": algorithm, name: value}), &claims);
            // By a key of the attacker's, for which the header stands.
            let forged = format!("{}.{}", signed.rsplit_once('.').unwrap().0, "QUFB".repeat(11));
            refused(server.me(&forged).await, 401, "authentication_failed").await;
        }
    }
    let asked = elsewhere.accept().map(drop).map_err(|error| error.kind());
    assert_eq!(
        asked,
        Err(std::io::ErrorKind::WouldBlock),
        "nobody was asked for a key"
    );
    server.stop().await;
}

/// FAULTS 38.
#[tokio::test]
async fn a_token_of_a_megabyte_is_refused_at_the_door() {
    let server = TestServer::start().await;
    let response = server.me(&"x".repeat(1 << 20)).await;
    assert_eq!(response.status().as_u16(), 431);
    let response = server.me(&"x".repeat(16 * 1_024)).await;
    refused(response, 401, "authentication_failed").await;
    server.stop().await;
}

#[tokio::test]
async fn no_token_speaks_as_the_server() {
    let server = TestServer::start().await;
    let claims = json!({"sub": "server", "role": "admin", "exp": now_s() + 60});
    let forged = token(&json!({"alg": "HS256"}), &claims);
    refused(server.me(&forged).await, 401, "authentication_failed").await;
    server.stop().await;
}
