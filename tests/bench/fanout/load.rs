//! One load on one server.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::peer::{Binding, Kind, Peer};
use crate::percentile_ms;
use crate::server::Server;

/// Bytes of the published payload, as JSON.
const PAYLOAD_BYTES: usize = 128;
/// One in so many subscribers times what it gets: to read the time out of every message would cost the machine
/// more than the cheapest server does.
const TIMED: usize = 4;
/// What is published before anything is counted.
const WARMING: Duration = Duration::from_millis(500);

/// What is measured.
pub(crate) struct Load {
    pub(super) channels: usize,
    /// Of each channel.
    pub(super) subscribers: usize,
    pub(super) in_flight: usize,
    pub(super) measure: Duration,
}

/// What came out.
pub(crate) struct Outcome {
    pub(super) deliveries_per_second: f64,
    pub(super) deliveries_per_cpu_second: f64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) resident_mib: f64,
    /// CPU of the load itself, of one core: what is left tells whether it was the limit.
    pub(super) load_cores: f64,
}

struct Shared {
    clock: Instant,
    measuring: AtomicBool,
    stop: AtomicBool,
    deliveries: AtomicU64,
    /// Microseconds.
    latencies: Mutex<Vec<u32>>,
}

/// A server and all subscribers of a load, connected once and measured as often as is wanted.
pub(crate) struct Field<'a> {
    load: &'a Load,
    binding: Binding,
    server: Server,
    subscribers: JoinSet<Result<(), String>>,
    shared: Arc<Shared>,
    /// Publishers so far: each is a user of its own, so that their messages are not taken for each other's.
    publishers: usize,
}

impl<'a> Field<'a> {
    /// Connects and subscribes them to a server that was just started.
    pub(super) async fn connect(load: &'a Load, server: Server, binding: Binding) -> Result<Self, String> {
        let shared = Arc::new(Shared {
            clock: Instant::now(),
            measuring: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            deliveries: AtomicU64::new(0),
            latencies: Mutex::default(),
        });
        let mut subscribers = JoinSet::new();
        for number in 0..load.channels * load.subscribers {
            let mut peer = Peer::connect(&server.address, binding, &format!("s{number}")).await?;
            peer.subscribe(&topic(number % load.channels), None).await?;
            let timed = number % TIMED == 0;
            subscribers.spawn(receive(peer, timed, Arc::clone(&shared)));
        }
        Ok(Self {
            load,
            binding,
            server,
            subscribers,
            shared,
            publishers: 0,
        })
    }

    /// Publishes for as long as the load says, after [`WARMING`]; all is quiet again when this returns.
    pub(super) async fn measure(&mut self) -> Result<Outcome, String> {
        let (server, shared) = (&self.server, &self.shared);
        let name = format!("publisher{}", self.publishers);
        self.publishers += 1;
        shared.stop.store(false, Ordering::Relaxed);
        let publisher = Peer::connect(&server.address, self.binding, &name).await?;
        let publishing = tokio::spawn(publish(
            publisher,
            self.load.channels,
            self.load.in_flight,
            Arc::clone(shared),
        ));

        tokio::time::sleep(WARMING).await;
        shared.deliveries.store(0, Ordering::Relaxed);
        let (cpu, own_cpu, began) = (server.cpu_seconds()?, Server::own_cpu_seconds()?, Instant::now());
        shared.measuring.store(true, Ordering::Relaxed);
        tokio::time::sleep(self.load.measure).await;
        shared.measuring.store(false, Ordering::Relaxed);
        let seconds = began.elapsed().as_secs_f64();
        let (cpu, own_cpu) = (server.cpu_seconds()? - cpu, Server::own_cpu_seconds()? - own_cpu);
        let resident_mib = server.resident_mib()?;
        shared.stop.store(true, Ordering::Relaxed);
        publishing
            .await
            .map_err(|error| format!("the publisher failed: {error}"))??;
        if let Some(ended) = self.subscribers.try_join_next() {
            let why = ended.map_err(|error| error.to_string()).and_then(|why| why);
            return Err(format!("a subscriber ended: {why:?}"));
        }
        let mut latencies = std::mem::take(&mut *shared.latencies.lock().map_err(|error| error.to_string())?);
        latencies.sort_unstable();
        #[expect(clippy::cast_precision_loss, reason = "counts of a few millions")]
        let deliveries = shared.deliveries.load(Ordering::Relaxed) as f64;
        Ok(Outcome {
            deliveries_per_second: deliveries / seconds,
            deliveries_per_cpu_second: deliveries / cpu.max(0.01),
            p50_ms: percentile_ms(&latencies, 50),
            p99_ms: percentile_ms(&latencies, 99),
            resident_mib,
            load_cores: own_cpu / seconds,
        })
    }
}

fn topic(number: usize) -> String {
    format!("public:bench-{number}")
}

/// Counts what arrives while measuring, and times it where it is `timed`.
async fn receive(mut peer: Peer, timed: bool, shared: Arc<Shared>) -> Result<(), String> {
    let mut times = Vec::new();
    loop {
        let measuring = shared.measuring.load(Ordering::Relaxed);
        let mut deliveries = 0;
        let now_us = u64::try_from(shared.clock.elapsed().as_micros()).unwrap_or(u64::MAX);
        while let Some((kind, text)) = peer.next()? {
            if kind == Kind::Message && measuring {
                deliveries += 1;
                if let (true, Some(sent_us)) = (timed, sent_at(text)) {
                    times.push(u32::try_from(now_us.saturating_sub(sent_us)).unwrap_or(u32::MAX));
                }
            }
        }
        if deliveries > 0 {
            shared.deliveries.fetch_add(deliveries, Ordering::Relaxed);
        }
        if !times.is_empty() {
            let mut latencies = shared.latencies.lock().map_err(|error| error.to_string())?;
            latencies.append(&mut times);
        }
        // Last: the answer to the subscription may have come with a ping behind it.
        peer.fill().await?;
    }
}

fn sent_at(message: &str) -> Option<u64> {
    let (_, rest) = message.split_once("\"us\":")?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// Keeps `in_flight` publishes unanswered until told to stop, on one channel after the other, and waits for the last
/// answers.
async fn publish(
    mut peer: Peer,
    channels: usize,
    in_flight: usize,
    shared: Arc<Shared>,
) -> Result<(), String> {
    let topics: Vec<String> = (0..channels).map(topic).collect();
    let mut next = 0;
    let mut unanswered = 0;
    loop {
        if shared.stop.load(Ordering::Relaxed) {
            if unanswered == 0 {
                return Ok(());
            }
        } else {
            for _ in unanswered..in_flight {
                let head = format!("{{\"us\":{},\"pad\":\"", shared.clock.elapsed().as_micros());
                let pad = "x".repeat(PAYLOAD_BYTES - head.len() - 2);
                peer.stage_publish(&topics[next], &format!("{head}{pad}\"}}"));
                next = (next + 1) % topics.len();
            }
            unanswered = in_flight;
        }
        peer.fill().await?;
        while let Some((kind, text)) = peer.next()? {
            match kind {
                Kind::Success => unanswered -= 1,
                Kind::Failure => return Err(format!("a publish was refused: {text}")),
                Kind::Message | Kind::Other => {}
            }
        }
    }
}
