//! The one thread that writes: group commit, and what happens when a commit fails.
//!
//! What arrives while a commit is under way makes up the next one, so under load one sync of the disk carries
//! many messages, and a lone message waits for nobody.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

use bmt_shared::channel::ChannelName;
use rusqlite::{Connection, TransactionBehavior};
use tracing::{error, info};

use super::erasing;
use super::file_id::FileId;
use super::housekeeping::Housekeeping;
use super::mark::Mark;
use super::open_error::Why;
use super::pace::Pace;
use super::rows::{Fate, Rows};
use super::schema;
use super::wal::{Wal, make_room};
use super::write_error::WriteError;
use crate::history::{BATCH_ROWS, Batch, Done, Erasure, StoreFailure, mint};

/// How long the writer sleeps without work before it looks after itself.
const IDLE: Duration = Duration::from_secs(1);
/// When a publisher should come again whose message could not be stored, ms: the writer tries to come back each
/// [`IDLE`].
const RETRY_MS: u64 = 1_000;

/// One thing the writer is told.
pub(super) enum Job {
    Append(Batch),
    Release(ChannelName),
    Erase(Erasure, Done<u64>),
    /// Say when everything before is done, then end.
    Close(SyncSender<()>),
}

impl Job {
    fn rows(&self) -> usize {
        match self {
            Self::Append(batch) => batch.rows(),
            Self::Erase(erasure, _) => erasure.seqs.len(),
            Self::Release(_) => 0,
            // Nobody comes behind it: worth as many as it takes to stop waiting.
            Self::Close(_) => BATCH_ROWS,
        }
    }
}

/// What the writer is made of.
pub(super) struct Parts {
    pub(super) path: PathBuf,
    pub(super) connection: Connection,
    pub(super) mark: Mark,
    pub(super) window_ms: u64,
    pub(super) housekeeping: Housekeeping,
    /// Whether an append could succeed, for others to see.
    pub(super) is_writable: Arc<AtomicBool>,
}

pub(super) struct Writer {
    /// Before the connection: the other one to the log ends first.
    wal: Wal,
    parts: Parts,
    state: State,
    rows: Rows,
    pace: Pace,
    file: FileId,
    /// The last failure: what senders are told that have not heard of it.
    failure: StoreFailure,
    commits: u64,
    /// Commits after which the log was last looked after.
    tended: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Writing,
    /// The last commit failed. Each further one begins with opening the database anew.
    Failing,
}

impl Writer {
    pub(super) fn new(parts: Parts) -> Result<Self, Why> {
        let commits = schema::commits(&parts.connection).map_err(Why::Sqlite)?;
        let file = FileId::of(&parts.path).map_err(Why::Io)?;
        Ok(Self {
            wal: Wal::start(&parts.path, file).map_err(Why::Io)?,
            parts,
            state: State::Writing,
            rows: Rows::default(),
            pace: Pace::new(),
            file,
            failure: StoreFailure {
                term: 0,
                incident: "none".into(),
                retry_after_ms: RETRY_MS,
                is_damage: false,
            },
            commits,
            // What the last run left in the log is looked after, too.
            tended: 0,
        })
    }

    /// Works until it is closed, or until nobody can reach it any more.
    pub(super) fn run(mut self, jobs: &Receiver<Job>) {
        let mut waiting = VecDeque::new();
        loop {
            waiting.extend(jobs.try_iter().take(BATCH_ROWS));
            let meanwhile = rows_of(&waiting);
            if waiting.is_empty() {
                match jobs.recv_timeout(self.patience()) {
                    Ok(job) => waiting.push_back(job),
                    Err(RecvTimeoutError::Timeout) => self.rest(),
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
            self.gather(jobs, &mut waiting, meanwhile);
            match waiting.pop_front() {
                Some(Job::Append(first)) => self.commit_group(first, &mut waiting),
                Some(Job::Release(topic)) => self.rows.release(&topic),
                Some(Job::Erase(erasure, done)) => done(self.erase(&erasure)),
                Some(Job::Close(closed)) => {
                    self.close();
                    // Whoever asked may have given up waiting.
                    let _ = closed.send(());
                    return;
                }
                None => {}
            }
            self.keep_house();
            self.tend_wal(false);
        }
    }

    /// How long to wait for work before the writer looks after itself.
    fn patience(&self) -> Duration {
        match self.state {
            State::Writing => self.wal.moment().unwrap_or(IDLE),
            State::Failing => IDLE,
        }
    }

    /// Takes what has arrived, and waits a moment for what is about to. So many rows came during the last commit.
    fn gather(&mut self, jobs: &Receiver<Job>, waiting: &mut VecDeque<Job>, meanwhile: usize) {
        waiting.extend(jobs.try_iter().take(BATCH_ROWS));
        if !matches!(waiting.front(), Some(Job::Append(_))) {
            return;
        }
        let mut rows = rows_of(waiting);
        let expected = self.pace.expect(meanwhile);
        let until = Instant::now() + self.pace.patience();
        while rows < expected {
            let left = until.saturating_duration_since(Instant::now());
            let Ok(job) = jobs.recv_timeout(left) else {
                return;
            };
            rows += job.rows();
            waiting.push_back(job);
        }
    }

    /// Commits a batch together with those that wait behind it, as many as one commit may carry.
    fn commit_group(&mut self, first: Batch, waiting: &mut VecDeque<Job>) {
        let mut rows = first.rows();
        let mut group = vec![first];
        while let Some(Job::Append(next)) = waiting.front() {
            rows += next.rows();
            if rows > BATCH_ROWS {
                break;
            }
            if let Some(Job::Append(next)) = waiting.pop_front() {
                group.push(next);
            }
        }
        // A sender that has not heard of the last failure must not overtake what failed.
        let (group, late): (Vec<_>, Vec<_>) = group
            .into_iter()
            .partition(|batch| batch.term >= self.failure.term);
        for batch in late {
            (batch.done)(Err(self.failure.clone()));
        }
        if group.is_empty() {
            return;
        }
        let (began, rows) = (Instant::now(), group.iter().map(Batch::rows).sum());
        let written = self.write(&group);
        self.pace.note(rows, began.elapsed());
        match written {
            Ok(fates) => answer(group, fates),
            Err(failure) => {
                for batch in group {
                    (batch.done)(Err(failure.clone()));
                }
            }
        }
    }

    fn write(&mut self, group: &[Batch]) -> Result<Vec<Vec<Fate>>, StoreFailure> {
        if self.state == State::Failing
            && let Err(error) = self.reopen()
        {
            return Err(self.fail(&error));
        }
        let written = self.transact(|rows, transaction, window_ms| {
            let each = |batch: &Batch| {
                let appends = batch.appends.iter();
                let fates = appends
                    .map(|append| rows.append(transaction, append, window_ms))
                    .collect::<rusqlite::Result<_>>()?;
                for mark in &batch.reads {
                    rows.mark(transaction, mark)?;
                }
                Ok(fates)
            };
            group.iter().map(each).collect()
        });
        match written {
            Ok(fates) => {
                self.succeed();
                Ok(fates)
            }
            Err((error, fates)) => {
                let before = self.commits;
                // Only the database knows whether the commit happened; it is asked before anyone is answered.
                match (self.reopen(), fates) {
                    (Ok(()), Some(fates)) if self.commits > before => {
                        info!(%error, "a commit was reported as failed, and had happened");
                        self.succeed();
                        Ok(fates)
                    }
                    _ => Err(self.fail(&error)),
                }
            }
        }
    }

    fn erase(&mut self, erasure: &Erasure) -> Result<u64, StoreFailure> {
        if self.state == State::Failing
            && let Err(error) = self.reopen()
        {
            return Err(self.fail(&error));
        }
        match self.transact(|_, transaction, _| erasing::erase(transaction, erasure)) {
            Ok(changed) => {
                self.succeed();
                Ok(changed)
            }
            // Whether it was done or not: it is done again.
            Err((error, _)) => Err(self.fail(&error)),
        }
    }

    /// Runs one transaction. On failure: why, and the result where only the commit itself failed.
    fn transact<T>(
        &mut self,
        change: impl FnOnce(&mut Rows, &Connection, u64) -> rusqlite::Result<T>,
    ) -> Result<T, (WriteError, Option<T>)> {
        let lost = |error: rusqlite::Error| (WriteError::from(error), None);
        self.file
            .look_for(&self.parts.path)
            .map_err(|error| (error, None))?;
        let commits = self.commits + 1;
        let transaction = self
            .parts
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(lost)?;
        let result = change(&mut self.rows, &transaction, self.parts.window_ms).map_err(lost)?;
        transaction
            .prepare_cached("UPDATE store SET commits = ?1")
            .and_then(|mut statement| statement.execute([commits.cast_signed()]))
            .map_err(lost)?;
        if let Err(error) = transaction.commit() {
            return Err((error.into(), Some(result)));
        }
        self.commits = commits;
        if let Err(error) = self.parts.mark.set(commits) {
            // The messages are stored all the same; only a later loss could go unnoticed.
            error!(%error, "the mark beside the database cannot be written");
        }
        Ok(result)
    }

    /// Opens the database anew and finds out what was committed.
    fn reopen(&mut self) -> Result<(), WriteError> {
        self.rows.forget();
        self.file.look_for(&self.parts.path)?;
        let connection = schema::open_again(&self.parts.path)?;
        self.commits = schema::commits(&connection)?;
        make_room(&connection);
        self.parts.connection = connection;
        Ok(())
    }

    fn succeed(&mut self) {
        if self.state == State::Failing {
            info!(incident = %self.failure.incident, "messages are stored again");
            self.state = State::Writing;
            self.parts.is_writable.store(true, Ordering::Relaxed);
        }
    }

    fn fail(&mut self, error: &WriteError) -> StoreFailure {
        self.rows.forget();
        self.parts.is_writable.store(false, Ordering::Relaxed);
        self.failure.term += 1;
        // One incident from the first failure to the next success: retries do not flood the log.
        if self.state == State::Writing {
            self.state = State::Failing;
            self.failure.incident = mint::incident();
            let path = self.parts.path.display();
            error!(incident = %self.failure.incident, %error, %path, "messages cannot be stored");
        }
        self.failure.clone()
    }

    /// Without work: looks after the log, or whether a store that failed is back.
    fn rest(&mut self) {
        match self.state {
            State::Writing => self.tend_wal(true),
            State::Failing => self.try_again(),
        }
    }

    fn tend_wal(&mut self, is_quiet: bool) {
        if self.state == State::Writing && (is_quiet || self.tended != self.commits) {
            self.tended = self.commits;
            self.wal.tend(&self.parts.connection, is_quiet);
        }
    }

    /// Readiness does not depend on publishers.
    fn try_again(&mut self) {
        let empty = |_: &mut Rows, _: &Connection, _| Ok(());
        let back = self
            .reopen()
            .and_then(|()| self.transact(empty).map_err(|(error, _)| error));
        match back {
            Ok(()) => self.succeed(),
            Err(error) => drop(self.fail(&error)),
        }
    }

    /// Lets go of what is over, a step at a time.
    fn keep_house(&mut self) {
        if self.state == State::Failing || !self.parts.housekeeping.is_due() {
            return;
        }
        let mut housekeeping = self.parts.housekeeping.clone();
        let done = self.transact(|rows, transaction, _| {
            rows.forget();
            housekeeping.run(transaction)
        });
        self.parts.housekeeping = housekeeping;
        if let Err((error, _)) = done {
            self.fail(&error);
        }
    }

    /// Writes the log back into the database, so that the next start finds one file.
    fn close(self) {
        let Self { wal, parts, .. } = self;
        // It ends the pass that is under way.
        drop(wal);
        if let Err(error) = parts.connection.pragma_update(None, "wal_checkpoint", "TRUNCATE") {
            info!(%error, "the log was not written back at the end; the next start does it");
        }
    }
}

fn answer(group: Vec<Batch>, fates: Vec<Vec<Fate>>) {
    for (batch, fates) in group.into_iter().zip(fates) {
        let drafts = batch.appends.into_iter().map(|append| append.draft);
        let appended = drafts.zip(fates).map(|(draft, fate)| fate.of(draft)).collect();
        (batch.done)(Ok(appended));
    }
}

fn rows_of(jobs: &VecDeque<Job>) -> usize {
    jobs.iter().map(Job::rows).sum()
}
