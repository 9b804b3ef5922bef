//! Connections that misbehave before they say anything, and the end of all of them.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::server::TestServer;

const HEADER_LIMIT: Duration = Duration::from_millis(300);

async fn impatient() -> TestServer {
    TestServer::start_with(|config| config.http.header_timeout_ms = 300).await
}

/// FAULTS 15.
#[tokio::test]
async fn headers_that_trickle_in_do_not_hold_a_connection() {
    let server = impatient().await;
    let mut slow = TcpStream::connect(server.address()).await.unwrap();
    slow.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nX: ").await.unwrap();
    let began = Instant::now();
    let (mut reader, mut writer) = slow.into_split();
    tokio::spawn(async move {
        while writer.write_all(b"x").await.is_ok() {
            sleep(Duration::from_millis(50)).await;
        }
    });
    let mut rest = Vec::new();
    let closed = timeout(10 * HEADER_LIMIT, reader.read_to_end(&mut rest)).await;
    assert!(closed.is_ok(), "still open after {:?}", began.elapsed());
    assert_eq!(server.get("/healthz").send().await.unwrap().status(), 200);
    server.stop().await;
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed() {
    let server = impatient().await;
    let mut silent = TcpStream::connect(server.address()).await.unwrap();
    let mut rest = Vec::new();
    let closed = timeout(10 * HEADER_LIMIT, silent.read_to_end(&mut rest)).await;
    assert!(closed.is_ok());
    server.stop().await;
}

/// FAULTS 14.
#[tokio::test]
async fn too_many_and_too_large_headers_are_refused() {
    let server = TestServer::start().await;
    let many = "X: y\r\n".repeat(2_000);
    let large = format!("X: {}\r\n", "y".repeat(1 << 20));
    for headers in [many, large] {
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        let request = format!("GET /healthz HTTP/1.1\r\nHost: x\r\n{headers}\r\n");
        // The server may have hung up before all was sent.
        let _ = stream.write_all(request.as_bytes()).await;
        let mut answer = Vec::new();
        let _ = timeout(Duration::from_secs(5), stream.read_to_end(&mut answer))
            .await
            .unwrap();
        let answer = String::from_utf8_lossy(&answer);
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 431 "),
            "{answer}"
        );
    }
    server.stop().await;
}

#[tokio::test]
async fn an_idle_connection_does_not_hold_up_the_end() {
    let server = TestServer::start().await;
    let mut idle = TcpStream::connect(server.address()).await.unwrap();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    let mut answer = [0; 12];
    idle.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    let began = Instant::now();
    let address = server.address();
    server.stop().await;
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    assert!(TcpStream::connect(address).await.is_err());
}

/// `limits.connections` and 1,000 places beside them for pages and logins.
#[tokio::test]
async fn beyond_its_places_a_server_says_that_it_is_full_and_recovers() {
    let server = TestServer::start_with(|config| config.limits.connections = 1).await;
    let mut held = Vec::new();
    for _ in 0..1_001 {
        held.push(TcpStream::connect(server.address()).await.unwrap());
    }
    let mut answer = String::new();
    let mut late = TcpStream::connect(server.address()).await.unwrap();
    timeout(Duration::from_secs(5), late.read_to_string(&mut answer))
        .await
        .unwrap()
        .unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 503 ") && answer.contains("connect_error"),
        "{answer}"
    );
    drop(held);
    let mut alive = server.get("/healthz").send().await;
    while alive.is_err() || alive.as_ref().is_ok_and(|response| response.status() == 503) {
        sleep(Duration::from_millis(10)).await;
        alive = server.get("/healthz").send().await;
    }
    assert_eq!(alive.unwrap().status(), 200);
    server.stop().await;
}

/// `limits.accepts_per_second`, and twice as many at once: a crowd comes in over time, nobody is lost, and those who are
/// in already are served.
#[tokio::test]
async fn a_crowd_is_taken_in_at_its_pace_and_nobody_is_lost() {
    const PACE: u32 = 20;
    const AT_ONCE: u32 = 2 * PACE;
    const CROWD: u32 = 120;
    let server = TestServer::start_with(|config| config.limits.accepts_per_second = u64::from(PACE)).await;
    let mut inside = TcpStream::connect(server.address()).await.unwrap();
    ask_health(&mut inside).await;

    // The bucket is full again at most.
    let began = Instant::now();
    let mut crowd = JoinSet::new();
    for _ in 0..CROWD {
        let address = server.address();
        crowd.spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            ask_health(&mut stream).await;
            began.elapsed()
        });
    }
    let mut slowest_inside = Duration::ZERO;
    let mut taken_in = Vec::new();
    while let Some(one) = crowd.join_next().await {
        taken_in.push(one.unwrap());
        let asked = Instant::now();
        ask_health(&mut inside).await;
        slowest_inside = slowest_inside.max(asked.elapsed());
    }
    assert_eq!(taken_in.len(), CROWD as usize);
    taken_in.sort_unstable();
    for (before, &at) in (0..).zip(&taken_in) {
        // The clock of the pace counts whole milliseconds.
        let due = Duration::from_secs(1) * u32::saturating_sub(before + 1, AT_ONCE) / PACE;
        assert!(
            at + Duration::from_millis(10) >= due,
            "number {before} came in after {at:?}"
        );
    }
    let last = Duration::from_secs(1) * (CROWD - AT_ONCE) / PACE;
    let took = taken_in[taken_in.len() - 1];
    assert!(took < last + Duration::from_secs(5), "{took:?}");
    assert!(slowest_inside < Duration::from_secs(1), "{slowest_inside:?}");
    server.stop().await;
}

async fn ask_health(stream: &mut TcpStream) {
    stream
        .write_all(b"HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    while !answer.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
        let read = timeout(Duration::from_secs(30), stream.read_buf(&mut answer)).await;
        assert!(read.expect("an answer comes").unwrap() > 0);
    }
    assert!(answer.starts_with(b"HTTP/1.1 200"));
}
