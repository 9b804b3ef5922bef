//! The network breaks or is bad, and the server answers nothing: rows 85, 88 and 93.

use std::time::{Duration, Instant};

use bmt_client_core::Status;
use bmt_faultproxy::{Proxy, Weather};
use rustix::process::Signal;
use serde_json::json;

use crate::bystanders::{Bystanders, log_is_clean};
use crate::clock;
use crate::load::{CHANNELS, Load, Shape};
use crate::outcome::{Stop, failed, hold};
use crate::run::Run;
use crate::session::Session;

/// Resets of row 85.
const RESETS: u32 = 100;
/// Publishers there, and as many subscribers, that are official clients.
const OFFICIALS: usize = 1;
/// The longest wait between two attempts of its clients, ms.
const BACKOFF_MS: u64 = 200;
/// What a connection may take beyond the wait: a handshake on a busy machine.
const HANDSHAKE: Duration = Duration::from_secs(3);
/// How long each weather of row 88 lasts, and in full.
const WEATHER: Duration = Duration::from_secs(40);
const LONG_WEATHER: Duration = Duration::from_secs(10 * 60);
/// Interval and timeout of the heartbeat of row 93, ms.
const HEARTBEAT_MS: (u64, u64) = (2_000, 2_000);
/// How much later than the heartbeat says a loss may be noticed: a busy machine's timers.
pub(super) const LATE: Duration = Duration::from_millis(1_500);

/// Row 85.
pub(crate) async fn reset(mut run: Run) -> Result<String, Stop> {
    let (mut server, folder) = run.server(&[])?;
    let bystanders = Bystanders::begin(&server).await?;
    let proxy = proxy(&run, server.address()).await?;
    let shape = Shape {
        backoff_cap_ms: BACKOFF_MS,
        officials: OFFICIALS,
        ..Shape::of(4, 4)
    };
    let load = Load::start(&shape, proxy.address(), &folder, run.seed).await?;
    load.acks(20).await?;
    let mut slowest = Duration::ZERO;
    for round in 0..RESETS {
        tokio::time::sleep(Duration::from_millis(run.random.within(5, 60))).await;
        let before = load.connections();
        let began = Instant::now();
        hold(proxy.reset() > 0, || {
            format!("round {round}: nobody was connected")
        })?;
        let patience = Duration::from_millis(BACKOFF_MS * 5 / 4) + HANDSHAKE;
        load.connected(&before, patience)
            .await
            .map_err(|stop| failed(format!("round {round}: {stop}")))?;
        slowest = slowest.max(began.elapsed());
    }
    let note = load.settle(server.address(), &folder).await?;
    drop(proxy);
    let held = bystanders.end(&mut server).await?;
    let slowest = slowest.as_millis();
    Ok(format!(
        "all back after {slowest} ms at most, {OFFICIALS} of 4 official; {note}; {held}"
    ))
}

/// Row 88.
pub(crate) async fn bad_weather(mut run: Run) -> Result<String, Stop> {
    let (mut server, folder) = run.server(&[])?;
    let bystanders = Bystanders::begin(&server).await?;
    let proxy = proxy(&run, server.address()).await?;
    let shape = Shape {
        rest: Duration::from_millis(250),
        ..Shape::of(2, 3)
    };
    let load = Load::start(&shape, proxy.address(), &folder, run.seed).await?;
    load.acks(5).await?;
    let connections = load.connections();
    let fair = Weather::fair();
    let weathers = [
        (
            "500 ± 400 ms",
            Weather {
                latency: Duration::from_millis(500),
                jitter: Duration::from_millis(400),
                ..fair.clone()
            },
        ),
        (
            "single bytes",
            Weather {
                slice: Some(1),
                ..fair.clone()
            },
        ),
        (
            "5 kB/s",
            Weather {
                bytes_per_second: Some(5_000),
                ..fair.clone()
            },
        ),
    ];
    let mut acks = Vec::new();
    for (name, weather) in weathers {
        proxy.set(weather);
        let before = load.acked();
        tokio::time::sleep(if run.full { LONG_WEATHER } else { WEATHER }).await;
        let acked = load.acked() - before;
        hold(acked > 0, || format!("nothing was acked at {name}"))?;
        hold(load.connections() == connections, || {
            format!("a connection was given up at {name}")
        })?;
        acks.push(format!("{acked} acks at {name}"));
    }
    proxy.set(fair);
    let note = load.settle(server.address(), &folder).await?;
    drop(proxy);
    let held = bystanders.end(&mut server).await?;
    Ok(format!(
        "no false disconnect, {}; {note}; {held}",
        acks.join(", ")
    ))
}

/// Row 93.
pub(crate) async fn frozen(mut run: Run) -> Result<String, Stop> {
    let (interval, timeout) = HEARTBEAT_MS;
    let heartbeat = Duration::from_millis(interval + timeout);
    let (server, folder) = run.server(&[
        ("BMT_HEARTBEAT__INTERVAL_MS", &interval.to_string()),
        ("BMT_HEARTBEAT__TIMEOUT_MS", &timeout.to_string()),
    ])?;
    let address = server.address();
    let load = Load::start(&Shape::of(4, 4), address, &folder, run.seed).await?;
    load.acks(100).await?;
    let before = load.connections();
    let frozen_us = clock::monotonic_us();
    server.signal(Signal::STOP)?;
    tokio::time::sleep(2 * heartbeat).await;
    let mut slowest = Duration::ZERO;
    for client in load.clients() {
        let seen = client.seen();
        hold(seen.status != Some(Status::Connected), || {
            "a client took the frozen server for a live one".to_owned()
        })?;
        let lost_us = seen.lost_at_us.unwrap_or(0).saturating_sub(frozen_us);
        slowest = slowest.max(Duration::from_micros(lost_us));
    }
    server.signal(Signal::CONT)?;
    hold(slowest <= heartbeat + LATE, || {
        format!("a client noticed after {slowest:?}")
    })?;
    load.connected(&before, Duration::from_secs(20)).await?;
    let one_each = one_connection_each(&load, address, heartbeat + Duration::from_secs(5)).await?;
    let note = load.settle(address, &folder).await?;
    log_is_clean(&server)?;
    let slowest = slowest.as_millis();
    Ok(format!("noticed after {slowest} ms at most; {one_each}; {note}"))
}

/// Waits until every subscriber is present once.
pub(super) async fn one_connection_each(
    load: &Load,
    address: std::net::SocketAddr,
    patience: Duration,
) -> Result<String, Stop> {
    let began = Instant::now();
    let mut reader = Session::connect(address, "counts").await?;
    loop {
        let list = reader.succeed("presence", &json!({"topic": CHANNELS[0]})).await?;
        let users = list["users"].as_array().cloned().unwrap_or_default();
        let single = users.iter().all(|user| user["connections"] == 1);
        if single && users.len() == load.subscribers.len() {
            return Ok(format!(
                "one connection each after {} ms",
                began.elapsed().as_millis()
            ));
        }
        if began.elapsed() > patience {
            return Err(failed(format!("{patience:?} later {list} is present")));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

pub(super) async fn proxy(run: &Run, server: std::net::SocketAddr) -> Result<Proxy, Stop> {
    let proxy = Proxy::start(server, run.seed).await;
    proxy.map_err(|error| failed(format!("no proxy: {error}")))
}
