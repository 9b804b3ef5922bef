//! The one thread that owns a connection. Jobs are done in the order they come.

use std::{io, thread};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// Jobs that wait for the thread; beyond that, callers wait for a place. These databases are asked a few times a
/// second.
const WAITING_JOBS: usize = 256;

/// A handle on the thread; clones are the same one.
#[derive(Clone)]
pub(crate) struct Worker {
    jobs: mpsc::Sender<Job>,
}

impl Worker {
    /// The thread ends when the last handle is dropped, with the jobs before that done.
    pub(crate) fn start(name: &str, mut connection: Connection) -> io::Result<Self> {
        let (jobs, mut waiting) = mpsc::channel::<Job>(WAITING_JOBS);
        thread::Builder::new().name(name.to_owned()).spawn(move || {
            while let Some(job) = waiting.blocking_recv() {
                job(&mut connection);
            }
        })?;
        Ok(Self { jobs })
    }

    /// Runs a job; `None` where the thread has ended. A job that was taken is done even if its caller goes.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Connection) -> T + Send + 'static,
    ) -> Option<T> {
        let (done, result) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            // The caller may be gone: its HTTP client hung up.
            let _ = done.send(job(connection));
        });
        self.jobs.send(job).await.ok()?;
        result.await.ok()
    }
}
