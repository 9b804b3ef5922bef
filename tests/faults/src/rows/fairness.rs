//! Row 51: one user asks for a hundred times what it may, and the others hardly notice.
//!
//! Quiet and loud times take turns in one run, so that a machine that is busy with something else is so in both. The
//! abuser's frames are made before and written as bytes: what it costs to send them is not measured with the rest.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::outcome::{Stop, failed, hold};
use crate::run::Run;
use crate::session::Session;
use crate::token;

/// The limits that the abuser goes beyond: the defaults.
const LIMITS: &[(&str, &str)] = &[
    ("BMT_LIMITS__PUBLISH_PER_SECOND", "50"),
    ("BMT_LIMITS__SUBSCRIBE_PER_SECOND", "100"),
    ("BMT_LIMITS__READ_PER_SECOND", "50"),
];
/// What it asks for, over a connection each, so often a second: a hundred times what it may.
const FLOODS: &[(&str, u64)] = &[("publish", 5_000), ("subscribe", 10_000), ("history", 5_000)];
/// How often it writes.
const WRITE_EVERY: Duration = Duration::from_millis(10);
/// The others, and how often each publishes.
const OTHERS: usize = 10;
const PUBLISH_EVERY: Duration = Duration::from_millis(50);
/// How long each of the turns lasts, and how many there are of each kind.
const TURN: Duration = Duration::from_secs(5);
const TURNS: usize = 3;
/// After the abuser begins: its first burst is within its rights.
const SETTLE: Duration = Duration::from_secs(1);
/// What the history of the abused channel holds.
const HELD: usize = 200;
const CHANNEL: &str = "public:abused";
/// The worst ratio of the two p99.
const MOST: f64 = 2.0;

/// Whether the abuser is at it, and what came of that.
#[derive(Default)]
struct Abuse {
    is_on: AtomicBool,
    sent: AtomicU64,
}

/// Row 51.
pub(crate) async fn one_abuser(mut run: Run) -> Result<String, Stop> {
    let (server, _) = run.server(LIMITS)?;
    let address = server.address();
    fill(address).await?;
    let abuse = Arc::new(Abuse::default());
    let mut abusers = JoinSet::new();
    for (verb, per_second) in FLOODS {
        abusers.spawn(flood(address, verb, *per_second, abuse.clone()));
    }
    let mut others = Vec::new();
    for number in 0..OTHERS {
        others.push(Session::connect(address, &format!("other{number}")).await?);
    }
    let (mut quiet, mut loud) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        others = publish_all(others, &mut quiet).await?;
        abuse.is_on.store(true, Ordering::Release);
        tokio::time::sleep(SETTLE).await;
        others = publish_all(others, &mut loud).await?;
        abuse.is_on.store(false, Ordering::Release);
        tokio::time::sleep(SETTLE).await;
    }
    let sent = abuse.sent.load(Ordering::Relaxed);
    hold(sent > 0, || "the abuser sent nothing".to_owned())?;
    let (quiet, loud) = (p99(quiet), p99(loud));
    let ratio = loud.as_secs_f64() / quiet.as_secs_f64();
    let took = TURN * u32::try_from(TURNS).unwrap_or(1);
    let note = format!(
        "p99 {:.1} ms quiet, {:.1} ms beside one that asks {:.0} times a second as far as it is read: {ratio:.2} times",
        quiet.as_secs_f64() * 1_000.0,
        loud.as_secs_f64() * 1_000.0,
        sent as f64 / took.as_secs_f64(),
    );
    hold(ratio <= MOST, || note.clone())?;
    Ok(note)
}

/// Gives the channel a history that costs something to read.
async fn fill(address: SocketAddr) -> Result<(), Stop> {
    let mut session = Session::connect(address, "fills").await?;
    let text = "x".repeat(1_000);
    let mut held = 0;
    while held < HELD {
        let publish = json!({"topic": CHANNEL, "payload": text});
        let answer = session.request("publish", &publish).await?;
        match answer["retryAfterMs"].as_u64() {
            Some(wait_ms) => tokio::time::sleep(Duration::from_millis(wait_ms)).await,
            None => held += 1,
        }
    }
    Ok(())
}

/// Each of the others publishes for one turn; answers with how long each publish took.
async fn publish_all(others: Vec<Session>, took: &mut Vec<Duration>) -> Result<Vec<Session>, Stop> {
    let mut publishing = JoinSet::new();
    for (number, mut session) in others.into_iter().enumerate() {
        publishing.spawn(async move {
            let mut took = Vec::new();
            let publish = json!({"topic": format!("public:fair{number}"), "payload": "x"});
            // Not all at the same moment.
            tokio::time::sleep(PUBLISH_EVERY * u32::try_from(number).unwrap_or(0) / 10).await;
            let began = Instant::now();
            let mut ticks = tokio::time::interval(PUBLISH_EVERY);
            while began.elapsed() < TURN {
                ticks.tick().await;
                let asked = Instant::now();
                session.succeed("publish", &publish).await?;
                took.push(asked.elapsed());
            }
            Ok::<_, String>((session, took))
        });
    }
    let mut others = Vec::new();
    while let Some(done) = publishing.join_next().await {
        let (session, times) = done.map_err(|error| failed(error.to_string()))??;
        others.push(session);
        took.extend(times);
    }
    Ok(others)
}

fn p99(mut took: Vec<Duration>) -> Duration {
    took.sort_unstable();
    took.get(took.len() * 99 / 100).copied().unwrap_or_default()
}

/// One connection of the abuser's: writes as fast as it means to, or as it is let, and reads what it is told.
async fn flood(
    address: SocketAddr,
    verb: &'static str,
    per_second: u64,
    abuse: Arc<Abuse>,
) -> Result<(), String> {
    let told = |error: std::io::Error| error.to_string();
    let mut stream = TcpStream::connect(address).await.map_err(told)?;
    let upgrade = format!(
        "GET /api/v1/ws?token={} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        token::of("abuser")?
    );
    stream.write_all(upgrade.as_bytes()).await.map_err(told)?;
    let (mut reader, mut writer) = stream.into_split();
    tokio::spawn(async move {
        let mut answers = vec![0; 64 * 1_024];
        while matches!(reader.read(&mut answers).await, Ok(bytes) if bytes > 0) {}
    });
    let writes_per_second = 1_000 / u64::try_from(WRITE_EVERY.as_millis()).unwrap_or(1);
    let at_once = per_second / writes_per_second;
    let frames = frame(verb, &body(verb)).repeat(usize::try_from(at_once).unwrap_or(1));
    let mut ticks = tokio::time::interval(WRITE_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if abuse.is_on.load(Ordering::Acquire) {
            writer.write_all(&frames).await.map_err(told)?;
            abuse.sent.fetch_add(at_once, Ordering::Relaxed);
        }
    }
}

fn body(verb: &str) -> Value {
    match verb {
        "publish" => json!({"topic": CHANNEL, "payload": "x"}),
        "history" => json!({"topic": CHANNEL, "limit": 200}),
        _ => json!({"topic": CHANNEL}),
    }
}

/// A masked text frame; the mask is of zeros, which leaves the text as it is.
fn frame(verb: &str, data: &Value) -> Vec<u8> {
    let text = json!({"type": verb, "data": data}).to_string();
    let length = u8::try_from(text.len()).ok().filter(|length| *length < 126);
    let mut frame = vec![
        0x81,
        0x80 | length.expect("the frames of this row are short"),
        0,
        0,
        0,
        0,
    ];
    frame.extend_from_slice(text.as_bytes());
    frame
}
