//! Requests that cost more than they bring: rows 14, 21 and 28.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

use crate::bystanders::Bystanders;
use crate::outcome::{Stop, failed, hold};
use crate::run::Run;
use crate::server::Server;
use crate::session::within;

/// Header lines of row 14, the bytes of its long header, how many of them are sent at a time.
const HEADERS: usize = 2_000;
const HEADER_BYTES: usize = 1 << 20;
const PIECE_BYTES: usize = 16;
/// Most of a processor's time that each may take.
const CPU: Duration = Duration::from_millis(200);

/// Row 14.
pub(crate) async fn headers(mut run: Run) -> Result<String, Stop> {
    let (mut server, _) = run.server(&[])?;
    // Alone first: nobody else's requests are in the figures.
    let many = many_headers(&server).await?;
    let long = long_header(&server).await?;
    for (what, took) in [("many headers", many), ("a long header", long)] {
        hold(took < CPU, || format!("{what} took {took:?} of a processor"))?;
    }
    let bystanders = Bystanders::begin(&server).await?;
    many_headers(&server).await?;
    long_header(&server).await?;
    let held = bystanders.end(&mut server).await?;
    Ok(format!(
        "{HEADERS} headers took {:.1} ms of a processor, a header of 1 MiB {:.1} ms; {held}",
        milliseconds(many),
        milliseconds(long)
    ))
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

async fn many_headers(server: &Server) -> Result<Duration, Stop> {
    let lines: String = (0..HEADERS).map(|n| format!("X-{n}: v\r\n")).collect();
    let request = format!("GET / HTTP/1.1\r\nHost: x\r\n{lines}\r\n");
    refused(server, &request, request.len()).await
}

async fn long_header(server: &Server) -> Result<Duration, Stop> {
    let request = format!("GET / HTTP/1.1\r\nHost: x\r\nX: {}", "v".repeat(HEADER_BYTES));
    refused(server, &request, PIECE_BYTES).await
}

/// Sends a request in pieces until it is refused; answers what processor time the server took.
async fn refused(server: &Server, request: &str, piece_bytes: usize) -> Result<Duration, Stop> {
    let before = server.processor_time()?;
    let stream = within("a connection", TcpStream::connect(server.address())).await?;
    let stream = stream.map_err(|error| failed(error.to_string()))?;
    stream
        .set_nodelay(true)
        .map_err(|error| failed(error.to_string()))?;
    let (mut read, mut write) = stream.into_split();
    let writing = async {
        for piece in request.as_bytes().chunks(piece_bytes) {
            // A server that has hung up is what is waited for.
            if write.write_all(piece).await.is_err() {
                break;
            }
        }
        write
    };
    let reading = async {
        let mut answer = Vec::new();
        // It may end with a reset: more came than was read.
        let _ = read.read_to_end(&mut answer).await;
        answer
    };
    let (_, answer) = within("the refusal", async { tokio::join!(writing, reading) }).await?;
    let answer = String::from_utf8_lossy(&answer);
    let refused = ["HTTP/1.1 431", "HTTP/1.1 400"]
        .iter()
        .any(|status| answer.starts_with(status));
    hold(refused || answer.is_empty(), || {
        format!("it was answered: {answer:.200}")
    })?;
    Ok(server.processor_time()?.saturating_sub(before))
}

/// Posts of row 21, how long a body may take, and when the last has to be given up on a busy machine.
const POSTS: usize = 500;
const BODY_MS: &str = "1000";
const GIVEN_UP: Duration = Duration::from_secs(15);
/// The allocator takes memory for as many of them at a time as the machine lets pile up, and keeps it: after some
/// rounds it has enough. What is kept for a post is taken in every round. So this many rounds in a row are waited for
/// that add almost nothing together, an eighth of a KiB for each post, and no longer than so many rounds in all.
const CALM: usize = 4;
const CALM_BYTES: u64 = (CALM * POSTS) as u64 * 128;
const MOST_ROUNDS: usize = 60;
/// Rounds before the bystanders note how much memory the server has.
const WARM_ROUNDS: usize = 6;

/// Row 21.
pub(crate) async fn posts(mut run: Run) -> Result<String, Stop> {
    let (mut server, _) = run.server(&[("BMT_LIMITS__AUTHENTICATE_MS", BODY_MS)])?;
    let address = server.address();
    for _ in 0..WARM_ROUNDS {
        all_posts(address).await?;
    }
    let bystanders = Bystanders::begin(&server).await?;
    let mut resident = vec![server.resident_bytes()?];
    let mut slowest = Duration::ZERO;
    while added(&resident).is_none_or(|bytes| bytes > CALM_BYTES) {
        hold(resident.len() <= MOST_ROUNDS, || {
            format!("each round of {POSTS} posts adds memory: {resident:?} bytes")
        })?;
        slowest = slowest.max(all_posts(address).await?);
        resident.push(server.resident_bytes()?);
    }
    let held = bystanders.end(&mut server).await?;
    Ok(format!(
        "{POSTS} posts, {} times, given up after {} ms at most; the last {CALM} rounds add {} KiB; {held}",
        WARM_ROUNDS + resident.len() - 1,
        slowest.as_millis(),
        added(&resident).unwrap_or_default() / 1_024
    ))
}

/// What the last rounds added; `None` before there were so many.
fn added(resident: &[u64]) -> Option<u64> {
    let before = resident.len().checked_sub(CALM + 1)?;
    Some(resident.last()?.saturating_sub(resident[before]))
}

/// Answers when the last was given up.
async fn all_posts(address: SocketAddr) -> Result<Duration, Stop> {
    let mut posting = JoinSet::new();
    for number in 0..POSTS {
        posting.spawn(post(address, number % 2 == 0));
    }
    let mut slowest = Duration::ZERO;
    while let Some(ended) = posting.join_next().await {
        slowest = slowest.max(ended.map_err(|error| failed(error.to_string()))??);
    }
    Ok(slowest)
}

/// Opens a session, posts a part of a body and no more; answers when the server hung up.
async fn post(address: SocketAddr, typed: bool) -> Result<Duration, Stop> {
    let told = |error: std::io::Error| failed(error.to_string());
    let path = "/socket.io/?EIO=4&transport=polling";
    let mut stream = TcpStream::connect(address).await.map_err(told)?;
    let open = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
    stream.write_all(open.as_bytes()).await.map_err(told)?;
    let mut opened = Vec::new();
    let sid = loop {
        let read = within("a session", stream.read_buf(&mut opened)).await?;
        hold(read.is_ok_and(|bytes| bytes > 0), || {
            "no session opened".to_owned()
        })?;
        let text = String::from_utf8_lossy(&opened);
        let sid = text
            .split_once("\"sid\":\"")
            .and_then(|(_, rest)| rest.split_once('"'));
        if let Some((sid, rest)) = sid
            && rest.contains('}')
        {
            break sid.to_owned();
        }
    };
    let kind = if typed {
        "Content-Type: application/octet-stream\r\n"
    } else {
        ""
    };
    let part = format!("POST {path}&sid={sid} HTTP/1.1\r\nHost: x\r\n{kind}Content-Length: 1000\r\n\r\n40");
    stream.write_all(part.as_bytes()).await.map_err(told)?;
    let began = Instant::now();
    let mut answer = Vec::new();
    let ended = tokio::time::timeout(GIVEN_UP, stream.read_to_end(&mut answer)).await;
    hold(ended.is_ok(), || format!("a post is open after {GIVEN_UP:?}"))?;
    Ok(began.elapsed())
}

/// Sessions of row 28, and the namespaces each asks for: none is named twice.
const ASKING: usize = 50;
const NAMESPACES: usize = 1_000;

/// Row 28.
pub(crate) async fn namespaces(mut run: Run) -> Result<String, Stop> {
    // Not by the time for a session without a user.
    let (mut server, _) = run.server(&[("BMT_LIMITS__AUTHENTICATE_MS", "60000")])?;
    let bystanders = Bystanders::begin(&server).await?;
    let mut answered = Vec::new();
    for number in 0..ASKING {
        answered.push(ask(server.address(), number).await?);
    }
    let least = answered.iter().min().copied().unwrap_or(0);
    let most = answered.iter().max().copied().unwrap_or(0);
    let held = bystanders.end(&mut server).await?;
    Ok(format!(
        "{ASKING} sessions ended that asked for {NAMESPACES} namespaces at once, {least} to {most} refused before; {held}"
    ))
}

/// Asks for namespaces until the session ends; answers how many were refused one by one.
async fn ask(address: SocketAddr, number: usize) -> Result<usize, Stop> {
    let url = format!("ws://{address}/socket.io/?EIO=4&transport=websocket");
    let (mut socket, _) = within("the handshake", connect_async(url))
        .await?
        .map_err(|error| failed(error.to_string()))?;
    for name in 0..NAMESPACES {
        let connect = Message::text(format!("40/ns-{number}-{name},"));
        // The end is what is waited for.
        if socket.send(connect).await.is_err() {
            break;
        }
    }
    let mut refused = 0;
    let reading = async {
        while let Some(Ok(message)) = socket.next().await {
            refused += usize::from(message.to_text().is_ok_and(|text| text.starts_with("44/ns-")));
        }
    };
    within("the end of the session", reading).await?;
    Ok(refused)
}
