//! Peers that stop amid TLS: half a greeting, a handshake and then silence, a reader that takes nothing. Each is gone in
//! bounded time, and everybody else is served meanwhile (SPEC §5.4, §10).

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::tungstenite::Message;

use crate::server::TestServer;
use crate::tls::{Files, login, secure, upgrade};

/// What handshakes and headers may take, and a reader that takes nothing.
const HEADER_LIMIT: Duration = Duration::from_millis(1_000);
const HEARTBEAT: Duration = Duration::from_millis(1_000);
/// What a busy machine adds to a limit.
const LATE: Duration = Duration::from_secs(4);
/// Before a test fails that waits for something which has no limit of its own.
const PATIENCE: Duration = Duration::from_secs(20);

async fn start(files: &Files) -> (TestServer, CertificateDer<'static>) {
    let trusted = files.write();
    let server = TestServer::start_with(|config| {
        files.set(config);
        let ms = |limit: Duration| u64::try_from(limit.as_millis()).unwrap();
        config.http.header_timeout_ms = ms(HEADER_LIMIT);
        config.heartbeat.interval_ms = ms(HEARTBEAT) / 2;
        config.heartbeat.timeout_ms = ms(HEARTBEAT) / 2;
        // Who is given up is given up as stalled, and not as merely slow.
        config.limits.outbox_bytes = 0;
        config.limits.outbox_messages = 0;
        config.limits.publish_per_second = 0;
    })
    .await;
    (server, trusted)
}

/// What a client says first.
fn client_hello() -> Vec<u8> {
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let mut connection =
        rustls::ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
    let mut hello = Vec::new();
    connection.write_tls(&mut hello).unwrap();
    hello
}

/// Whether a request of somebody else is answered.
async fn is_served(server: &TestServer, trusted: &CertificateDer<'static>) -> bool {
    let ask = async {
        let stream = TcpStream::connect(server.address()).await?;
        let mut stream = secure(stream, trusted).await?;
        stream
            .write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .await?;
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await?;
        Ok::<bool, std::io::Error>(answer == *b"HTTP/1.1 200")
    };
    matches!(timeout(Duration::from_secs(1) + LATE, ask).await, Ok(Ok(true)))
}

/// A connection whose kernel keeps little of what is not read.
async fn narrow(server: &TestServer) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    socket.connect(server.address()).await.unwrap()
}

#[tokio::test]
async fn half_a_greeting_and_silence_after_a_handshake_are_given_up_in_time() {
    let files = Files::new();
    let (server, trusted) = start(&files).await;
    let began = Instant::now();
    let hello = client_hello();
    let mut halves = Vec::new();
    for _ in 0..50 {
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        stream.write_all(&hello[..hello.len() / 2]).await.unwrap();
        halves.push(stream);
    }
    let silent = TcpStream::connect(server.address()).await.unwrap();
    let mut silent = secure(silent, &trusted).await.unwrap();
    assert!(
        is_served(&server, &trusted).await,
        "beside fifty halves of a greeting"
    );
    let mut rest = Vec::new();
    for half in &mut halves {
        let ended = timeout(HEADER_LIMIT + LATE, half.read_to_end(&mut rest)).await;
        ended.expect("a half greeting is given up").ok();
    }
    let ended = timeout(HEADER_LIMIT + LATE, silent.read_to_end(&mut rest)).await;
    ended.expect("silence is given up").ok();
    let took = began.elapsed();
    assert!(HEADER_LIMIT <= took && took < HEADER_LIMIT + LATE, "{took:?}");
    server.stop().await;
}

#[tokio::test]
async fn a_peer_that_never_reads_its_tls_is_given_up_and_the_others_go_on() {
    let files = Files::new();
    let (server, trusted) = start(&files).await;
    let token = login(&server, &trusted).await;
    let deaf = secure(narrow(&server).await, &trusted).await.unwrap();
    let deaf = upgrade(&server, deaf, "/api/v1/ws").await;
    let (mut says, _hears_nothing) = deaf.split();
    let subscribe = json!({"type": "subscribe", "messageId": "s", "data": {"topic": "public:a"}});
    says.send(Message::text(subscribe.to_string())).await.unwrap();
    let talks = tokio::spawn(async move {
        // It goes on talking, so that no heartbeat gives it away.
        let ping = json!({"type": "ping", "data": {}}).to_string();
        while says.send(Message::text(ping.clone())).await.is_ok() {
            sleep(Duration::from_millis(50)).await;
        }
        Instant::now()
    });

    let other = secure(TcpStream::connect(server.address()).await.unwrap(), &trusted).await;
    let mut other = upgrade(&server, other.unwrap(), &format!("/api/v1/ws?token={token}")).await;
    let content = "x".repeat(60_000);
    let mut slowest = Duration::ZERO;
    let (mut number, began) = (0, Instant::now());
    while !talks.is_finished() {
        assert!(
            began.elapsed() < PATIENCE,
            "it is still there, {number} messages later"
        );
        number += 1;
        let id = format!("p{number}");
        let data = json!({"topic": "public:a", "payload": content});
        let publish = json!({"type": "publish", "messageId": id, "data": data});
        let sent = Instant::now();
        other.send(Message::text(publish.to_string())).await.unwrap();
        loop {
            let answer = timeout(PATIENCE, other.next()).await.unwrap().unwrap().unwrap();
            let Message::Text(answer) = answer else { continue };
            if answer.contains(&format!("\"{id}\"")) {
                assert!(answer.contains("\"ack\""), "{answer}");
                break;
            }
        }
        slowest = slowest.max(sent.elapsed());
    }
    assert!(slowest < LATE, "another one waited {slowest:?}");
    assert!(is_served(&server, &trusted).await);
    server.stop().await;
}
