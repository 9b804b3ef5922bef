//! Many publishers, few syncs: row 78.
//!
//! How long a sync takes is the disk's affair, and on a quick one the processor is what a publisher waits for. Here
//! each sync of the server takes as long as on a spinning disk, by a small library that is loaded before libc, so
//! that the figures speak of shared commits wherever they are taken. What this machine's own disk takes is measured
//! by `cargo xtask bench store`.

use std::fs::File;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::bystanders::Bystanders;
use crate::outcome::{Stop, failed, hold};
use crate::run::Run;
use crate::session::Session;

const CHANNEL: &str = "public:commits";
/// Publishers, each with one message under way, and how long they publish.
const PUBLISHERS: usize = 64;
const PUBLISHING: Duration = Duration::from_secs(8);
/// What `slow_sync.c` adds to each sync: two turns of a spinning disk, one for the data and one for its journal.
const TURNS: Duration = Duration::from_millis(16);
/// Syncs that 99 of 100 acks wait for at most: the rest of a commit under way, their own, and room for what else the
/// machine does. The log is written back beside the commits, or one ack in a few hundred would wait for that, too.
const MOST_SYNCS: f64 = 4.0;
/// Syncs of this disk that are timed before.
const SYNCS: u32 = 100;

/// Row 78.
pub(crate) async fn publishers(mut run: Run) -> Result<String, Stop> {
    let folder = run.round()?;
    let library = slow_sync(&folder)?;
    let sync = TURNS + sync_latency(&folder).map_err(|error| failed(error.to_string()))?;
    let (mut server, _) = run.server(&[("LD_PRELOAD", &library.display().to_string())])?;
    let address = server.address();
    // Once before: the pages that the writer keeps are no growth.
    publish_all(address).await?;
    let bystanders = Bystanders::begin(&server).await?;
    let latencies = publish_all(address).await?;
    let held = bystanders.end(&mut server).await?;
    let at = |percent: usize| latencies.get(latencies.len() * percent / 100).copied();
    let fastest = at(0).unwrap_or_default();
    let rate = latencies.len() as f64 / PUBLISHING.as_secs_f64();
    let share = rate * sync.as_secs_f64() / PUBLISHERS as f64;
    let [p95, p99] =
        [95, 99].map(|percent| at(percent).unwrap_or_default().as_secs_f64() / sync.as_secs_f64());
    let note = format!(
        "{rate:.0} acks a second, {:.0} % of {PUBLISHERS} per sync of {:.1} ms, p95 {p95:.1} and p99 {p99:.1} syncs; {held}",
        share * 100.0,
        sync.as_secs_f64() * 1_000.0
    );
    hold(fastest >= TURNS, || {
        format!("an ack came after {fastest:?}: it did not wait for a sync; {note}")
    })?;
    hold(share >= 0.3 && p99 <= MOST_SYNCS, || note.clone())?;
    Ok(note)
}

/// Compiles what makes each sync of a process slow.
fn slow_sync(folder: &Path) -> Result<PathBuf, Stop> {
    if !cfg!(target_os = "linux") {
        return Err(Stop::Skipped("only Linux loads a library before libc".to_owned()));
    }
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("slow_sync.c");
    let library = folder.join("slow_sync.so");
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .args([&library, &source])
        .output();
    match compiled {
        Ok(done) if done.status.success() => Ok(library),
        Ok(done) => Err(failed(String::from_utf8_lossy(&done.stderr).into_owned())),
        Err(error) => Err(Stop::Skipped(format!("no C compiler (`cc`): {error}"))),
    }
}

/// What one sync of a small write takes on this disk, the median of many.
fn sync_latency(folder: &Path) -> std::io::Result<Duration> {
    let mut file = File::create(folder.join("sync"))?;
    let mut took = Vec::new();
    for _ in 0..SYNCS {
        let began = Instant::now();
        file.write_all(&[0; 4_096])?;
        file.sync_data()?;
        took.push(began.elapsed());
    }
    took.sort_unstable();
    Ok(took[took.len() / 2])
}

/// Publishes from all at once; how long each ack took, ascending.
async fn publish_all(address: SocketAddr) -> Result<Vec<Duration>, Stop> {
    let mut publishing = JoinSet::new();
    for number in 0..PUBLISHERS {
        publishing.spawn(publish(address, number));
    }
    let mut latencies = Vec::new();
    while let Some(acked) = publishing.join_next().await {
        latencies.extend(acked.map_err(|error| failed(error.to_string()))??);
    }
    latencies.sort_unstable();
    Ok(latencies)
}

async fn publish(address: SocketAddr, number: usize) -> Result<Vec<Duration>, Stop> {
    let mut session = Session::connect(address, &format!("p{number}")).await?;
    let body: Value = json!({"topic": CHANNEL, "payload": "x".repeat(100)});
    let began = Instant::now();
    let mut took = Vec::new();
    while began.elapsed() < PUBLISHING {
        let sent = Instant::now();
        session.succeed("publish", &body).await?;
        took.push(sent.elapsed());
    }
    Ok(took)
}
