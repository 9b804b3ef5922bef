//! How the server is doing: rates and percentiles of the last moments, from samples of what is counted (SPEC §8).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bmt_shared::channel::ChannelName;
use serde::Serialize;
use tokio::time::MissedTickBehavior;
use utoipa::ToSchema;

use crate::connection::Live;
use crate::meters::{Meters, Spread};
use crate::shards::{ChannelDetail, Shards};
use crate::shutdown::Shutdown;

mod process;

pub use process::{OwnProcess, own_process};

/// How often a sample is taken.
const SAMPLE_EVERY: Duration = Duration::from_secs(1);
/// Samples that are kept: percentiles tell of the last minute.
const SAMPLES: usize = 60;
/// Samples between which rates are told: of the last ten seconds.
const RATE_SAMPLES: usize = 10;
/// Messages of figures are spoken of on this channel.
pub const METRICS_CHANNEL: &str = "system:metrics";

/// A handle; clones are the same.
#[derive(Clone)]
pub struct Figures(Arc<Inner>);

struct Inner {
    meters: Arc<Meters>,
    shards: Shards,
    live: Live,
    // A lock, because it is taken once a second and once a request; never held over a wait.
    samples: Mutex<VecDeque<Sample>>,
}

#[derive(Clone)]
struct Sample {
    at: Instant,
    messages: u64,
    deliveries: u64,
    latency: Spread,
    cpu: Duration,
}

/// The object of `GET /stats`.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Stats {
    /// Connections of this node.
    pub connections: usize,
    /// Users with a connection.
    pub users: usize,
    /// Channels in use. `GET /channels` lists those too that nobody has used for a while.
    pub channels: usize,
    /// Messages published since the start.
    pub total_messages: u64,
    /// Of the last ten seconds.
    pub messages_per_second: f64,
    /// Messages handed to connections, of the last ten seconds.
    pub delivered_per_second: f64,
    /// From a publish being taken to its hand-over to all receivers, of the last minute.
    pub latency_ms: Percentiles,
    /// Memory that the process holds; 0 where the system does not tell.
    pub memory_bytes: u64,
    /// Of one core, of the last ten seconds; 200 is two cores.
    pub cpu_percent: f64,
    /// Since the start.
    pub uptime_ms: u64,
    /// Nodes of the cluster.
    pub nodes: u32,
    /// Of the channels in use, those with the most subscribers.
    pub channel_details: Vec<ChannelDetail>,
}

/// What so many of a hundred did not exceed, ms.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct Percentiles {
    /// Half.
    pub p50: f64,
    /// 95 of 100.
    pub p95: f64,
    /// 99 of 100.
    pub p99: f64,
}

impl Figures {
    /// Figures of these channels and connections; nothing is sampled yet.
    #[must_use]
    pub fn new(shards: Shards, live: Live) -> Self {
        let meters = shards.meters().clone();
        let first = Sample::take(&meters);
        Self(Arc::new(Inner {
            meters,
            shards,
            live,
            samples: Mutex::new(VecDeque::from([first])),
        }))
    }

    /// Takes samples until the server stops.
    pub fn start(&self, shutdown: &Shutdown) {
        let (figures, end) = (self.clone(), shutdown.clone());
        shutdown.spawn(async move {
            let mut ticks = tokio::time::interval(SAMPLE_EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    _ = ticks.tick() => figures.sample(),
                    () = end.begun() => return,
                }
            }
        });
    }

    fn sample(&self) {
        let sample = Sample::take(&self.0.meters);
        let mut samples = self.samples();
        if samples.len() >= SAMPLES {
            samples.pop_front();
        }
        samples.push_back(sample);
    }

    fn samples(&self) -> std::sync::MutexGuard<'_, VecDeque<Sample>> {
        let samples = self.0.samples.lock();
        samples.expect("no code panics while it holds the samples")
    }

    /// What is counted.
    #[must_use]
    pub fn meters(&self) -> &Meters {
        &self.0.meters
    }

    /// Whether somebody listens to the figures.
    pub async fn are_listened_to(&self) -> bool {
        let channel = ChannelName::parse(METRICS_CHANNEL).expect("a name of our own");
        self.0.shards.subscribers(&channel).await > 0
    }

    /// How many connections, transports and users there are, channels in use, and requests not answered yet.
    pub async fn load(&self) -> Load {
        let (connections, transports) = self.0.live.count();
        Load {
            connections,
            transports,
            users: self.0.live.users(),
            channels: self.0.shards.largest(0).await.0,
            waiting: self.0.shards.unanswered(),
            writable: self.0.shards.is_writable(),
        }
    }

    /// The figures of now, with at most so many channels.
    pub async fn stats(&self, details: usize) -> Stats {
        let (channels, channel_details) = self.0.shards.largest(details).await;
        let now = Sample::take(&self.0.meters);
        let (lately, oldest) = {
            let samples = self.samples();
            let at = samples.len().saturating_sub(RATE_SAMPLES);
            (samples[at].clone(), samples[0].latency.clone())
        };
        let seconds = now.at.duration_since(lately.at).as_secs_f64().max(0.001);
        let rate = |now: u64, then: u64| round(now.saturating_sub(then) as f64 / seconds);
        let window = now.latency.since(&oldest);
        let cpu = now.cpu.saturating_sub(lately.cpu).as_secs_f64();
        Stats {
            connections: self.0.live.count().0,
            users: self.0.live.users(),
            channels,
            total_messages: now.messages,
            messages_per_second: rate(now.messages, lately.messages),
            delivered_per_second: rate(now.deliveries, lately.deliveries),
            latency_ms: Percentiles {
                p50: window.quantile_ms(0.5),
                p95: window.quantile_ms(0.95),
                p99: window.quantile_ms(0.99),
            },
            memory_bytes: own_process().memory_bytes,
            cpu_percent: round(cpu / seconds * 100.0),
            uptime_ms: u64::try_from(self.0.meters.began.elapsed().as_millis()).unwrap_or(u64::MAX),
            nodes: 1,
            channel_details,
        }
    }
}

/// How much is in hand.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Authenticated connections.
    pub connections: usize,
    /// Open transports, those without a user included.
    pub transports: usize,
    /// Users with a connection.
    pub users: usize,
    /// Channels in memory.
    pub channels: usize,
    /// Requests to channels that are not answered yet.
    pub waiting: usize,
    /// Whether the message store takes writes.
    pub writable: bool,
}

impl Sample {
    fn take(meters: &Meters) -> Self {
        Self {
            at: Instant::now(),
            messages: meters.messages.get(),
            deliveries: meters.deliveries.get(),
            latency: meters.latency.spread(),
            cpu: own_process().cpu,
        }
    }
}

/// To a tenth: more digits would be noise.
fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}
