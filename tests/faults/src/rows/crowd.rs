//! Many at once: rows 15, 33, 54 and 56.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::bystanders::Bystanders;
use crate::outcome::{Stop, failed, hold};
use crate::run::Run;
use crate::session::{Packet, Session};

const CHANNEL: &str = "public:crowd";

/// Connections of row 15, how often each sends a byte, and when each has to be closed: the header timeout (10 s) and
/// what 500 closes take on a busy machine.
const TRICKLES: usize = 500;
const DRIP: Duration = Duration::from_secs(5);
const CLOSED: Duration = Duration::from_secs(14);

/// Row 15.
pub(crate) async fn trickle(mut run: Run) -> Result<String, Stop> {
    let (mut server, _) = run.server(&[])?;
    let address = server.address();
    let bystanders = Bystanders::begin(&server).await?;
    let mut trickles = JoinSet::new();
    for _ in 0..TRICKLES {
        trickles.spawn(drip(address));
    }
    let mut slowest = Duration::ZERO;
    let mut welcomed = 0;
    while !trickles.is_empty() {
        tokio::select! {
            Some(ended) = trickles.join_next() => {
                slowest = slowest.max(ended.map_err(|error| failed(error.to_string()))??);
            }
            () = tokio::time::sleep(Duration::from_millis(500)) => {
                Session::connect(address, "newcomer").await?;
                welcomed += 1;
            }
        }
    }
    hold(welcomed > 0, || "nobody tried to connect meanwhile".to_owned())?;
    let held = bystanders.end(&mut server).await?;
    Ok(format!(
        "{TRICKLES} closed after {} ms at most, {welcomed} newcomers meanwhile; {held}",
        slowest.as_millis()
    ))
}

/// Sends a header byte by byte until the server has enough; answers when that was.
async fn drip(address: SocketAddr) -> Result<Duration, Stop> {
    let told = |error: std::io::Error| failed(error.to_string());
    let mut stream = TcpStream::connect(address).await.map_err(told)?;
    let began = Instant::now();
    stream.write_all(b"GET / HTTP/1.1\r\nX").await.map_err(told)?;
    let mut answer = [0; 1024];
    while began.elapsed() < CLOSED {
        match timeout(DRIP, stream.read(&mut answer)).await {
            Ok(Ok(0) | Err(_)) => return Ok(began.elapsed()),
            // The refusal before the end.
            Ok(Ok(_)) => {}
            Err(_) => {
                // A server that hung up meanwhile is seen by the next read.
                let _ = stream.write_all(b"x").await;
            }
        }
    }
    Err(failed(format!("open after {CLOSED:?}")))
}

/// Ids of row 33, and how many are asked for at a time.
const IDS: usize = 10_000;
const ASKING: usize = 8;
/// Random bits that an id needs.
const BITS: f64 = 96.0;

/// Row 33.
pub(crate) async fn ids(mut run: Run) -> Result<String, Stop> {
    let (mut server, _) = run.server(&[])?;
    let address = server.address();
    let bystanders = Bystanders::begin(&server).await?;
    let mut asking = JoinSet::new();
    for number in 0..ASKING {
        asking.spawn(async move {
            let mut ids = Vec::new();
            for _ in 0..IDS / ASKING {
                let session = Session::connect(address, &format!("i{number}")).await?;
                ids.push(
                    session.hello["connectionId"]
                        .as_str()
                        .unwrap_or_default()
                        .to_owned(),
                );
            }
            Ok::<_, String>(ids)
        });
    }
    let mut ids = Vec::new();
    while let Some(asked) = asking.join_next().await {
        ids.extend(asked.map_err(|error| failed(error.to_string()))??);
    }
    let distinct: BTreeSet<&String> = ids.iter().collect();
    hold(distinct.len() == ids.len(), || "an id came twice".to_owned())?;
    let length = ids.iter().map(String::len).min().unwrap_or(0);
    let bits: f64 = (0..length).map(|at| entropy(&ids, at)).sum();
    hold(bits >= BITS, || {
        format!("the ids have {bits:.0} random bits: {:?}", ids.first())
    })?;
    let held = bystanders.end(&mut server).await?;
    Ok(format!("{IDS} distinct ids of {bits:.0} random bits; {held}"))
}

/// The entropy of one place of the ids, in bits: a counter's high digits have none.
fn entropy(ids: &[String], at: usize) -> f64 {
    let mut counts: BTreeMap<u8, u32> = BTreeMap::new();
    for id in ids {
        *counts.entry(id.as_bytes()[at]).or_default() += 1;
    }
    let all: f64 = counts.values().copied().map(f64::from).sum();
    let share = |count: &u32| f64::from(*count) / all;
    -counts
        .values()
        .map(share)
        .map(|share| share * share.log2())
        .sum::<f64>()
}

/// Requests of row 54.
const CHURN: usize = 10_000;

/// Row 54.
pub(crate) async fn churn(mut run: Run) -> Result<String, Stop> {
    let (mut server, _) = run.server(&[("BMT_LIMITS__SUBSCRIBE_PER_SECOND", "100")])?;
    let address = server.address();
    let bystanders = Bystanders::begin(&server).await?;
    let mut session = Session::connect(address, "churns").await?;
    let mut answers: BTreeMap<String, u32> = BTreeMap::new();
    let mut waits = 0;
    let mut unanswered = BTreeSet::new();
    for number in 0..CHURN {
        let name = if number % 2 == 0 {
            "subscribe"
        } else {
            "unsubscribe"
        };
        unanswered.insert(session.send(name, &json!({"topic": CHANNEL})).await?);
        // Reads along as a client does; the rest is read behind the last request.
        while unanswered.len() > 1_000 {
            read_answer(&mut session, &mut unanswered, &mut answers, &mut waits).await?;
        }
    }
    while !unanswered.is_empty() {
        read_answer(&mut session, &mut unanswered, &mut answers, &mut waits).await?;
    }
    let limited = answers.get("rate_limited").copied().unwrap_or(0);
    hold(limited > 0 && limited == waits, || {
        format!("of {answers:?} only {waits} say when to come again")
    })?;
    let left = answers
        .keys()
        .find(|code| !["success", "rate_limited"].contains(&code.as_str()));
    hold(left.is_none(), || format!("an answer was {left:?}"))?;
    drop(session);
    // The channel's own count, once the churner is gone.
    let began = Instant::now();
    let count = loop {
        let mut session = Session::connect(address, "counts").await?;
        let answer = session.succeed("subscribe", &json!({"topic": CHANNEL})).await?;
        let count = answer["subscriberCount"].as_u64().unwrap_or(0);
        if count == 1 || began.elapsed() > Duration::from_secs(10) {
            break count;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    hold(count == 1, || {
        format!("{count} subscribers are counted where there is one")
    })?;
    let held = bystanders.end(&mut server).await?;
    Ok(format!(
        "{CHURN} requests, each answered once: {answers:?}; {held}"
    ))
}

async fn read_answer(
    session: &mut Session,
    unanswered: &mut BTreeSet<u64>,
    answers: &mut BTreeMap<String, u32>,
    waits: &mut u32,
) -> Result<(), Stop> {
    if let Packet::Answer(call, answer) = session.packet().await? {
        hold(unanswered.remove(&call), || {
            format!("request {call} was answered twice")
        })?;
        let code = answer["code"].as_str().unwrap_or("success").to_owned();
        *waits += u32::from(answer["retryAfterMs"].is_u64());
        *answers.entry(code).or_default() += 1;
    }
    Ok(())
}

/// Connections of row 56, the places the node has, and the descriptors it is left with.
const FLOOD: usize = 2_000;
const PLACES: &str = "100";
const DESCRIPTORS: usize = 256;
/// How soon newcomers are let in again.
const RECOVERED: Duration = Duration::from_secs(10);

/// Row 56.
pub(crate) async fn flood(mut run: Run) -> Result<String, Stop> {
    let (mut server, _) = run.server(&[("BMT_LIMITS__CONNECTIONS", PLACES)])?;
    let address = server.address();
    let bystanders = Bystanders::begin(&server).await?;
    let began = Instant::now();
    let held = connections(address, FLOOD).await;
    let rate = held.len() as u128 * 1_000 / began.elapsed().as_millis().max(1);
    let counted = held.len();
    drop(held);
    let first = welcome(address).await?;

    let limit = format!("--nofile={DESCRIPTORS}:{DESCRIPTORS}");
    let pid = server.pid().to_string();
    let limited = Command::new("prlimit").args(["--pid", &pid, &limit]).status();
    hold(limited.is_ok_and(|status| status.success()), || {
        "`prlimit` failed".to_owned()
    })?;
    let held = connections(address, 2 * DESCRIPTORS).await;
    // The bystanders go on meanwhile; who is new waits or is turned away.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let open = server.descriptors()?;
    hold(open <= DESCRIPTORS, || format!("{open} descriptors are open"))?;
    hold(server.is_running(), || {
        "the server ended without descriptors".to_owned()
    })?;
    drop(held);
    let second = welcome(address).await?;
    let note = bystanders.end(&mut server).await?;
    Ok(format!(
        "{counted} connections at {rate} a second, newcomers welcome again after {} ms; at {DESCRIPTORS} descriptors \
         after {} ms; {note}",
        first.as_millis(),
        second.as_millis()
    ))
}

/// Opens that many connections that say nothing, and keeps those that were let in.
async fn connections(address: SocketAddr, count: usize) -> Vec<TcpStream> {
    let mut held = Vec::new();
    for _ in 0..count {
        // Where the backlog is full a connection hangs: it counts as turned away.
        let connected = timeout(Duration::from_millis(200), TcpStream::connect(address)).await;
        held.extend(connected.ok().and_then(Result::ok));
    }
    held
}

/// Waits until a newcomer is served; answers how long that took.
async fn welcome(address: SocketAddr) -> Result<Duration, Stop> {
    let began = Instant::now();
    loop {
        match Session::connect(address, "newcomer").await {
            Ok(_) => return Ok(began.elapsed()),
            Err(why) if began.elapsed() > RECOVERED => return Err(failed(format!("not recovered: {why}"))),
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}
