//! The one thread that owns the connection. Jobs are done in the order they come.

use std::fmt;
use std::path::PathBuf;
use std::{io, thread};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// Jobs that wait for the thread; beyond that, callers wait for a place. Accounts are asked a few times a second.
const WAITING_JOBS: usize = 256;

/// Why the database cannot be opened.
#[derive(Debug)]
pub enum OpenError {
    /// A newer server wrote it.
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest version this server knows.
        known: i64,
    },
    /// It is a database of another program, or SQLite is too old.
    Foreign(String),
    /// SQLite refused.
    Sql(rusqlite::Error),
    /// No thread could be started.
    Thread(io::Error),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Newer { path, found, known } => write!(
                f,
                "{} was written by a newer server (version {found}, this one knows {known}). Run that newer \
                 version, or restore a backup from before it.",
                path.display()
            ),
            Self::Foreign(what) => f.write_str(what),
            Self::Sql(error) => write!(f, "the account database cannot be used: {error}"),
            Self::Thread(error) => write!(f, "the account database's thread cannot be started: {error}"),
        }
    }
}

impl std::error::Error for OpenError {}

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

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
pub(super) struct Database {
    jobs: mpsc::Sender<Job>,
}

impl Database {
    /// The thread ends when the last handle is dropped, with the jobs before that done.
    pub(super) fn start(mut connection: Connection) -> Result<Self, OpenError> {
        let (jobs, mut waiting) = mpsc::channel::<Job>(WAITING_JOBS);
        thread::Builder::new()
            .name("accounts".to_owned())
            .spawn(move || {
                while let Some(job) = waiting.blocking_recv() {
                    job(&mut connection);
                }
            })
            .map_err(OpenError::Thread)?;
        Ok(Self { jobs })
    }

    pub(super) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (done, result) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            // The caller may be gone: its HTTP client hung up. The job is done all the same.
            let _ = done.send(job(connection));
        });
        self.jobs.send(job).await.map_err(|_| StoreError::Closed)?;
        result
            .await
            .map_err(|_| StoreError::Closed)?
            .map_err(StoreError::Sql)
    }
}
