//! Publishers and subscribers of a few channels, who go on whatever happens to the server.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bmt_client_core::Status;
use bmt_histcheck::Event;
use tokio::task::JoinHandle;

use crate::client::{Client, Make, Manner};
use crate::journal::{self, Journal};
use crate::outcome::{Stop, failed, hold};
use crate::session::{Session, id_of, seq_of, within};

/// How long everything may take to be quiet once the server is well again.
const QUIET: Duration = Duration::from_secs(60);
/// How long nothing has to come before subscribers that agree are believed.
const AGREE: Duration = Duration::from_millis(300);
/// Publishes that each publisher keeps under way.
const UNDER_WAY: usize = 4;
/// Most violations that are told; the rest is counted.
const TOLD: usize = 3;

/// What runs.
pub(crate) struct Shape {
    pub(crate) publishers: usize,
    pub(crate) subscribers: usize,
    pub(crate) channels: &'static [&'static str],
    /// A publisher's rest between two publishes.
    pub(crate) rest: Duration,
    /// The longest wait of a client between two attempts, ms.
    pub(crate) backoff_cap_ms: u64,
    /// How much a payload holds beside its number.
    pub(crate) padding_bytes: usize,
    /// How many publishers, and as many subscribers, are official clients.
    pub(crate) officials: usize,
}

/// The channels of a load.
pub(crate) const CHANNELS: &[&str] = &["public:one", "public:two"];

impl Shape {
    pub(crate) fn of(publishers: usize, subscribers: usize) -> Self {
        Self {
            publishers,
            subscribers,
            channels: CHANNELS,
            rest: Duration::from_millis(5),
            backoff_cap_ms: 1_000,
            padding_bytes: 0,
            officials: 0,
        }
    }
}

/// A load that runs.
pub(crate) struct Load {
    channels: &'static [&'static str],
    pub(crate) publishers: Vec<Arc<Client>>,
    pub(crate) subscribers: Vec<Client>,
    pumps: Vec<JoinHandle<()>>,
    /// A publisher's rest between two publishes, ms.
    rest_ms: Arc<AtomicU64>,
    stopped: Arc<AtomicBool>,
}

impl Load {
    /// Connects everybody, and begins once all subscriptions stand. The clients write into `folder`.
    pub(crate) async fn start(
        shape: &Shape,
        address: SocketAddr,
        folder: &Path,
        seed: u64,
    ) -> Result<Self, Stop> {
        let client = |kind: char, number: usize, seed_of_kind: u64| {
            let seed = seed.wrapping_mul(1_000) + seed_of_kind + number as u64;
            let make = if number < shape.officials {
                Make::Official
            } else {
                Make::Own
            };
            let manner = Manner {
                backoff_cap_ms: shape.backoff_cap_ms,
                padding_bytes: shape.padding_bytes,
                make,
                ..Manner::of(format!("{kind}{number}"), address, seed)
            };
            Client::start(manner, folder)
        };
        let mut subscribers = Vec::new();
        for number in 0..shape.subscribers {
            let subscriber = client('s', number, 0)?;
            for channel in shape.channels {
                subscriber.subscribe(channel);
            }
            subscribers.push(subscriber);
        }
        for subscriber in &subscribers {
            let all = shape.channels.len();
            subscriber
                .until("its subscriptions", QUIET, |seen| seen.positions.len() == all)
                .await?;
        }
        let mut load = Self {
            channels: shape.channels,
            publishers: Vec::new(),
            subscribers,
            pumps: Vec::new(),
            rest_ms: Arc::default(),
            stopped: Arc::default(),
        };
        load.set_rest(shape.rest);
        for number in 0..shape.publishers {
            let publisher = Arc::new(client('p', number, 500)?);
            load.publishers.push(Arc::clone(&publisher));
            let channel = shape.channels[number % shape.channels.len()];
            let (rest_ms, stopped) = (Arc::clone(&load.rest_ms), Arc::clone(&load.stopped));
            let pump = pump(publisher, channel, rest_ms, stopped);
            load.pumps.push(tokio::spawn(pump));
        }
        Ok(load)
    }

    /// From now on publishers rest so long between two publishes.
    pub(crate) fn set_rest(&self, rest: Duration) {
        let ms = u64::try_from(rest.as_millis()).unwrap_or(u64::MAX);
        self.rest_ms.store(ms, Ordering::Relaxed);
    }

    /// Everybody.
    pub(crate) fn clients(&self) -> impl Iterator<Item = &Client> {
        let publishers = self.publishers.iter().map(AsRef::as_ref);
        self.subscribers.iter().chain(publishers)
    }

    /// Waits until everybody is connected, and not by a connection that was already there `before`.
    pub(crate) async fn connected(&self, before: &[usize], patience: Duration) -> Result<(), Stop> {
        for (client, before) in self.clients().zip(before) {
            client
                .until("its connection", patience, |seen| {
                    seen.status == Some(Status::Connected) && seen.connections > *before
                })
                .await?;
        }
        Ok(())
    }

    /// How many connections each has had, in the order of [`Load::clients`].
    pub(crate) fn connections(&self) -> Vec<usize> {
        self.clients().map(|client| client.seen().connections).collect()
    }

    /// Acked publishes of all publishers.
    pub(crate) fn acked(&self) -> usize {
        self.publishers.iter().map(|client| client.seen().acked).sum()
    }

    /// Waits until so many publishes more are acked.
    pub(crate) async fn acks(&self, more: usize) -> Result<(), Stop> {
        let wanted = self.acked() + more;
        let enough = async {
            while self.acked() < wanted {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        within(
            &format!("{more} acks more ({} came at all)", self.acked()),
            enough,
        )
        .await?;
        Ok(())
    }

    /// Stops publishing and waits until everything is acked and the subscribers agree; answers where they stand.
    pub(crate) async fn stop(&mut self) -> Result<BTreeMap<String, (String, u64)>, Stop> {
        self.stopped.store(true, Ordering::Relaxed);
        for pump in self.pumps.drain(..) {
            pump.await
                .map_err(|error| failed(format!("a publisher: {error}")))?;
        }
        for publisher in &self.publishers {
            publisher
                .until("its last ack", QUIET, |seen| seen.pending == 0)
                .await?;
        }
        let positions = || self.subscribers.iter().map(|client| client.seen().positions);
        let agreed = async {
            // Two looks in a row that are the same: nothing is under way any more.
            let mut before: Vec<_> = positions().collect();
            loop {
                tokio::time::sleep(AGREE).await;
                let now: Vec<_> = positions().collect();
                if now == before && now.windows(2).all(|pair| pair[0] == pair[1]) {
                    return now.into_iter().next().unwrap_or_default();
                }
                before = now;
            }
        };
        // Who does not agree in time is found out by the checker.
        Ok(tokio::time::timeout(QUIET, agreed).await.unwrap_or_default())
    }

    /// Stops publishing, waits until everything is acked and delivered, lists the store and checks the journals.
    /// Answers a note of what was checked.
    pub(crate) async fn settle(mut self, address: SocketAddr, folder: &Path) -> Result<String, Stop> {
        self.stop().await?;
        let mut store = Journal::create(folder, "store")?;
        let mut reader = Session::connect(address, "store").await?;
        let mut late = None;
        for channel in self.channels {
            let (epoch, top) = list(&mut reader, channel, &mut store).await?;
            for subscriber in &self.subscribers {
                let position = (epoch.clone(), top);
                let came = subscriber
                    .until("the last message", QUIET, |seen| {
                        seen.positions.get(*channel) == Some(&position)
                            && seen.status == Some(Status::Connected)
                    })
                    .await;
                // The checker says what exactly is missing.
                late = late.or(came.err());
                subscriber.cover(channel, &epoch, top);
            }
        }
        // Everything is kept in these rows, so nothing may be told to be missing.
        let gaps: Vec<String> = self
            .subscribers
            .iter()
            .flat_map(|client| client.seen().gaps)
            .collect();
        let acked: usize = self.publishers.iter().map(|client| client.seen().acked).sum();
        for subscriber in self.subscribers {
            subscriber.finish().await?;
        }
        for publisher in self.publishers {
            if let Some(publisher) = Arc::into_inner(publisher) {
                publisher.finish().await?;
            }
        }
        drop(store);
        let checked = judge(folder)?;
        late.map_or(Ok(()), Err)?;
        hold(gaps.is_empty(), || {
            format!("subscribers were told of gaps where nothing was lost: {gaps:?}")
        })?;
        Ok(format!("{acked} acked, {checked}"))
    }
}

/// Writes down what the store holds of a channel; answers its epoch and top.
pub(crate) async fn list(
    reader: &mut Session,
    channel: &str,
    store: &mut Journal,
) -> Result<(String, u64), Stop> {
    let listing = reader.list(channel).await?;
    store.note(Event::Store {
        channel: channel.to_owned(),
        epoch: listing.epoch.clone(),
        oldest: listing.messages.first().map_or(1, seq_of),
        top: listing.top,
    });
    for message in &listing.messages {
        store.note(Event::Stored {
            channel: channel.to_owned(),
            epoch: listing.epoch.clone(),
            seq: seq_of(message),
            id: id_of(message),
        });
    }
    Ok((listing.epoch, listing.top))
}

/// Asks the checker about all journals of a folder.
pub(crate) fn judge(folder: &Path) -> Result<String, Stop> {
    let (records, violations) = journal::check(folder)?;
    if violations.is_empty() {
        return Ok(format!("{records} records hold"));
    }
    let told: Vec<String> = violations.iter().take(TOLD).map(ToString::to_string).collect();
    Err(failed(format!(
        "{} violations: {}",
        violations.len(),
        told.join("; ")
    )))
}

async fn pump(publisher: Arc<Client>, channel: &str, rest_ms: Arc<AtomicU64>, stopped: Arc<AtomicBool>) {
    let mut seen = publisher.watch();
    while !stopped.load(Ordering::Relaxed) {
        // Looks up now and then: a server that is down acks nothing, and the end must still be noticed.
        let room = seen.wait_for(|seen| seen.pending < UNDER_WAY);
        match tokio::time::timeout(Duration::from_millis(100), room).await {
            Ok(Ok(_)) => publisher.publish(channel),
            Ok(Err(_)) => return,
            Err(_) => continue,
        }
        // The wish is granted by another task: until then the room is not taken.
        tokio::time::sleep(Duration::from_millis(rest_ms.load(Ordering::Relaxed))).await;
    }
}
