//! The one thread that changes lists. Changes are made in the order in which they come.

use std::thread;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::OpenError;

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// Changes that wait for the thread; beyond that, callers wait for a place.
const WAITING_JOBS: usize = 256;

#[derive(Clone)]
pub(super) struct Writer {
    jobs: mpsc::Sender<Job>,
}

impl Writer {
    /// The thread ends when the last handle is dropped, with the changes before that made.
    pub(super) fn start(mut connection: Connection) -> Result<Self, OpenError> {
        let (jobs, mut waiting) = mpsc::channel::<Job>(WAITING_JOBS);
        thread::Builder::new()
            .name("members".to_owned())
            .spawn(move || {
                while let Some(job) = waiting.blocking_recv() {
                    job(&mut connection);
                }
            })
            .map_err(OpenError::Thread)?;
        Ok(Self { jobs })
    }

    /// Runs a job; `None` where the thread has ended. A job that was taken is done even if its caller goes.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Connection) -> T + Send + 'static,
    ) -> Option<T> {
        let (done, result) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            let _ = done.send(job(connection));
        });
        self.jobs.send(job).await.ok()?;
        result.await.ok()
    }
}
