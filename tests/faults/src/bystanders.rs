//! A pair of users whom the fault does not concern: their messages arrive all the while, and the server is
//! afterwards as it was.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinHandle;

use crate::clock;
use crate::outcome::{Stop, failed, hold};
use crate::server::Server;
use crate::session::{Packet, Session, within};

const CHANNEL: &str = "public:bystanders";
/// Between two of their messages.
const BEAT: Duration = Duration::from_millis(50);
/// Most of 99 of 100 deliveries (FAULTS).
const P99: Duration = Duration::from_secs(1);
/// Within that time the server has let go of everything.
const RETURN: Duration = Duration::from_secs(30);
/// How much more memory it may keep: the pages that its store keeps, 16 MiB to write and 2 for each of three readers,
/// and a few MiB beside.
const KEPT_BYTES: u64 = 26 * 1024 * 1024;
/// Descriptors that it may open for itself meanwhile: readers of the store, its timers.
const KEPT_DESCRIPTORS: usize = 8;

/// The pair, and the server as it was when they began.
pub(crate) struct Bystanders {
    pid: u32,
    resident: u64,
    descriptors: usize,
    stopped: Arc<AtomicBool>,
    publishing: JoinHandle<Result<u64, String>>,
    receiving: JoinHandle<Result<Vec<u64>, String>>,
}

impl Bystanders {
    /// Connects them, lets them meet, and looks at the server.
    pub(crate) async fn begin(server: &Server) -> Result<Self, Stop> {
        let mut receiver = Session::connect(server.address(), "bystander-receives").await?;
        receiver.succeed("subscribe", &json!({"topic": CHANNEL})).await?;
        let mut publisher = Session::connect(server.address(), "bystander-publishes").await?;
        let warm = json!({"topic": CHANNEL, "payload": {"us": clock::monotonic_us()}});
        publisher.succeed("publish", &warm).await?;
        let stopped = Arc::new(AtomicBool::new(false));
        Ok(Self {
            pid: server.pid(),
            resident: server.resident_bytes()?,
            descriptors: server.descriptors()?,
            publishing: tokio::spawn(publish(publisher, Arc::clone(&stopped))),
            receiving: tokio::spawn(receive(receiver)),
            stopped,
        })
    }

    /// Waits until the server has let go of what the fault left, and says how the pair fared.
    pub(crate) async fn end(self, server: &mut Server) -> Result<String, Stop> {
        let descriptors = self.descriptors + KEPT_DESCRIPTORS;
        let began = Instant::now();
        let kept = loop {
            hold(server.is_running() && server.pid() == self.pid, || {
                "the server process ended".to_owned()
            })?;
            let kept = (server.resident_bytes()?, server.descriptors()?);
            if kept.0 <= self.resident + KEPT_BYTES && kept.1 <= descriptors {
                break kept;
            }
            if began.elapsed() > RETURN {
                return Err(failed(format!(
                    "{RETURN:?} after the fault the server keeps {} of memory (it had {}) and {} descriptors (it had {})",
                    mib(kept.0),
                    mib(self.resident),
                    kept.1,
                    self.descriptors
                )));
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        };
        self.stopped.store(true, Ordering::Relaxed);
        let published = within("the bystanders", self.publishing)
            .await?
            .map_err(|error| failed(error.to_string()))??;
        let mut latencies = within("the bystanders", self.receiving)
            .await?
            .map_err(|error| failed(error.to_string()))??;
        hold(latencies.len() as u64 == published, || {
            format!(
                "of {published} messages of the bystanders {} arrived",
                latencies.len()
            )
        })?;
        latencies.sort_unstable();
        let p99 = latencies
            .get(latencies.len().saturating_sub(1) * 99 / 100)
            .copied()
            .unwrap_or(0);
        hold(Duration::from_micros(p99) < P99, || {
            format!("the bystanders' p99 was {} ms", p99 / 1_000)
        })?;
        log_is_clean(server)?;
        Ok(format!(
            "bystanders p99 {} ms, memory {} of {}",
            p99 / 1_000,
            mib(kept.0),
            mib(self.resident)
        ))
    }
}

/// No panic and no secret is in the server's log.
pub(crate) fn log_is_clean(server: &Server) -> Result<(), Stop> {
    let log = server.log();
    let panic = log.lines().find(|line| line.contains("panicked"));
    hold(panic.is_none(), || {
        format!("a panic: {}", panic.unwrap_or_default())
    })?;
    // What every token begins with: `{"` in base64.
    let secret = log
        .lines()
        .find(|line| line.contains("eyJ") || line.contains(crate::token::SECRET));
    hold(secret.is_none(), || "a secret is in the log".to_owned())
}

fn mib(bytes: u64) -> String {
    format!("{} MiB", bytes / 1024 / 1024)
}

/// Publishes until it is stopped, then a last one that says so; answers how many with it.
async fn publish(mut session: Session, stopped: Arc<AtomicBool>) -> Result<u64, String> {
    let mut published = 0;
    loop {
        let last = stopped.load(Ordering::Relaxed);
        let body = json!({"topic": CHANNEL, "payload": {"us": clock::monotonic_us(), "last": last}});
        let answer = session.succeed("publish", &body).await;
        answer.map_err(|error| format!("a bystander could not publish: {error}"))?;
        published += 1;
        if last {
            return Ok(published);
        }
        tokio::time::sleep(BEAT).await;
    }
}

/// Receives until the last one; answers the latencies in µs. The first one was before the pair's time.
async fn receive(mut session: Session) -> Result<Vec<u64>, String> {
    let mut latencies = Vec::new();
    let mut warm = true;
    loop {
        let packet = session.packet().await;
        let Packet::Event(name, body) = packet.map_err(|error| format!("a bystander was lost: {error}"))?
        else {
            continue;
        };
        if name != "message" {
            continue;
        }
        if std::mem::take(&mut warm) {
            continue;
        }
        let sent = body["payload"]["us"].as_u64().unwrap_or(0);
        latencies.push(clock::monotonic_us().saturating_sub(sent));
        if body["payload"]["last"] == true {
            return Ok(latencies);
        }
    }
}
