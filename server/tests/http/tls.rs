//! TLS that the server ends itself: https, wss, Socket.IO, and those who do it badly (SPEC §10).

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bmt_server::config::Config;
use bmt_server::serve::{self, StartError};
use futures_util::{SinkExt, StreamExt};
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::server::{PASSWORD, TestServer};

const PATIENCE: Duration = Duration::from_secs(20);
/// As many as may be published at once, nearly.
const MESSAGES: usize = 90;

/// Two files in a folder, and what a client must trust.
pub(crate) struct Files {
    dir: TempDir,
}

impl Files {
    pub(crate) fn new() -> Self {
        let files = Self {
            dir: TempDir::new().unwrap(),
        };
        files.write();
        files
    }

    /// Makes another certificate with another key; answers with the certificate.
    pub(crate) fn write(&self) -> CertificateDer<'static> {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        std::fs::write(self.path("cert.pem"), made.cert.pem()).unwrap();
        std::fs::write(self.path("key.pem"), made.signing_key.serialize_pem()).unwrap();
        made.cert.der().clone()
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn set(&self, config: &mut Config) {
        config.http.tls_cert = self.path("cert.pem");
        config.http.tls_key = self.path("key.pem");
    }
}

async fn start(files: &Files) -> (TestServer, CertificateDer<'static>) {
    let trusted = files.write();
    let server = TestServer::start_with(|config| {
        files.set(config);
        config.http.header_timeout_ms = 1_000;
        // What a test sends at once may all wait, to be handled and then in the outbox of who does not read.
        config.limits.inbound_bytes = 64 * 1_024 * 1_024;
        config.limits.outbox_bytes = 64 * 1_024 * 1_024;
    })
    .await;
    (server, trusted)
}

async fn connect(
    server: &TestServer,
    trusted: &CertificateDer<'static>,
) -> std::io::Result<TlsStream<TcpStream>> {
    secure(TcpStream::connect(server.address()).await?, trusted).await
}

/// Speaks TLS on a connection from now on.
pub(crate) async fn secure(
    stream: TcpStream,
    trusted: &CertificateDer<'static>,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let mut config = rustls::ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let name = "localhost".try_into().unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

async fn ask(stream: &mut TlsStream<TcpStream>, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
    let mut answer = Vec::new();
    let mut buffer = [0; 4_096];
    loop {
        let bytes = timeout(PATIENCE, stream.read(&mut buffer))
            .await
            .unwrap()
            .unwrap();
        answer.extend_from_slice(&buffer[..bytes]);
        let text = String::from_utf8_lossy(&answer);
        let (Some(end), Some(length)) = (text.find("\r\n\r\n"), text.find("content-length: ")) else {
            assert!(bytes > 0, "{text}");
            continue;
        };
        let length: String = text[length + 16..]
            .chars()
            .take_while(char::is_ascii_digit)
            .collect();
        if answer.len() >= end + 4 + length.parse::<usize>().unwrap() {
            return text.into_owned();
        }
        assert!(bytes > 0, "{text}");
    }
}

async fn websocket(
    server: &TestServer,
    trusted: &CertificateDer<'static>,
    path: &str,
) -> WebSocketStream<TlsStream<TcpStream>> {
    upgrade(server, connect(server, trusted).await.unwrap(), path).await
}

/// Makes a WebSocket of a connection.
pub(crate) async fn upgrade(
    server: &TestServer,
    stream: TlsStream<TcpStream>,
    path: &str,
) -> WebSocketStream<TlsStream<TcpStream>> {
    let port = server.address().port();
    let mut request = format!("wss://localhost:{port}{path}")
        .into_client_request()
        .unwrap();
    // The page of the server's own address, as a browser names it.
    let origin = format!("https://localhost:{port}");
    request.headers_mut().insert("origin", origin.parse().unwrap());
    tokio_tungstenite::client_async(request, stream).await.unwrap().0
}

async fn text(socket: &mut WebSocketStream<TlsStream<TcpStream>>) -> String {
    loop {
        let message = timeout(PATIENCE, socket.next()).await.expect("something comes");
        match message.expect("it is open").unwrap() {
            // A ping of Engine.IO: who does not answer is taken for gone.
            Message::Text(ping) if ping == "2" => socket.send(Message::text("3")).await.unwrap(),
            Message::Text(text) => return text.to_string(),
            Message::Close(close) => panic!("{close:?}"),
            _ => {}
        }
    }
}

/// A login over https; the token, after a look at the cookie.
pub(crate) async fn login(server: &TestServer, trusted: &CertificateDer<'static>) -> String {
    let mut stream = connect(server, trusted).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    let body = json!({"username": "alice", "password": PASSWORD}).to_string();
    let answer = ask(
        &mut stream,
        &format!(
            "POST /api/v1/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        ),
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(
        answer.contains("; Secure"),
        "a cookie of https stays on https: {answer}"
    );
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let body: Value = serde_json::from_str(body).unwrap();
    body["accessToken"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn https_wss_and_socketio_work_over_it_large_messages_included() {
    let files = Files::new();
    let (server, trusted) = start(&files).await;
    let token = login(&server, &trusted).await;

    let mut raw = websocket(&server, &trusted, &format!("/api/v1/ws?token={token}")).await;
    assert!(text(&mut raw).await.contains("\"connect\""));

    let mut socketio = websocket(&server, &trusted, "/socket.io/?EIO=4&transport=websocket").await;
    assert!(text(&mut socketio).await.starts_with("0{"));
    let auth = json!({"token": token});
    socketio.send(Message::text(format!("40{auth}"))).await.unwrap();
    assert!(text(&mut socketio).await.starts_with("40{"));
    let connected = text(&mut socketio).await;
    assert!(connected.contains("connected"), "{connected}");
    let subscribe = json!(["subscribe", {"topic": "public:a"}]);
    socketio
        .send(Message::text(format!("421{subscribe}")))
        .await
        .unwrap();
    while !text(&mut socketio).await.starts_with("431") {}

    // More than sockets and TLS keep, while nobody reads: all of it arrives without a further write.
    let large = "x".repeat(60_000);
    for n in 0..MESSAGES {
        let publish = json!({
            "type": "publish", "messageId": format!("p{n}"),
            "data": {"topic": "public:a", "payload": {"n": n, "text": large}},
        });
        raw.send(Message::text(publish.to_string())).await.unwrap();
    }
    for _ in 0..MESSAGES {
        let answer = text(&mut raw).await;
        assert!(answer.contains("\"ack\""), "{answer}");
    }
    for n in 0..MESSAGES {
        let message = text(&mut socketio).await;
        assert!(
            message.contains(&format!("{{\"n\":{n},")),
            "message {n}: {message:.200}"
        );
    }
    server.stop().await;
}

#[tokio::test]
async fn who_speaks_plain_http_is_told_and_who_does_not_finish_is_dropped() {
    let files = Files::new();
    let (server, trusted) = start(&files).await;
    let refused = server.get("/healthz").send().await.unwrap();
    assert_eq!(refused.status(), 400);
    assert!(refused.text().await.unwrap().contains("https://"));

    for beginning in [
        &b""[..],
        &b"\x16\x03\x01\x02\x00\x01"[..],
        &b"\x16garbage that is no handshake"[..],
    ] {
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        stream.write_all(beginning).await.unwrap();
        let mut rest = Vec::new();
        let ended = timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
        ended.expect("it is dropped").ok();
        assert!(rest.len() < 100, "{rest:?}");
    }
    assert!(connect(&server, &trusted).await.is_ok());
    server.stop().await;
}

#[tokio::test]
async fn another_certificate_is_shown_after_a_reload_and_connections_go_on() {
    let files = Files::new();
    let (server, first) = start(&files).await;
    let health = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut before = connect(&server, &first).await.unwrap();
    assert!(ask(&mut before, health).await.starts_with("HTTP/1.1 200"));

    std::fs::write(files.path("key.pem"), "no key").unwrap();
    let config = server.node().current().config.clone();
    let error = server
        .reloading()
        .take(config.clone())
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("http.tls_key") && error.contains("key.pem"),
        "{error}"
    );
    assert!(connect(&server, &first).await.is_ok(), "the old one is shown");

    let second = files.write();
    server.reloading().take(config.clone()).await.unwrap();
    let mut after = connect(&server, &second).await.unwrap();
    assert_eq!(after.get_ref().1.peer_certificates().unwrap()[0], second);
    assert!(ask(&mut after, health).await.starts_with("HTTP/1.1 200"));
    assert!(connect(&server, &first).await.is_err());
    assert!(
        ask(&mut before, health).await.starts_with("HTTP/1.1 200"),
        "who was there stays"
    );

    let mut without = config;
    without.http.tls_cert = Path::new("").into();
    without.http.tls_key = Path::new("").into();
    let reloaded = server.reloading().take(without).await.unwrap();
    assert_eq!(reloaded.kept, ["http.tls_cert", "http.tls_key"]);
    server.stop().await;
}

#[tokio::test]
async fn a_certificate_without_its_key_keeps_the_server_from_starting() {
    let (files, other) = (Files::new(), Files::new());
    let dir = TempDir::new().unwrap();
    let refused = async |cert: &Path, key: &Path| {
        let mut config = Config::defaults(bmt_server::config::Mode::Dev);
        config.http.port = 0;
        config.store.data_dir = dir.path().join("data");
        config.http.tls_cert = cert.to_owned();
        config.http.tls_key = key.to_owned();
        match serve::start(config, None).await {
            Err(StartError::Tls(error)) => error.to_string(),
            _ => panic!("it must not start"),
        }
    };
    let (cert, key) = (files.path("cert.pem"), files.path("key.pem"));
    let told = refused(&cert, &other.path("key.pem")).await;
    assert!(
        told.contains("http.tls_key") && told.contains("belong together"),
        "{told}"
    );
    let told = refused(&files.path("absent.pem"), &key).await;
    assert!(
        told.contains("http.tls_cert") && told.contains("absent.pem"),
        "{told}"
    );
    let told = refused(&key, &key).await;
    assert!(told.contains("http.tls_cert"), "{told}");
    assert!(!dir.path().join("data").exists(), "nothing is left behind");
}
