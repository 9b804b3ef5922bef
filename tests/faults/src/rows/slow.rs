//! Readers that are slower than their room: row 91.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use bmt_client_core::Status;
use bmt_faultproxy::{Proxy, Weather};
use serde_json::json;
use tokio::task::JoinSet;

use super::network::proxy;
use crate::bystanders::Bystanders;
use crate::client::{Client, Manner};
use crate::load::{Load, Shape};
use crate::outcome::{Stop, failed, hold};
use crate::run::Run;
use crate::server::Server;
use crate::session::{Session, within};

const CHANNEL: &str = "public:busy";
const READERS: usize = 10;
/// How fast they read.
const BYTES_PER_SECOND: u64 = 10_000;
/// The room: two publishers of 8 kB each 16 ms are 1 MB a second, as far as the machine goes along.
const PAYLOAD_BYTES: usize = 8_000;
const REST: Duration = Duration::from_millis(16);
const BUSY: Duration = Duration::from_secs(25);
const LONG_BUSY: Duration = Duration::from_secs(5 * 60);
/// Then the room is calm for a while and the line quick but long: a page takes longer than a gap may last, and
/// messages arrive meanwhile.
const CALM_REST: Duration = Duration::from_millis(250);
const LONG_LINE: Duration = Duration::from_millis(1_200);
const CALM: Duration = Duration::from_secs(20);
/// How long the answer to a heartbeat of theirs may take: it stands behind whole pages.
const PONG_TIMEOUT_MS: u64 = 20_000;
/// Readers that only take what they can, beside the others, in full.
const CROWD: usize = 990;
/// What a slow reader may cost: its outbox (SPEC §10), and the frames at hand around it.
const READER_BYTES: u64 = 3 * 1024 * 1024;
/// What the server may take beside: the caches of a room that moves a megabyte a second.
const ROOM_BYTES: u64 = 40 * 1024 * 1024;
/// What is published before, and in how large batches: more than the caches of the store hold.
const WARM: &str = "public:warm";
const WARM_BYTES: usize = 24 * 1024 * 1024;
const WARM_BATCH: usize = 12;
/// How long a slow reader may take to read everything once the line is good again.
const CATCH_UP: Duration = Duration::from_secs(120);
const LONG_CATCH_UP: Duration = Duration::from_secs(15 * 60);

/// Row 91.
pub(crate) async fn readers(mut run: Run) -> Result<String, Stop> {
    let (mut server, folder) = run.server(&[])?;
    let others = if run.full { CROWD } else { 0 };
    warm(&server, others).await?;
    let bystanders = Bystanders::begin(&server).await?;
    let proxy = proxy(&run, server.address()).await?;
    let shape = Shape {
        channels: &[CHANNEL],
        rest: REST,
        padding_bytes: PAYLOAD_BYTES,
        ..Shape::of(2, 2)
    };
    let slow = slow_readers(&run, &proxy, &folder).await?;
    let crowd = crowd(others, proxy.address()).await?;
    let readers = READERS + crowd.len();
    let before = server.resident_bytes()?;
    proxy.set(Weather {
        bytes_per_second: Some(BYTES_PER_SECOND),
        ..Weather::fair()
    });
    let mut load = Load::start(&shape, server.address(), &folder, run.seed).await?;
    let busy = if run.full { LONG_BUSY } else { BUSY };
    let most = most_memory(&server, busy).await?;
    let allowed = before + readers as u64 * READER_BYTES + ROOM_BYTES;
    hold(most <= allowed, || {
        format!("memory grew from {before} to {most} bytes")
    })?;
    let closed = slow
        .iter()
        .filter(|reader| reader.seen().connections > 1 || reader.seen().lost_at_us.is_some());
    let closed = closed.count();
    hold(closed > 0, || "no slow reader was ever closed".to_owned())?;
    drop(crowd);
    load.set_rest(CALM_REST);
    proxy.set(Weather {
        latency: LONG_LINE,
        ..Weather::fair()
    });
    tokio::time::sleep(CALM).await;
    proxy.set(Weather::fair());

    // All that was published, by the position of a fast member once it is quiet.
    let published = load.stop().await?;
    let fast = published
        .get(CHANNEL)
        .cloned()
        .ok_or_else(|| failed("the room has no top"))?;
    let patience = if run.full { LONG_CATCH_UP } else { CATCH_UP };
    for reader in &slow {
        let caught_up = reader.until("the last message", patience, |seen| {
            seen.positions.get(CHANNEL) == Some(&fast) && seen.status == Some(Status::Connected)
        });
        caught_up.await?;
        reader.cover(CHANNEL, &fast.0, fast.1);
    }
    // Everything is kept: who is told of a gap missed what it could have had.
    let gaps: Vec<String> = slow.iter().flat_map(|reader| reader.seen().gaps).collect();
    hold(gaps.is_empty(), || {
        format!("slow readers were told of gaps where nothing was lost: {gaps:?}")
    })?;
    for reader in slow {
        reader.finish().await?;
    }
    let note = load.settle(server.address(), &folder).await?;
    drop(proxy);
    let held = bystanders.end(&mut server).await?;
    Ok(format!(
        "{closed} of {READERS} readers closed, all caught up without a gap, {readers} readers at all, memory {} MiB at most from {}; {note}; {held}",
        most / 1024 / 1024,
        before / 1024 / 1024
    ))
}

/// Readers that recover what they missed, and write down what they see.
async fn slow_readers(run: &Run, proxy: &Proxy, folder: &Path) -> Result<Vec<Client>, Stop> {
    let mut slow = Vec::new();
    for number in 0..READERS {
        let manner = Manner {
            pong_timeout_ms: PONG_TIMEOUT_MS,
            ..Manner::of(format!("slow{number}"), proxy.address(), run.seed + number as u64)
        };
        let reader = Client::start(manner, folder)?;
        reader.subscribe(CHANNEL);
        reader
            .until("its subscription", CATCH_UP, |seen| !seen.positions.is_empty())
            .await?;
        slow.push(reader);
    }
    Ok(slow)
}

/// The most memory that the server takes within a time.
async fn most_memory(server: &Server, time: Duration) -> Result<u64, Stop> {
    let end = tokio::time::Instant::now() + time;
    let mut most = 0;
    while tokio::time::Instant::now() < end {
        most = most.max(server.resident_bytes()?);
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    Ok(most)
}

/// Readers that subscribe, and then read as slowly as the line is until the server has had enough of them.
async fn crowd(count: usize, address: SocketAddr) -> Result<JoinSet<()>, Stop> {
    let mut crowd = JoinSet::new();
    for number in 0..count {
        let mut session = Session::connect(address, &format!("crowd{number}")).await?;
        session.succeed("subscribe", &json!({"topic": CHANNEL})).await?;
        crowd.spawn(async move { while session.packet().await.is_ok() {} });
    }
    Ok(crowd)
}

/// Fills the caches of the store, and lets a crowd come and go: what it took the allocator keeps. The server is
/// compared with one that has worked before.
async fn warm(server: &Server, others: usize) -> Result<(), Stop> {
    let descriptors = server.descriptors()?;
    drop(crowd(others, server.address()).await?);
    let gone = async {
        while server.descriptors()? > descriptors + READERS {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok::<(), Stop>(())
    };
    within("the end of the first crowd", gone).await??;
    let mut session = Session::connect(server.address(), "warm").await?;
    let message = json!({"topic": WARM, "payload": "x".repeat(PAYLOAD_BYTES)});
    let batch = json!({"messages": vec![message; WARM_BATCH]});
    for _ in 0..WARM_BYTES / (WARM_BATCH * PAYLOAD_BYTES) {
        session.succeed("publish", &batch).await?;
    }
    session.list(WARM).await?;
    Ok(())
}
