//! The store bench: publishers of stored messages, each with one publish in flight, against what the disk takes.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::peer::{Binding, Kind, Peer};
use crate::server::Server;
use crate::{percentile_ms, say};

const PUBLISHERS: usize = 64;
const CHANNELS: usize = 16;
const MEASURE: Duration = Duration::from_secs(8);
/// What the server should reach (the first), or this part of what group commit could at best (the second).
const ACKED_PER_SECOND: f64 = 10_000.0;
const PART_OF_BEST: f64 = 0.3;
/// Syncs that are timed, and bytes of each.
const SYNCS: usize = 200;
const SYNC_BYTES: usize = 4_096;

/// What the publishers share.
struct Phase {
    measuring: AtomicBool,
    stop: AtomicBool,
}

pub(crate) fn run() -> Result<(), String> {
    let runtime = super::runtime()?;
    let server = Server::stored()?;
    let sync_us = sync_latency_us(server.data_dir())?;
    let (mut latencies, seconds, cpu) = runtime.block_on(publish_all(&server))?;
    latencies.sort_unstable();
    #[expect(clippy::cast_precision_loss, reason = "counts of a few millions")]
    let acked = latencies.len() as f64 / seconds;
    let median_us = percentile_ms(&sync_us, 50) * 1_000.0;
    #[expect(clippy::cast_precision_loss, reason = "64")]
    let best = PUBLISHERS as f64 * 1_000_000.0 / median_us;
    let wanted = ACKED_PER_SECOND.min(PART_OF_BEST * best);
    say(&format!(
        "stored publishes, synchronous FULL, {PUBLISHERS} publishers with one in flight each"
    ));
    say(&format!(
        "fsync of {SYNC_BYTES} appended bytes: p50 {:.3} ms, p99 {:.3} ms",
        percentile_ms(&sync_us, 50),
        percentile_ms(&sync_us, 99)
    ));
    say(&format!(
        "acked/s: {acked:.0} (wanted {wanted:.0}: the lower of {ACKED_PER_SECOND} and {PART_OF_BEST} × {best:.0}); \
         per CPU-second {:.0}",
        acked * seconds / cpu.max(0.01)
    ));
    say(&format!(
        "ack: p50 {:.2} ms, p99 {:.2} ms",
        percentile_ms(&latencies, 50),
        percentile_ms(&latencies, 99)
    ));
    if acked < wanted {
        return Err("fewer publishes were acked than wanted".to_owned());
    }
    Ok(())
}

/// Sorted microseconds that the disk below `folder` takes to make appended bytes safe.
fn sync_latency_us(folder: &Path) -> Result<Vec<u32>, String> {
    let path = folder.join("sync-probe");
    let fails = |error: std::io::Error| format!("{}: {error}", path.display());
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .map_err(fails)?;
    let mut taken = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        let began = Instant::now();
        file.write_all(&[0; SYNC_BYTES]).map_err(fails)?;
        file.sync_all().map_err(fails)?;
        taken.push(u32::try_from(began.elapsed().as_micros()).unwrap_or(u32::MAX));
    }
    std::fs::remove_file(&path).map_err(fails)?;
    taken.sort_unstable();
    Ok(taken)
}

/// Microseconds to each ack while measuring, the seconds that took, and the server's CPU-seconds.
async fn publish_all(server: &Server) -> Result<(Vec<u32>, f64, f64), String> {
    let phase = Arc::new(Phase {
        measuring: AtomicBool::new(false),
        stop: AtomicBool::new(false),
    });
    let mut publishers = JoinSet::new();
    for number in 0..PUBLISHERS {
        let peer = Peer::connect(&server.address, Binding::Raw, &format!("p{number}")).await?;
        let topic = format!("public:bench-{}", number % CHANNELS);
        publishers.spawn(publish(peer, topic, Arc::clone(&phase)));
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (cpu, began) = (server.cpu_seconds()?, Instant::now());
    phase.measuring.store(true, Ordering::Relaxed);
    tokio::time::sleep(MEASURE).await;
    phase.measuring.store(false, Ordering::Relaxed);
    let (cpu, seconds) = (server.cpu_seconds()? - cpu, began.elapsed().as_secs_f64());
    phase.stop.store(true, Ordering::Relaxed);
    let mut latencies = Vec::new();
    while let Some(done) = publishers.join_next().await {
        latencies.extend(done.map_err(|error| format!("a publisher failed: {error}"))??);
    }
    Ok((latencies, seconds, cpu))
}

async fn publish(mut peer: Peer, topic: String, phase: Arc<Phase>) -> Result<Vec<u32>, String> {
    let mut latencies = Vec::new();
    let payload = format!("{{\"pad\":\"{}\"}}", "x".repeat(118));
    while !phase.stop.load(Ordering::Relaxed) {
        let sent = Instant::now();
        peer.stage_publish(&topic, &payload);
        let mut is_answered = false;
        while !is_answered {
            peer.fill().await?;
            while let Some((kind, text)) = peer.next()? {
                match kind {
                    Kind::Success => is_answered = true,
                    Kind::Failure => return Err(format!("a publish was refused: {text}")),
                    Kind::Message | Kind::Other => {}
                }
            }
        }
        if phase.measuring.load(Ordering::Relaxed) {
            latencies.push(u32::try_from(sent.elapsed().as_micros()).unwrap_or(u32::MAX));
        }
    }
    Ok(latencies)
}
