//! Where messages are kept: one contract, several stores.
//!
//! The store and nothing else numbers messages. What [`History::append`] promises (one conformance suite holds
//! every store to it):
//!
//! - A batch is kept whole or not at all, in its order, together with the keys by which a repetition is known
//!   (user, topic, `messageId`). Seqs of a channel are consecutive; a failure burns none.
//! - A read position only moves up, and is kept as the messages are.
//! - Batches are kept in the order in which they were handed over, and answered in that order, after they are as
//!   durable as the store can make them.
//! - A batch that fails takes all batches with it that were handed over before the failure was known: a later
//!   message must not overtake one that its publisher will send again. This is what [`Term`]s are for.
//! - If it is not known whether a commit happened, the store finds out before it answers. If it cannot, it answers
//!   an error, takes nothing more until it can, and the channel notices messages that it never saw by their seq.
//! - A store that lost messages it had confirmed changes the epoch. What it finds damaged it does not serve: who
//!   asks for it gets an error, never less, and never something else.
//! - An erasure takes contents out of messages that are kept, and no message out of its channel.

mod erasure;
mod listing;
mod memory;
mod mint;
mod sqlite;

#[cfg(test)]
pub(crate) mod conformance;

use std::fmt;
use std::sync::Arc;

use bmt_server_core::channel::{Appended, Draft, Entry, Opened, Page, Read, ReadMark, Retention, Traced};
use bmt_shared::channel::ChannelName;
use bmt_shared::error::{ErrorCode, Failure};
use bmt_shared::namespace::Durability;

pub use erasure::Erasure;
pub use listing::{Known, Listing};
pub use memory::MemoryHistory;
pub use sqlite::{Inspection, OpenError, SqliteHistory, SqliteSettings, Trace, Traces, inspect};

/// How a store answers: called once, from any thread, and never waits.
pub type Done<T> = Box<dyn FnOnce(Result<T, StoreFailure>) + Send>;

/// Counts a store's failures. A batch is refused where its sender had not yet heard of the last one.
pub type Term = u64;

/// Most rows of one batch, and of one commit (DESIGN §2).
pub const BATCH_ROWS: usize = 256;

/// Drafts and read positions that are kept together.
pub struct Batch {
    /// The newest term the sender has heard of; 0 at first.
    pub term: Term,
    /// The drafts, at most [`BATCH_ROWS`].
    pub appends: Vec<Append>,
    /// Read positions that are kept with them, after them; at most [`BATCH_ROWS`].
    pub reads: Vec<ReadMark>,
    /// Gets what became of each draft, in order; the read positions share the batch's fate.
    pub done: Done<Vec<Appended>>,
}

impl Batch {
    /// Rows it writes.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.appends.len() + self.reads.len()
    }
}

/// One draft to keep.
pub struct Append {
    /// The message.
    pub draft: Draft,
    /// What its channel keeps.
    pub retention: Retention,
}

/// A store of messages. Its methods hand the work over and never wait; see the [module](self) for the contract.
pub trait History: Send + Sync + 'static {
    /// Answers what a channel needs to become active. The first opening begins its numbering.
    fn open(&self, topic: ChannelName, retention: Retention, now_ms: u64, done: Done<Opened>);

    /// Keeps drafts.
    fn append(&self, batch: Batch);

    /// Answers a run of messages.
    fn read(&self, read: Read, done: Done<Page>);

    /// Answers channels that have had messages, in the order of their names.
    fn list(&self, listing: Listing, done: Done<Vec<Known>>);

    /// Takes what there is of a user out of messages; answers how many that changed. It is as durable then as an
    /// append, and may be done again.
    fn erase(&self, erasure: Erasure, done: Done<u64>);

    /// Messages in memory with something of this user in them. A store on a disk has none: its database is looked
    /// through by [`Traces`], which is slow, and beside everybody else's questions.
    fn remembered_of(&self, traced: &Traced) -> Vec<Arc<Entry>>;

    /// A channel is no longer active. What only an active channel needs may go.
    fn release(&self, topic: &ChannelName);

    /// Whether an append could succeed now, for readiness.
    fn is_writable(&self) -> bool;

    /// Waits until everything that was handed over is kept and the store is closed in good order. Blocks.
    fn close(&self);
}

/// Why a store did not do what it was asked: never the caller's fault. The log has the cause under `incident`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreFailure {
    /// The store's term after this failure.
    pub term: Term,
    /// Names the cause in the log.
    pub incident: Arc<str>,
    /// When to try again, ms.
    pub retry_after_ms: u64,
    /// Whether what is stored is not what was stored: it is not served, and waiting does not mend it.
    pub is_damage: bool,
}

impl fmt::Display for StoreFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_damage {
            return write!(
                f,
                "a part of what is stored here is damaged and is not served (incident {}); whoever runs the server \
                 finds the place with `bmt-server check-store`",
                self.incident
            );
        }
        write!(
            f,
            "the message store does not answer (incident {}); nothing is lost, try again in a moment",
            self.incident
        )
    }
}

impl std::error::Error for StoreFailure {}

impl From<StoreFailure> for Failure {
    fn from(failure: StoreFailure) -> Self {
        Self::new(ErrorCode::ServerError, failure.to_string()).retry_after(failure.retry_after_ms)
    }
}

/// The stores of a node, by what a namespace asks for.
#[derive(Clone)]
pub struct Histories {
    stored: Arc<dyn History>,
    memory: Arc<dyn History>,
}

impl Histories {
    /// `stored` keeps the namespaces that are durable, `memory` the others.
    #[must_use]
    pub fn new(stored: Arc<dyn History>, memory: Arc<dyn History>) -> Self {
        Self { stored, memory }
    }

    /// Everything in memory: for tests and for benches.
    #[must_use]
    pub fn in_memory(idempotency_window_ms: u64) -> Self {
        let memory: Arc<dyn History> = Arc::new(MemoryHistory::new(idempotency_window_ms));
        Self::new(memory.clone(), memory)
    }

    pub(crate) fn of(&self, kind: Kind) -> &Arc<dyn History> {
        match kind {
            Kind::Stored => &self.stored,
            Kind::Memory => &self.memory,
        }
    }

    /// Messages of the namespaces that are kept in memory, with something of this user in them.
    #[must_use]
    pub fn remembered_of(&self, traced: &Traced) -> Vec<Arc<Entry>> {
        self.memory.remembered_of(traced)
    }

    /// Whether a publish in a stored namespace could succeed now (`/readyz`).
    #[must_use]
    pub fn is_writable(&self) -> bool {
        self.stored.is_writable()
    }

    /// Closes all stores in good order. Blocks until they are.
    pub fn close(&self) {
        self.stored.close();
        self.memory.close();
    }
}

/// Which of the stores keeps a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Stored,
    Memory,
}

impl Kind {
    pub(crate) const ALL: [Self; 2] = [Self::Stored, Self::Memory];

    pub(crate) fn of(durability: Durability) -> Self {
        match durability {
            Durability::Stored => Self::Stored,
            // What is not kept is still numbered, and that lives in memory.
            Durability::Memory | Durability::None => Self::Memory,
        }
    }
}
