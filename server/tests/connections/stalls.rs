//! Peers that take nothing off their sockets: gone within seconds, whatever they speak, and their presence with
//! them (SPEC §5.4, §5.5; FAULTS 6, 91, 97). The limits are `serve`'s, for all kinds of connections alike.

use std::time::{Duration, Instant};

use bmt_server::config::Config;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::bytes::{LAST, PING, deaf_stream, frame, masked, open, read_until};
use crate::support::{Client, POLLING, Polling, TestServer, WEBSOCKET, connect_packet, hasty, token, within};

/// Short limits of time, and no bound of what waits: a connection that is given up is given up as stalled, and
/// not as one that is merely slow.
fn hasty_and_patient(config: &mut Config) {
    hasty(config);
    config.limits.outbox_bytes = 0;
    config.limits.outbox_messages = 0;
}

/// An event that is always answered, and not with a refusal: who is refused without end is read more slowly, and is
/// gone when its pongs are not read in time.
const QUESTION: &str = r#"42["unsubscribe",{"topic":"public:b"}]"#;

/// A WebSocket whose owner never reads.
async fn deaf_websocket(server: &TestServer, path: &str) -> TcpStream {
    open(deaf_stream(server).await, path).await
}

/// The same, connected over Socket.IO: it reads so far and no further.
async fn deaf_client(server: &TestServer) -> TcpStream {
    let mut stream = deaf_websocket(server, WEBSOCKET).await;
    stream.write_all(&masked(&connect_packet("deaf"))).await.unwrap();
    assert!(read_until(&mut stream, "heartbeatInterval").await);
    stream
}

/// Keeps sending what asks for answers, and never reads one, until the server has had enough.
async fn flood(stream: &mut TcpStream, questions: &[u8]) {
    let flood = async { while stream.write_all(questions).await.is_ok() {} };
    within("the server to give up", flood).await;
}

#[tokio::test]
async fn a_reader_that_takes_nothing_is_dropped_from_socket_io() {
    let server = TestServer::with(hasty_and_patient).await;
    let mut stream = deaf_client(&server).await;
    // With pongs among them: the heartbeat is content.
    let questions = [masked("3"), masked(QUESTION).repeat(100)].concat();
    flood(&mut stream, &questions).await;
    // The stream stays open on this side: it is the server that lets go.
    server.emptied().await;
    drop(stream);
}

#[tokio::test]
async fn a_reader_that_takes_nothing_is_dropped_from_raw() {
    let server = TestServer::with(hasty_and_patient).await;
    let path = format!("/api/v1/ws?token={}", token("deaf"));
    let mut stream = deaf_websocket(&server, &path).await;
    let question = masked(r#"{"type":"no_such_type","data":{}}"#);
    flood(&mut stream, &question.repeat(100)).await;
    server.emptied().await;
    drop(stream);
}

#[tokio::test]
async fn a_ping_flood_of_a_peer_that_never_reads_ends() {
    let server = TestServer::with(hasty_and_patient).await;
    let path = format!("/api/v1/ws?token={}", token("deaf"));
    let mut stream = deaf_websocket(&server, &path).await;
    flood(&mut stream, &frame(LAST | PING, &[7; 125]).repeat(100)).await;
    server.emptied().await;
}

#[tokio::test]
async fn a_reader_that_takes_nothing_is_dropped_from_polling() {
    let server = TestServer::with(hasty_and_patient).await;
    let polling = Polling::connect(&server, "deaf").await;
    let mut stream = deaf_stream(&server).await;
    // One poll behind the other on one connection; when the session is over, its refusal.
    let poll = format!("GET {POLLING}&sid={} HTTP/1.1\r\nHost: x\r\n\r\n", polling.sid);
    flood(&mut stream, poll.repeat(100).as_bytes()).await;
    server.emptied().await;
    drop(stream);
}

#[tokio::test]
async fn a_peer_that_talks_and_takes_nothing_is_dropped_when_only_the_kernel_holds_its_answers() {
    let server = TestServer::with(hasty_and_patient).await;
    let mut stream = deaf_client(&server).await;
    // More than the peer has room for, less than the kernel takes on this side: no write of the server waits.
    stream.write_all(&masked(QUESTION).repeat(2_000)).await.unwrap();
    let talk = async {
        // Pongs, whatever was asked: the heartbeat is content.
        while stream.write_all(&masked("3")).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    };
    within("the server to give up", talk).await;
    server.emptied().await;
}

#[tokio::test]
async fn the_presence_of_a_stalled_reader_leaves_with_it() {
    let server = TestServer::with(|config| {
        hasty_and_patient(config);
        // Time enough for the one who watches to answer pings.
        config.heartbeat.timeout_ms = 3_000;
    })
    .await;
    let mut stream = deaf_client(&server).await;
    let subscribe = r#"42["subscribe",{"topic":"public:a"}]"#;
    stream.write_all(&masked(subscribe)).await.unwrap();
    let mut watcher = Client::connect(&server, "watcher").await;
    let topic = json!({"topic": "public:a"});
    let count = async |watcher: &mut Client, expected: u64| {
        let counted = async {
            while watcher.request("presence", &topic).await["count"] != expected {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        within("the presence", counted).await;
    };
    count(&mut watcher, 1).await;
    let talk = tokio::spawn(async move {
        // Questions and pongs: only the answers that nobody takes give it away.
        let talk = [masked(QUESTION).repeat(100), masked("3")].concat();
        while stream.write_all(&talk).await.is_ok() {}
    });
    count(&mut watcher, 0).await;
    within("the stalled connection's end", talk).await.unwrap();
}

#[tokio::test]
async fn a_stuck_client_does_not_hold_up_the_end_of_the_server() {
    // With the usual heartbeat, whose limits would come too late, and no bound of what waits.
    let mut server = TestServer::with(|config| config.limits.outbox_bytes = 0).await;
    let mut watcher = Client::connect(&server, "watcher").await;
    let long = json!({"topic": "public:a", "payload": "x".repeat(60_000)});
    watcher.request("publish", &long).await;
    let topic = json!({"topic": "public:b"});
    watcher.request("subscribe", &topic).await;
    let mut stream = deaf_client(&server).await;
    // Answers for more than both kernels hold, and then no more questions.
    let question = masked(r#"42["history",{"topic":"public:a"}]"#);
    stream.write_all(&question.repeat(200)).await.unwrap();
    let last = masked(r#"42["publish",{"topic":"public:b","payload":1}]"#);
    stream.write_all(&last).await.unwrap();
    watcher.event("message").await;
    drop(watcher);
    let began = Instant::now();
    server.stop().await;
    // The limit of the connections' end is three seconds, of the end as a whole ten.
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    drop(stream);
}

#[tokio::test]
async fn who_asks_for_more_than_may_wait_is_closed_before_it_counts_as_stalled() {
    let server = TestServer::with(|config| {
        config.heartbeat.timeout_ms = 60_000;
        config.limits.outbox_messages = 500;
    })
    .await;
    let mut stream = deaf_client(&server).await;
    // Not refused: who is refused without end is read more slowly.
    let question = masked(r#"421["unsubscribe",{"topic":"public:a"}]"#);
    flood(&mut stream, &question.repeat(100)).await;
    let path = format!("/api/v1/ws?token={}", token("deaf"));
    let mut stream = deaf_websocket(&server, &path).await;
    let question = masked(r#"{"type":"unsubscribe","data":{"topic":"public:a"}}"#);
    flood(&mut stream, &question.repeat(100)).await;
    server.emptied().await;
}
