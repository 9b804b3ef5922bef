//! The network between clients and server swallows everything for a while: row 86. The server runs in a network
//! namespace of its own, behind two links: one dies, the bystanders use the other.

use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bmt_client_core::Status;
use serde_json::json;

use super::network::{LATE, one_connection_each};
use crate::bystanders::Bystanders;
use crate::load::{CHANNELS, Load, Shape};
use crate::outcome::{Stop, failed, hold};
use crate::run::Run;
use crate::server::{Build, Server};
use crate::session::Session;

/// Interval and timeout of the heartbeat, ms.
const HEARTBEAT_MS: (u64, u64) = (2_000, 2_000);
/// How much longer than a heartbeat somebody may seem present who is gone (FAULTS).
const GHOST: Duration = Duration::from_secs(5);
/// How soon everybody is back: an attempt that hung in the dead network has to end first.
const BACK: Duration = Duration::from_secs(30);
const PORT: u16 = 5_600;

/// Row 86.
pub(crate) async fn healed(mut run: Run) -> Result<String, Stop> {
    let (interval, timeout) = HEARTBEAT_MS;
    let heartbeat = Duration::from_millis(interval + timeout);
    let links = Links::new()?;
    let folder = run.round()?;
    let settings = [
        ("BMT_HEARTBEAT__INTERVAL_MS", interval.to_string()),
        ("BMT_HEARTBEAT__TIMEOUT_MS", timeout.to_string()),
    ];
    let settings: Vec<(&str, &str)> = settings
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let namespace = Some(links.namespace.clone());
    let mut server = Server::start_at(Build::Development, &folder, links.steady(), namespace, &settings)?;
    let bystanders = Bystanders::begin(&server).await?;
    let load = Load::start(&Shape::of(3, 3), links.mortal(), &folder, run.seed).await?;
    load.acks(50).await?;
    let mut notes = Vec::new();
    for outage in [
        Duration::from_secs(10),
        heartbeat + GHOST,
        Duration::from_secs(120),
    ] {
        let at = |stop: Stop| failed(format!("{outage:?}: {stop}"));
        let before = load.connections();
        let began = Instant::now();
        links.set("down")?;
        tokio::time::sleep(heartbeat + LATE).await;
        let unaware = load
            .clients()
            .filter(|client| client.seen().status == Some(Status::Connected));
        let unaware = unaware.count();
        hold(unaware == 0, || {
            format!("{outage:?}: {unaware} clients believe in a dead network after {heartbeat:?}")
        })?;
        let gone = nobody_present(server.address(), began, heartbeat + GHOST)
            .await
            .map_err(at)?;
        tokio::time::sleep(outage.saturating_sub(began.elapsed())).await;
        let healed = Instant::now();
        links.set("up")?;
        load.connected(&before, BACK).await.map_err(at)?;
        let back = healed.elapsed();
        one_connection_each(&load, server.address(), heartbeat + GHOST)
            .await
            .map_err(at)?;
        load.acks(20).await.map_err(at)?;
        notes.push(format!(
            "{} s: gone after {} ms, back after {} ms",
            outage.as_secs(),
            gone.as_millis(),
            back.as_millis()
        ));
    }
    let note = load.settle(server.address(), &folder).await?;
    let held = bystanders.end(&mut server).await?;
    Ok(format!("{}; {note}; {held}", notes.join(", ")))
}

/// Waits until no subscriber is present any more; answers when that was.
async fn nobody_present(address: SocketAddr, since: Instant, patience: Duration) -> Result<Duration, Stop> {
    let mut reader = Session::connect(address, "counts").await?;
    loop {
        let list = reader.succeed("presence", &json!({"topic": CHANNELS[0]})).await?;
        if list["count"] == 0 {
            return Ok(since.elapsed());
        }
        hold(since.elapsed() <= patience, || {
            format!("{:?} later {list} is present", since.elapsed())
        })?;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A namespace and two links into it. It goes, and they with it, when it is dropped.
struct Links {
    namespace: String,
    /// Names of the links, ours and theirs, and the third byte of their network.
    pairs: [(String, String, u8); 2],
}

impl Links {
    fn new() -> Result<Self, Stop> {
        let id = std::process::id() % 100_000;
        let links = Self {
            namespace: format!("bmt{id}"),
            pairs: [
                (format!("bmt{id}a"), format!("bmt{id}b"), 1),
                (format!("bmt{id}c"), format!("bmt{id}d"), 2),
            ],
        };
        let namespace = links.namespace.as_str();
        ip(&["netns", "add", namespace])?;
        for (ours, theirs, net) in &links.pairs {
            ip(&[
                "link", "add", ours, "type", "veth", "peer", "name", theirs, "netns", namespace,
            ])?;
            ip(&["address", "add", &format!("10.213.{net}.1/24"), "dev", ours])?;
            ip(&[
                "-n",
                namespace,
                "address",
                "add",
                &format!("10.213.{net}.2/24"),
                "dev",
                theirs,
            ])?;
            ip(&["link", "set", ours, "up"])?;
            ip(&["-n", namespace, "link", "set", theirs, "up"])?;
        }
        ip(&["-n", namespace, "link", "set", "lo", "up"])?;
        Ok(links)
    }

    /// The server over the link that dies.
    fn mortal(&self) -> SocketAddr {
        SocketAddr::from(([10, 213, self.pairs[0].2, 2], PORT))
    }

    /// The server over the other.
    fn steady(&self) -> SocketAddr {
        SocketAddr::from(([10, 213, self.pairs[1].2, 2], PORT))
    }

    /// The far end goes down: ours still takes what is sent, and nothing arrives.
    fn set(&self, state: &str) -> Result<(), Stop> {
        ip(&["-n", &self.namespace, "link", "set", &self.pairs[0].1, state])
    }
}

impl Drop for Links {
    fn drop(&mut self) {
        // Where it fails there is none.
        drop(ip(&["netns", "delete", &self.namespace]));
    }
}

/// Runs `ip`; what it may not do, this machine cannot.
fn ip(arguments: &[&str]) -> Result<(), Stop> {
    let skipped = |why: String| Stop::Skipped(format!("`ip {}`: {why}", arguments.join(" ")));
    let run = Command::new("ip").args(arguments).stdin(Stdio::null()).output();
    let output = run.map_err(|error| skipped(error.to_string()))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(skipped(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
    }
}
