//! Messages in one SQLite file, on disk before the ack.
//!
//! Write-ahead log, `synchronous=FULL`: a commit is on the disk when it returns. One thread writes (`writer.rs`),
//! one copies the log into the database (`wal.rs`), a few read (`readers.rs`), each from a snapshot, so nobody waits
//! for anybody but the publishers for their commit. What the tables are is in `schema.rs`; what a database is checked for before it is trusted, there, in
//! `mark.rs` and, for each row that is read, in `sums.rs`.

mod amending;
mod erasing;
mod file_id;
mod housekeeping;
mod inspection;
mod listing;
mod mark;
mod open_error;
mod pace;
mod place;
mod readers;
mod reads;
mod row;
mod rows;
mod schema;
mod sums;
mod traces;
mod wal;
mod write_error;
mod writer;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SendError, Sender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use bmt_server_core::channel::{Entry, Opened, Page, Read, Retention, Traced};
use bmt_shared::channel::ChannelName;

use super::{Batch, Done, Erasure, History, Known, Listing, StoreFailure};
use crate::clock::Clock;
use crate::namespaces::CurrentNamespaces;
use housekeeping::Housekeeping;
use mark::Mark;
use open_error::Why;
use readers::Readers;
use writer::{Job, Parts, Writer};

pub use inspection::{Inspection, inspect};
pub use open_error::OpenError;
pub use traces::{Trace, Traces};

/// When a publisher should come again that met a closed store, ms: by then another server may be there.
const CLOSED_RETRY_MS: u64 = 5_000;

/// What a message database is opened with.
#[derive(Clone)]
pub struct SqliteSettings {
    /// What channels keep: for those that nobody uses any more.
    pub namespaces: CurrentNamespaces,
    /// How long a publisher's key is known, ms (SPEC §4).
    pub idempotency_window_ms: u64,
    /// The server's clock.
    pub clock: Clock,
}

/// See the [module](self). The one who opens it owns the file: the data directory's lock sees to that.
pub struct SqliteHistory {
    jobs: Sender<Job>,
    readers: Readers,
    is_writable: Arc<AtomicBool>,
    writer: Mutex<Option<thread::JoinHandle<()>>>,
}

impl SqliteHistory {
    /// Opens or makes the database at `path`. Blocks while it is checked.
    ///
    /// # Errors
    /// Where the file is damaged, foreign, from a newer server, or out of reach.
    pub fn open(path: &Path, settings: SqliteSettings) -> Result<Self, OpenError> {
        let failed = |why| OpenError::new(path, why);
        let (mark, confirmed) =
            Mark::open(&path.with_extension("mark")).map_err(|error| failed(Why::Io(error)))?;
        let connection = schema::open_first(path, (&mark, confirmed))?;
        let is_writable = Arc::new(AtomicBool::new(true));
        let writer = Writer::new(Parts {
            path: path.to_owned(),
            connection,
            mark,
            window_ms: settings.idempotency_window_ms,
            housekeeping: Housekeeping::new(settings.namespaces, settings.clock),
            is_writable: is_writable.clone(),
        })
        .map_err(failed)?;
        let (jobs, waiting) = channel();
        let thread = thread::Builder::new()
            .name("history-write".to_owned())
            .spawn(move || writer.run(&waiting))
            .map_err(|error| failed(Why::Io(error)))?;
        let readers = Readers::start(&path.into()).map_err(|error| failed(Why::Io(error)))?;
        Ok(Self {
            jobs,
            readers,
            is_writable,
            writer: Mutex::new(Some(thread)),
        })
    }
}

impl History for SqliteHistory {
    fn open(&self, topic: ChannelName, retention: Retention, now_ms: u64, done: Done<Opened>) {
        let question = move |connection: &_| reads::open(connection, &topic, retention, now_ms);
        self.readers.ask(question, done);
    }

    fn append(&self, batch: Batch) {
        if let Err(SendError(Job::Append(batch))) = self.jobs.send(Job::Append(batch)) {
            (batch.done)(Err(closed()));
        }
    }

    fn read(&self, read: Read, done: Done<Page>) {
        let question = move |connection: &_| reads::read(connection, &read);
        self.readers.ask(question, done);
    }

    fn list(&self, listing: Listing, done: Done<Vec<Known>>) {
        let question = move |connection: &_| listing::list(connection, &listing);
        self.readers.ask(question, done);
    }

    fn erase(&self, erasure: Erasure, done: Done<u64>) {
        if let Err(SendError(Job::Erase(_, done))) = self.jobs.send(Job::Erase(erasure, done)) {
            done(Err(closed()));
        }
    }

    fn remembered_of(&self, _: &Traced) -> Vec<Arc<Entry>> {
        Vec::new()
    }

    fn release(&self, topic: &ChannelName) {
        let _ = self.jobs.send(Job::Release(topic.clone()));
    }

    fn is_writable(&self) -> bool {
        self.is_writable.load(Ordering::Relaxed)
    }

    fn close(&self) {
        let Some(writer) = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            return;
        };
        self.is_writable.store(false, Ordering::Relaxed);
        let (closed, wait) = sync_channel(1);
        if self.jobs.send(Job::Close(closed)).is_ok() {
            // An error is a writer that ended before: there is nothing to wait for.
            let _ = wait.recv();
        }
        let _ = writer.join();
    }
}

/// The writer has ended: the server stops.
fn closed() -> StoreFailure {
    StoreFailure {
        term: 0,
        incident: "closed".into(),
        retry_after_ms: CLOSED_RETRY_MS,
        is_damage: false,
    }
}
