//! What administrators keep: API keys, the audit log, crash reports of the web app, in a database of their own.
//!
//! [`Records`] is a handle: cheap to clone, every method may be called from any task. The database is apart from
//! the accounts, so that a flood of refused requests, each of which is written down, never delays a login. It may
//! be opened by `bmt-server key` while the server runs.

mod audit;
mod crash;
mod key;
mod reads;
mod schema;
mod writer;

#[cfg(test)]
mod tests;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use reads::Reads;
use writer::Writer;

pub use audit::{Actor, AuditEntry, AuditPage, AuditQuery, AuditRow, Outcome};
pub use crash::{Crash, CrashPage, CrashReport};
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
    reads: Reads,
    keys: Arc<key::KeyTable>,
    retention: Retention,
    written: Arc<std::sync::atomic::AtomicU64>,
}

/// Why the database cannot be opened.
#[derive(Debug)]
pub enum OpenError {
    /// A newer server wrote it.
    Newer(PathBuf),
    /// Another program's database.
    Foreign(PathBuf),
    /// SQLite refused.
    Sql(PathBuf, rusqlite::Error),
    /// No thread could be started.
    Thread(std::io::Error),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Newer(path) => write!(
                f,
                "{} was written by a newer server. Run that newer version, or restore a backup from before it.",
                path.display()
            ),
            Self::Foreign(path) => write!(f, "{} is a database of another program.", path.display()),
            Self::Sql(path, error) => write!(f, "{} cannot be used: {error}.", path.display()),
            Self::Thread(error) => write!(f, "the records' threads cannot be started: {error}."),
        }
    }
}

impl std::error::Error for OpenError {}

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
        let sql = |error| OpenError::Sql(path.to_owned(), error);
        let connection = schema::open(path)?;
        let keys = key::KeyTable::new(schema::salt(&connection).map_err(sql)?);
        let reading = schema::open_reader(path).map_err(sql)?;
        Ok(Self {
            writer: Writer::start(connection).map_err(OpenError::Thread)?,
            reads: Reads::start(reading).map_err(OpenError::Thread)?,
            keys: Arc::new(keys),
            retention,
            written: Arc::default(),
        })
    }
}

/// SQLite's integers are signed; a time in ms is far from the end of either.
fn sql_ms(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

fn from_sql_ms(ms: i64) -> u64 {
    u64::try_from(ms).unwrap_or(0)
}
