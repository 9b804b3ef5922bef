//! Tokens that others sign: keys from a file or an address, which change, fail and are attacked (SPEC §2).
//!
//! The keys in `keys.json` were made for these tests and open nothing else.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use bmt_server::config::Config;
use bmt_server::serve;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::server::{SECRET, TestServer, refused};

fn keys() -> Value {
    serde_json::from_str(include_str!("keys.json")).unwrap()
}

/// The public set of the named keys.
pub(crate) fn set(names: &[&str]) -> String {
    let keys = keys();
    let set: Vec<_> = names.iter().map(|name| keys[name]["jwk"].clone()).collect();
    json!({"keys": set}).to_string()
}

fn claims() -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    json!({"sub": "42", "iss": "https://id.example", "iat": now, "exp": now + 600})
}

/// A token signed by the named key, its header changed.
fn token_with(name: &str, claims: &Value, change: impl FnOnce(&mut Header)) -> String {
    let keys = keys();
    let pem = keys[name]["private"].as_str().unwrap().as_bytes();
    let (algorithm, key) = match name {
        "RS256" => (Algorithm::RS256, EncodingKey::from_rsa_pem(pem)),
        "ES256" => (Algorithm::ES256, EncodingKey::from_ec_pem(pem)),
        _ => (Algorithm::EdDSA, EncodingKey::from_ed_pem(pem)),
    };
    let mut header = Header::new(algorithm);
    header.kid = keys[name]["kid"].as_str().map(str::to_owned);
    change(&mut header);
    jsonwebtoken::encode(&header, claims, &key.unwrap()).unwrap()
}

pub(crate) fn token(name: &str) -> String {
    token_with(name, &claims(), |_| ())
}

/// An address that answers with what it is told to and counts who asks.
struct Provider {
    url: String,
    asked: Arc<AtomicUsize>,
    answer: Arc<Mutex<(StatusCode, String)>>,
}

impl Provider {
    async fn start(answer: String) -> Self {
        let asked = Arc::new(AtomicUsize::new(0));
        let answer = Arc::new(Mutex::new((StatusCode::OK, answer)));
        let (counted, told) = (asked.clone(), answer.clone());
        let respond = move || {
            counted.fetch_add(1, Ordering::SeqCst);
            let (status, body) = told.lock().unwrap().clone();
            let location = [("location", body.clone())];
            async move {
                if status.is_redirection() {
                    (status, location).into_response()
                } else {
                    (status, body).into_response()
                }
            }
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/jwks", listener.local_addr().unwrap());
        let router = Router::new().route("/jwks", get(respond));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, asked, answer }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn say(&self, status: u16, body: impl Into<String>) {
        *self.answer.lock().unwrap() = (StatusCode::from_u16(status).unwrap(), body.into());
    }

    async fn server(&self) -> TestServer {
        let url = self.url.clone();
        TestServer::start_with(|config| config.auth.jwks_url = url).await
    }
}

async fn server_with_file(text: &str) -> (TestServer, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("jwks.json");
    std::fs::write(&path, text).unwrap();
    let server = TestServer::start_with(|config| config.auth.jwks_file = path).await;
    (server, dir)
}

async fn is_known(server: &TestServer, token: &str) -> bool {
    server.me(token).await.status().is_success()
}

async fn reason(server: &TestServer, token: &str) -> String {
    refused(server.me(token).await, 401, "authentication_failed").await
}

#[tokio::test]
async fn tokens_of_every_kind_of_key_in_a_file_are_known() {
    let (server, _dir) = server_with_file(&set(&["RS256", "ES256", "EdDSA"])).await;
    for name in ["RS256", "ES256", "EdDSA"] {
        let me: Value = server.me(&token(name)).await.json().await.unwrap();
        assert_eq!(me["user"]["userId"], "42", "{name}: {me}");
        let nameless = token_with(name, &claims(), |header| header.kid = None);
        assert!(is_known(&server, &nameless).await, "{name} without a key's name");
    }
    let mut late = claims();
    late["exp"] = json!(1_000_000_000);
    let late = token_with("EdDSA", &late, |_| ());
    assert!(reason(&server, &late).await.ends_with("expired"));
    // The server's own accounts go on, whatever others sign with.
    let login = server.login("alice").await;
    assert!(is_known(&server, &login.access_token).await);
    server.stop().await;
}

/// FAULTS 34: the public half is no secret, and the secret is no public key.
#[tokio::test]
async fn no_token_chooses_how_it_is_checked() {
    let (server, _dir) = server_with_file(&set(&["RS256", "ES256", "EdDSA"])).await;
    let keys = keys();
    let shared = |secret: &str, kid: &str| {
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some(kid.to_owned());
        let key = EncodingKey::from_secret(secret.as_bytes());
        jsonwebtoken::encode(&header, &claims(), &key).unwrap()
    };
    let public = keys["RS256"]["public"].as_str().unwrap();
    let good = token("EdDSA");
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let other_signature = token("rotated").rsplit_once('.').unwrap().1.to_owned();
    let forged = [
        shared(public, "rsa-1"),
        shared(public.trim(), "rsa-1"),
        // The server's own secret signs for its own accounts alone where there is a set.
        shared(SECRET, "rsa-1"),
        token_with("EdDSA", &claims(), |header| header.kid = Some("ec-1".to_owned())),
        token_with("EdDSA", &claims(), |header| header.kid = Some("rsa-1".to_owned())),
        format!("{signed}."),
        format!("{signed}.{other_signature}"),
        format!("{signed}.{}", &signature[..signature.len() - 2]),
    ];
    for forged in forged {
        let text = reason(&server, &forged).await;
        assert_eq!(text, "Authentication failed: invalid_signature", "{forged}");
    }
    server.stop().await;
}

#[tokio::test]
async fn nobodys_keys_speak_for_the_accounts_of_this_server_or_for_its_guests() {
    let (server, _dir) = server_with_file(&set(&["EdDSA"])).await;
    let alice = server.login("alice").await;
    let id = alice.user["userId"].as_str().unwrap();
    let claim = |change: Value| {
        let mut claims = claims();
        for (name, value) in change.as_object().unwrap() {
            claims[name] = value.clone();
        }
        token_with("EdDSA", &claims, |_| ())
    };
    for change in [
        json!({"iss": "bmt-realtime", "sub": id, "sid": "x", "role": "admin"}),
        json!({"iss": "bmt-realtime", "sub": "guest_1", "role": "guest"}),
        json!({"sub": id}),
        json!({"sub": "guest_1"}),
        json!({"sub": "server"}),
    ] {
        assert!(!is_known(&server, &claim(change.clone())).await, "{change}");
    }
    server.stop().await;
}

/// FAULTS 37.
#[tokio::test]
async fn no_name_and_no_address_in_a_token_makes_the_server_open_anything() {
    let trap = Provider::start(set(&["rotated"])).await;
    let (server, _dir) = server_with_file(&set(&["EdDSA"])).await;
    let jwk: jsonwebtoken::jwk::Jwk = serde_json::from_value(keys()["rotated"]["jwk"].clone()).unwrap();
    for kid in [
        "../../etc/passwd",
        "' OR 1=1--",
        "/dev/stdin",
        trap.url.as_str(),
        "",
    ] {
        let named = token_with("rotated", &claims(), |header| header.kid = Some(kid.to_owned()));
        assert!(
            reason(&server, &named).await.ends_with("invalid_signature"),
            "{kid}"
        );
    }
    let tempted = token_with("rotated", &claims(), |header| {
        header.jku = Some(trap.url.clone());
        header.x5u = Some(trap.url.clone());
        header.jwk = Some(jwk);
    });
    assert!(reason(&server, &tempted).await.ends_with("invalid_signature"));
    let long = token_with("rotated", &claims(), |header| {
        header.kid = Some("k".repeat(1_000));
    });
    assert!(reason(&server, &long).await.ends_with("malformed"));
    assert_eq!(trap.asked(), 0);
    server.stop().await;
}

/// FAULTS 38.
#[tokio::test]
async fn huge_and_odd_tokens_are_refused_without_work() {
    let provider = Provider::start(set(&["EdDSA"])).await;
    let server = provider.server().await;
    let authenticator = &server.node().authenticator;
    let good = token("EdDSA");
    let rows = [
        "a".repeat(1 << 20),
        format!("{good}.{good}"),
        ".....".to_owned(),
        good.replacen('.', "==.", 1),
        good.replacen('.', "\n.", 1),
    ];
    let began = Instant::now();
    for text in rows {
        assert!(authenticator.admit(Some(&text), 0).await.is_err(), "{text}");
    }
    assert!(
        began.elapsed() < Duration::from_millis(100),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(provider.asked(), 1, "the keys were read once, at the start");
    server.stop().await;
}

#[tokio::test]
async fn the_first_token_after_a_rotation_is_known_and_strangers_cannot_make_the_server_ask_on_and_on() {
    let provider = Provider::start(set(&["EdDSA"])).await;
    let server = provider.server().await;
    assert!(is_known(&server, &token("EdDSA")).await);
    assert_eq!(provider.asked(), 1);
    provider.say(200, set(&["rotated"]));
    // Many at once: one of them asks, the others wait for it.
    let token_of_new = token("rotated");
    let asked = (0..10).map(|_| server.me(&token_of_new));
    for response in futures_util::future::join_all(asked).await {
        assert_eq!(response.status().as_u16(), 200);
    }
    assert_eq!(provider.asked(), 2);
    assert!(
        !is_known(&server, &token("EdDSA")).await,
        "the old key was withdrawn"
    );
    for n in 0..20 {
        let stranger = token_with("EdDSA", &claims(), |header| header.kid = Some(format!("k{n}")));
        assert!(!is_known(&server, &stranger).await);
    }
    assert_eq!(provider.asked(), 2);
    server.stop().await;
}

#[tokio::test]
async fn keys_stay_where_their_address_fails_in_any_way() {
    let provider = Provider::start(set(&["EdDSA"])).await;
    let server = provider.server().await;
    let elsewhere = Provider::start(set(&["rotated"])).await;
    let authenticator = &server.node().authenticator;
    let failures = [
        (500, String::new(), "500"),
        (302, elsewhere.url.clone(), "302"),
        (200, "<html>".to_owned(), "JSON Web Key Set"),
        (200, r#"{"keys":[]}"#.to_owned(), "none of its keys"),
        (
            200,
            format!("{}{}", set(&["rotated"]), " ".repeat(300 * 1_024)),
            "bytes",
        ),
    ];
    for (status, body, why) in failures {
        provider.say(status, body);
        let told = authenticator.reload_keys().await.unwrap_err();
        assert!(told.contains(why) && told.contains(&provider.url), "{told}");
        assert!(is_known(&server, &token("EdDSA")).await, "{told}");
    }
    assert_eq!(elsewhere.asked(), 0, "redirects are not followed");
    provider.say(200, set(&["rotated"]));
    authenticator.reload_keys().await.unwrap();
    assert!(is_known(&server, &token("rotated")).await);
    server.stop().await;
}

#[tokio::test]
async fn an_address_that_cannot_be_reached_does_not_keep_the_server_from_starting_and_a_bad_file_does() {
    let closed = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let url = format!("http://{closed}/jwks");
    let server = TestServer::start_with(|config| config.auth.jwks_url = url).await;
    let login = server.login("alice").await;
    assert!(is_known(&server, &login.access_token).await);
    let unjudged = server.me(&token("EdDSA")).await;
    let text = refused(unjudged, 503, "server_error").await;
    assert!(text.contains("auth.jwks_url"), "{text}");
    let dir = server.stop().await;

    let mut config = Config::defaults(bmt_server::config::Mode::Dev);
    config.auth.jwt_secret = bmt_server::config::Secret::new(SECRET);
    config.http.port = 0;
    config.store.data_dir = dir.path().join("data");
    config.auth.jwks_file = dir.path().join("nowhere.json");
    let told = match serve::start(config, None).await {
        Ok(_) => panic!("started"),
        Err(error) => error.to_string(),
    };
    assert!(
        told.contains("nowhere.json") && told.contains("auth.jwks_file"),
        "{told}"
    );
}

#[tokio::test]
async fn an_address_that_answers_nothing_or_drips_is_given_up_after_five_seconds() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let held = tokio::spawn(async move {
        let mut streams = Vec::new();
        while let Ok((mut stream, _)) = silent.accept().await {
            // One gets nothing at all, the next a beginning without an end.
            let mut request = [0; 1_024];
            let asked = tokio::io::AsyncReadExt::read(&mut stream, &mut request).await;
            if asked.is_ok() && streams.len() % 2 == 1 {
                let head = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{";
                tokio::io::AsyncWriteExt::write_all(&mut stream, head)
                    .await
                    .unwrap();
            }
            streams.push(stream);
        }
    });
    // A server that is to start waits for it as long, and starts.
    let began = Instant::now();
    let url = format!("http://{address}/jwks");
    let waiting = TestServer::start_with(|config| config.auth.jwks_url = url).await;
    let told = waiting.node().authenticator.reload_keys().await.unwrap_err();
    assert!(told.contains("no whole answer within 5 seconds"), "{told}");
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    let unjudged = waiting.me(&token("EdDSA")).await;
    assert_eq!(unjudged.status().as_u16(), 503);
    held.abort();
    waiting.stop().await;
}

#[tokio::test]
async fn an_https_address_that_speaks_no_tls_is_not_believed() {
    let provider = Provider::start(set(&["EdDSA"])).await;
    let url = provider.url.replacen("http://", "https://", 1);
    let server = TestServer::start_with(|config| config.auth.jwks_url = url).await;
    let told = server.node().authenticator.reload_keys().await.unwrap_err();
    assert!(told.contains("https://"), "{told}");
    assert_eq!(provider.asked(), 0, "nothing is asked in the clear");
    server.stop().await;
}
