//! The database of accounts: jobs for its thread, and why one was not done.

use std::fmt;

use rusqlite::Connection;

use crate::database::Worker;

/// Why a job was not done. It is the server's fault, never the caller's.
#[derive(Debug)]
pub enum StoreError {
    /// The server is stopping.
    Closed,
    /// SQLite refused: the disk is full, the file is damaged.
    Sql(rusqlite::Error),
    /// A stored password hash cannot be read.
    Hash(String),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the account database is closed"),
            Self::Sql(error) => write!(f, "the account database refused: {error}"),
            Self::Hash(error) => write!(f, "a password hash cannot be used: {error}"),
        }
    }
}

impl std::error::Error for StoreError {}

#[derive(Clone)]
pub(super) struct Database(pub(super) Worker);

impl Database {
    /// Runs a job; it is done even if its caller goes.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let outcome = self.0.run(job).await.ok_or(StoreError::Closed)?;
        outcome.map_err(StoreError::Sql)
    }
}
