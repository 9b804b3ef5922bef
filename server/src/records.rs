//! What administrators keep: API keys, the audit log, crash reports of the web app, in a database of their own.
//!
//! [`Records`] is a handle: cheap to clone, every method may be called from any task. The database is apart from
//! the accounts, so that a flood of refused requests, each of which is written down, never delays a login. It may
//! be opened by `bmt-server key` while the server runs.

mod audit;
mod crash;
mod denials;
mod key;
mod schema;
mod writer;

#[cfg(test)]
mod tests;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;

use crate::database::{OpenError, Why, Worker, open_reader};
use schema::SCHEMA;
use writer::Writer;

pub use audit::{Actor, AuditEntry, AuditPage, AuditQuery, AuditRow, Outcome};
pub use crash::{Crash, CrashPage, CrashReport};
pub use denials::{Denials, Denied};
pub use key::{ApiKey, KEY_PREFIX, KeyError, NewKey, Scope};

/// The file in the data folder.
pub const RECORDS_FILE: &str = "records.db";

/// How long the audit log keeps what.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    /// Older rows are dropped, ms; 0 keeps them for ever.
    pub keep_ms: u64,
    /// Beyond so many rows some are dropped, those of refused requests first; 0 is no bound.
    pub rows: u64,
}

/// See the [module](self).
#[derive(Clone)]
pub struct Records {
    writer: Writer,
    reader: Worker,
    keys: Arc<key::KeyTable>,
    retention: Retention,
    written: Arc<std::sync::atomic::AtomicU64>,
}

/// Why something was not read or written. It is the server's fault, never the caller's.
#[derive(Debug)]
pub enum RecordsError {
    /// The server is stopping.
    Closed,
    /// SQLite refused: the disk is full, the file is damaged.
    Sql(rusqlite::Error),
    /// It was done, and taken back with others because they could not be kept.
    NotKept,
}

impl fmt::Display for RecordsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the records are closed"),
            Self::Sql(error) => write!(f, "the records' database refused: {error}"),
            Self::NotKept => f.write_str("the records' database could not keep what was written"),
        }
    }
}

impl std::error::Error for RecordsError {}

impl Retention {
    /// What the configuration says.
    #[must_use]
    pub fn of(config: &crate::config::AuditConfig) -> Self {
        Self {
            keep_ms: config.keep_days.saturating_mul(24 * 60 * 60 * 1_000),
            rows: config.rows,
        }
    }
}

impl Records {
    /// Opens the database at `path`, making or migrating it. Blocks: call it before serving.
    ///
    /// # Errors
    /// Where the file cannot be used, or a newer version of the server wrote it.
    pub fn open(path: &Path, retention: Retention) -> Result<Self, OpenError> {
        let open = || {
            let connection = SCHEMA.open(path)?;
            let keys = key::KeyTable::new(schema::salt(&connection)?);
            let reading = open_reader(path)?;
            Ok(Self {
                writer: Writer::start(connection).map_err(Why::Thread)?,
                reader: Worker::start("records-read", reading).map_err(Why::Thread)?,
                keys: Arc::new(keys),
                retention,
                written: Arc::default(),
            })
        };
        open().map_err(|why| OpenError::new(path, why))
    }

    /// Asks on the reading thread, so that nobody who asks waits for a flush of the disk.
    async fn read<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, RecordsError> {
        let answer = self.reader.run(move |connection| question(connection)).await;
        answer.ok_or(RecordsError::Closed)?.map_err(RecordsError::Sql)
    }
}
