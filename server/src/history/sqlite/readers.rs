//! A few threads that read: a cold read never makes a shard or the writer wait.

use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::{io, thread};

use rusqlite::Connection;
use tracing::error;

use super::reads::ReadError;
use super::schema;
use crate::history::{Done, StoreFailure, mint};

/// Reading threads: enough that one slow page does not hold up the others, and no more than disks like.
const READERS: usize = 3;
/// When a reader should come again whose read failed, ms.
const RETRY_MS: u64 = 1_000;
/// The same where what is stored is damaged, ms: it stays so until somebody restores it.
const DAMAGE_RETRY_MS: u64 = 60_000;

type Job = Box<dyn FnOnce(&mut Reader) + Send>;

/// The queue of the reading threads; they end when it is dropped. It holds at most what the shards have room for.
pub(super) struct Readers {
    jobs: Sender<Job>,
}

/// One thread's connection; opened anew after a failure.
pub(super) struct Reader {
    path: Arc<Path>,
    connection: Option<Connection>,
}

impl Readers {
    pub(super) fn start(path: &Arc<Path>) -> io::Result<Self> {
        let (jobs, waiting) = channel::<Job>();
        let waiting = Arc::new(Mutex::new(waiting));
        for at in 0..READERS {
            let mut reader = Reader {
                path: path.clone(),
                connection: None,
            };
            let waiting = waiting.clone();
            thread::Builder::new()
                .name(format!("history-read-{at}"))
                .spawn(move || {
                    while let Some(job) = next(&waiting) {
                        job(&mut reader);
                    }
                })?;
        }
        Ok(Self { jobs })
    }

    /// Has a question answered.
    pub(super) fn ask<T: 'static>(
        &self,
        question: impl FnOnce(&Connection) -> Result<T, ReadError> + Send + 'static,
        done: Done<T>,
    ) {
        let job = Box::new(move |reader: &mut Reader| done(reader.answer(question)));
        self.jobs
            .send(job)
            .expect("the threads run as long as their queue is there");
    }
}

/// The next job. Who waits for it holds the lock, the others wait for the lock: each job goes to one of them.
fn next(waiting: &Mutex<Receiver<Job>>) -> Option<Job> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

impl Reader {
    fn answer<T>(
        &mut self,
        question: impl FnOnce(&Connection) -> Result<T, ReadError>,
    ) -> Result<T, StoreFailure> {
        let connection = match self.connection.take() {
            Some(connection) => Ok(connection),
            None => schema::open_reader(&self.path).map_err(ReadError::from),
        };
        let answered = connection.and_then(|connection| {
            let answer = question(&connection)?;
            self.connection = Some(connection);
            Ok(answer)
        });
        answered.map_err(|error| {
            let incident = mint::incident();
            let is_damage = matches!(error, ReadError::Damaged(_));
            error!(%incident, %error, path = %self.path.display(), "messages cannot be read");
            StoreFailure {
                // A read says nothing about what is written.
                term: 0,
                incident,
                retry_after_ms: if is_damage { DAMAGE_RETRY_MS } else { RETRY_MS },
                is_damage,
            }
        })
    }
}
