//! The one thread that reads, so that nobody who asks waits for a flush of the disk.

use std::{io, thread};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::RecordsError;

type Job = Box<dyn FnOnce(&Connection) + Send>;

/// Questions that wait for the thread; beyond that, callers wait for a place.
const WAITING_READS: usize = 256;

#[derive(Clone)]
pub(super) struct Reads {
    jobs: mpsc::Sender<Job>,
}

impl Reads {
    pub(super) fn start(connection: Connection) -> io::Result<Self> {
        let (jobs, mut waiting) = mpsc::channel::<Job>(WAITING_READS);
        thread::Builder::new()
            .name("records-read".to_owned())
            .spawn(move || {
                while let Some(job) = waiting.blocking_recv() {
                    job(&connection);
                }
            })?;
        Ok(Self { jobs })
    }

    pub(super) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, RecordsError> {
        let (done, result) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            // The caller may be gone.
            let _ = done.send(job(connection));
        });
        self.jobs.send(job).await.map_err(|_| RecordsError::Closed)?;
        let outcome = result.await.map_err(|_| RecordsError::Closed)?;
        outcome.map_err(RecordsError::Sql)
    }
}
