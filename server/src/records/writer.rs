//! The one thread that writes. What waits is written with one flush of the disk.

use std::{io, thread};

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use super::RecordsError;

/// Writes that wait; beyond that, callers wait for a place: their requests are answered later.
const WAITING_WRITES: usize = 1_024;
/// Most writes of one commit.
const BATCH: usize = 256;

/// Tells the caller, once it is known whether the commit held.
type Tell = Box<dyn FnOnce(bool) + Send>;
/// A write inside a transaction of many: whether it is to be kept, and how to tell.
type Job = Box<dyn FnOnce(&Connection) -> (bool, Tell) + Send>;

#[derive(Clone)]
pub(super) struct Writer {
    jobs: mpsc::Sender<Job>,
}

impl Writer {
    /// The thread ends when the last handle is dropped, with the writes before that done.
    pub(super) fn start(mut connection: Connection) -> io::Result<Self> {
        let (jobs, mut waiting) = mpsc::channel::<Job>(WAITING_WRITES);
        thread::Builder::new().name("records".to_owned()).spawn(move || {
            let mut batch = Vec::with_capacity(BATCH);
            while waiting.blocking_recv_many(&mut batch, BATCH) > 0 {
                write(&mut connection, &mut batch);
            }
        })?;
        Ok(Self { jobs })
    }

    /// Runs `job` and answers when what it wrote is on the disk. A job that fails leaves nothing.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, RecordsError> {
        let (done, result) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            let outcome = job(connection);
            let kept = outcome.is_ok();
            let tell: Tell = Box::new(move |committed| {
                let outcome = match outcome {
                    Ok(_) if !committed => Err(RecordsError::NotKept),
                    outcome => outcome.map_err(RecordsError::Sql),
                };
                // The caller may be gone: its HTTP client hung up. The write is done all the same.
                let _ = done.send(outcome);
            });
            (kept, tell)
        });
        self.jobs.send(job).await.map_err(|_| RecordsError::Closed)?;
        result.await.map_err(|_| RecordsError::Closed)?
    }
}

fn write(connection: &mut Connection, batch: &mut Vec<Job>) {
    let mut told = Vec::with_capacity(batch.len());
    let committed = commit(connection, batch, &mut told);
    if let Err(error) = &committed {
        tracing::error!(%error, "records could not be written");
        // What was not begun is dropped: its callers hear that the records are closed to them.
        batch.clear();
    }
    for tell in told {
        tell(committed.is_ok());
    }
}

fn commit(connection: &mut Connection, batch: &mut Vec<Job>, told: &mut Vec<Tell>) -> rusqlite::Result<()> {
    let mut all = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for job in batch.drain(..) {
        let one = all.savepoint()?;
        let (kept, tell) = job(&one);
        told.push(tell);
        if kept {
            one.commit()?;
        } else {
            one.finish()?;
        }
    }
    all.commit()
}
