//! A load client: the client core behind a real socket, or the official one, with a journal of what its application
//! is told.
//!
//! It reconnects, recovers and sends again as any client does, so its list has no excuse for a hole.

mod door;
mod driver;
mod official;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use bmt_client_core::Status;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::journal::Journal;
pub(crate) use door::Door;
use driver::Driver;
use official::Official;

/// How a client differs from the others.
pub(crate) struct Manner {
    /// Its name in the journal, and its user.
    pub(crate) name: String,
    /// Where it connects to: the server, or a proxy before it.
    pub(crate) door: Door,
    pub(crate) seed: u64,
    /// How long its heartbeats may take, ms.
    pub(crate) pong_timeout_ms: u64,
    /// The longest wait between two attempts, ms.
    pub(crate) backoff_cap_ms: u64,
    /// How much a payload holds beside its number.
    pub(crate) padding_bytes: usize,
    /// Which client it is.
    pub(crate) make: Make,
}

/// Which client runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Make {
    /// Our own core.
    Own,
    /// The official `socket.io-client`, in a Node process.
    Official,
}

impl Manner {
    pub(crate) fn of(name: impl Into<String>, door: impl Into<Door>, seed: u64) -> Self {
        Self {
            name: name.into(),
            door: door.into(),
            seed,
            pong_timeout_ms: 5_000,
            backoff_cap_ms: 1_000,
            padding_bytes: 0,
            make: Make::Own,
        }
    }
}

/// What can be seen of a client from outside.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// [`None`] before the first change.
    pub(crate) status: Option<Status>,
    /// Publishes that were acked.
    pub(crate) acked: usize,
    /// Publishes that are neither acked nor refused.
    pub(crate) pending: usize,
    pub(crate) refused: usize,
    /// How its last message that asks for it was confirmed: by how many, and by how many not yet.
    pub(crate) confirmed: Option<(u64, u64)>,
    pub(crate) delivered: usize,
    /// Breaks of a stream that it was told of, by their reasons.
    pub(crate) gaps: Vec<String>,
    /// Where it stands in each channel: epoch and seq.
    pub(crate) positions: BTreeMap<String, (String, u64)>,
    /// Connections it has had.
    pub(crate) connections: usize,
    /// When it last lost one, µs on the run's clock.
    pub(crate) lost_at_us: Option<u64>,
    /// The code and the words of the last loss.
    pub(crate) last_loss: Option<(u16, String)>,
    /// Why the last attempt that failed did, as the client tells its application.
    pub(crate) last_failure: Option<String>,
    /// Attempts to connect, successful or not.
    pub(crate) attempts: usize,
}

pub(crate) enum Wish {
    Publish {
        channel: String,
        /// Subscribers are to confirm it.
        require_delivery: bool,
    },
    Subscribe {
        channel: String,
    },
    /// Its window reaches to here.
    Cover {
        channel: String,
        epoch: String,
        to: u64,
    },
}

/// A client that runs by itself. It ends when it is dropped.
pub(crate) struct Client {
    name: String,
    wishes: mpsc::UnboundedSender<Wish>,
    seen: watch::Receiver<Seen>,
    running: JoinHandle<()>,
}

impl Client {
    /// Begins to connect; the journal goes into `folder`.
    pub(crate) fn start(manner: Manner, folder: &Path) -> Result<Self, String> {
        let journal = Journal::create(folder, &manner.name)?;
        let (wishes, wished) = mpsc::unbounded_channel();
        let (shows, seen) = watch::channel(Seen::default());
        let name = manner.name.clone();
        let running = match manner.make {
            Make::Own => tokio::spawn(Driver::new(manner, journal, shows).run(wished)),
            Make::Official => tokio::spawn(Official::start(&manner, journal, shows)?.run(manner, wished)),
        };
        Ok(Self {
            name,
            wishes,
            seen,
            running,
        })
    }

    /// Publishes something of its own; the journal knows what.
    pub(crate) fn publish(&self, channel: &str) {
        self.wish(Wish::Publish {
            channel: channel.to_owned(),
            require_delivery: false,
        });
    }

    /// The same, for subscribers to confirm.
    #[cfg(test)]
    pub(crate) fn publish_to_confirm(&self, channel: &str) {
        self.wish(Wish::Publish {
            channel: channel.to_owned(),
            require_delivery: true,
        });
    }

    pub(crate) fn subscribe(&self, channel: &str) {
        let channel = channel.to_owned();
        self.wish(Wish::Subscribe { channel });
    }

    pub(crate) fn cover(&self, channel: &str, epoch: &str, to: u64) {
        self.wish(Wish::Cover {
            channel: channel.to_owned(),
            epoch: epoch.to_owned(),
            to,
        });
    }

    pub(crate) fn seen(&self) -> Seen {
        self.seen.borrow().clone()
    }

    /// A view of it that a task of its own may hold.
    pub(crate) fn watch(&self) -> watch::Receiver<Seen> {
        self.seen.clone()
    }

    /// Waits until it is seen like that.
    pub(crate) async fn until(
        &self,
        what: &str,
        patience: Duration,
        mut is: impl FnMut(&Seen) -> bool,
    ) -> Result<(), String> {
        let mut seen = self.seen.clone();
        let came = timeout(patience, seen.wait_for(|seen| is(seen))).await;
        match came {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(format!("{} ended before {what}", self.name)),
            Err(_) => Err(format!(
                "{} waited {patience:?} for {what}; it stands at {:?}",
                self.name,
                self.seen()
            )),
        }
    }

    /// Lets it write down what it has, and ends it.
    pub(crate) async fn finish(self) -> Result<(), String> {
        drop(self.wishes);
        self.running.await.map_err(|error| error.to_string())
    }

    fn wish(&self, wish: Wish) {
        // A client that has ended shows in what it does not do.
        let _ = self.wishes.send(wish);
    }
}
