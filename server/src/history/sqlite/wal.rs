//! The write-ahead log: copied back beside the writer, and begun anew by it.
//!
//! A checkpoint costs two syncs and the time of its pages. In the middle of a commit, all who wait for it would wait
//! for them too. So another thread copies the log into the database whenever some of it has gathered
//! (`checkpointer.rs`). But SQLite begins the log anew only when *all* of it is copied, and beside a writer that
//! commits all the time a checkpoint never comes to the end. The last piece is therefore the writer's: between two
//! commits, when nothing has come for a moment, or else when the log is long enough for that to be rare. Who reads an
//! old state, such as a backup, keeps the log from being begun anew; it grows for as long as that takes.

mod checkpointer;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;
use tracing::{error, info, warn};

use super::file_id::FileId;
use super::write_error::WriteError;
use crate::history::mint;
use checkpointer::Checkpointer;

/// Pages after which the log is copied, beside the writer: 16 MB.
const COPIED_AT_ONCE: u32 = 4_000;
/// Pages after which the writer copies the rest of it, busy as it may be: 80 MB. With 64 publishers that is once in
/// about 300 commits, so that the acks that wait for it are well below one in a hundred. A start after a crash reads
/// that much in a moment.
const BEGUN_ANEW: u32 = 5 * COPIED_AT_ONCE;
/// Pages at which the writer waits for a copy that is under way: 96 MB. The disk cannot keep up.
const MOST: u32 = 6 * COPIED_AT_ONCE;
/// Pages until the next attempt, where one did not succeed: somebody reads an old state.
const TRIED_AGAIN: u32 = 2_000;
/// Pages at which the log says why it is so large.
const TOLD: u32 = 4 * MOST;
/// How long nothing may have come for the writer to copy the rest early: longer than publishers that wait for each
/// other's commits take to come back.
const MOMENT: Duration = Duration::from_millis(50);

/// How long the log is, in pages since it was last begun anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pages {
    log: u32,
    /// How many of them, from its beginning, are in the database, too.
    copied: u32,
}

/// What the log needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Nothing,
    /// Copy beside the writer.
    Copy,
    /// Copy the rest, so that the next commit begins the log anew.
    Finish,
}

/// See the [module](self).
pub(super) struct Wal {
    checkpointer: Checkpointer,
    /// How long the log was when it was last to be copied, and last to be begun anew.
    asked: u32,
    tried: u32,
    is_due: bool,
    /// What a copy that fails is known by, until one succeeds.
    incident: Option<Arc<str>>,
    is_told: bool,
}

impl Wal {
    pub(super) fn start(path: &Path, file: FileId) -> io::Result<Self> {
        Ok(Self {
            checkpointer: Checkpointer::start(path, file)?,
            asked: 0,
            tried: 0,
            is_due: false,
            incident: None,
            is_told: false,
        })
    }

    /// How long to wait for work before [`Self::tend`] is told that all is quiet; `None` where nothing is due, and
    /// now and then is often enough.
    pub(super) fn moment(&self) -> Option<Duration> {
        self.is_due.then_some(MOMENT)
    }

    /// Does what the log needs, between two commits of the writer's connection.
    pub(super) fn tend(&mut self, connection: &Connection, is_quiet: bool) {
        if let Err(error) = self.step(connection, is_quiet) {
            self.fail(&error);
        }
    }

    fn step(&mut self, connection: &Connection, is_quiet: bool) -> Result<Step, WriteError> {
        let passed = self.checkpointer.result();
        self.note(passed);
        self.is_due = false;
        let Some(mut pages) = Pages::now(connection)? else {
            return Ok(Step::Nothing);
        };
        let step = self.next(pages, is_quiet);
        match step {
            Step::Nothing => {}
            Step::Copy => {
                self.asked = pages.log;
                self.checkpointer.ask();
            }
            Step::Finish => {
                self.tried = pages.log;
                let passed = self.checkpointer.wait();
                self.note(passed);
                if let Some(copied) = Pages::copy(connection)? {
                    pages = copied;
                }
                self.tell(pages);
            }
        }
        self.is_due = self.checkpointer.is_at_work()
            || self.next(pages, true) != Step::Nothing && self.is_in_reach(pages);
        Ok(step)
    }

    fn next(&mut self, pages: Pages, is_quiet: bool) -> Step {
        let Pages { log, copied } = pages;
        if log < self.asked.max(self.tried) {
            // It was begun anew.
            (self.asked, self.tried, self.is_told) = (0, 0, false);
        }
        if log == copied {
            return Step::Nothing;
        }
        if log >= MOST && self.is_in_reach(pages) {
            Step::Finish
        } else if self.checkpointer.is_at_work() {
            Step::Nothing
        } else if log - copied.max(self.asked) >= COPIED_AT_ONCE {
            Step::Copy
        } else if is_quiet && log >= COPIED_AT_ONCE || log >= BEGUN_ANEW && self.is_in_reach(pages) {
            // Where nothing is left but what somebody reads, a quiet attempt costs no sync.
            Step::Finish
        } else {
            Step::Nothing
        }
    }

    /// Whether there is hope that an attempt to begin the log anew succeeds, after one that did not.
    fn is_in_reach(&self, pages: Pages) -> bool {
        self.tried == 0 || pages.log >= self.tried + TRIED_AGAIN
    }

    fn note(&mut self, passed: Option<Result<(), WriteError>>) {
        match passed {
            Some(Ok(())) => {
                if let Some(incident) = self.incident.take() {
                    info!(%incident, "the write-ahead log is copied into the database again");
                }
            }
            Some(Err(error)) => self.fail(&error),
            None => {}
        }
    }

    /// One incident from the first failure to the next success. Nobody is refused for it: what is in the log is
    /// stored.
    fn fail(&mut self, error: &WriteError) {
        if self.incident.is_none() {
            let incident = mint::incident();
            error!(
                %incident, %error,
                "the write-ahead log cannot be copied into the database; it grows until it can"
            );
            self.incident = Some(incident);
        }
    }

    fn tell(&mut self, pages: Pages) {
        if pages.copied < pages.log && pages.log >= TOLD && !self.is_told {
            self.is_told = true;
            warn!(
                pages = pages.log,
                "the write-ahead log is large: another program has been reading an old state of the message \
                 database for long, and until it ends the log cannot be begun anew"
            );
        }
    }
}

impl Pages {
    /// `None` where another program is about to copy.
    fn now(connection: &Connection) -> rusqlite::Result<Option<Self>> {
        Self::asked(connection, "PRAGMA wal_checkpoint(NOOP)")
    }

    /// Copies what can be copied without waiting for anybody.
    fn copy(connection: &Connection) -> rusqlite::Result<Option<Self>> {
        Self::asked(connection, "PRAGMA wal_checkpoint(PASSIVE)")
    }

    fn asked(connection: &Connection, pragma: &str) -> rusqlite::Result<Option<Self>> {
        connection.prepare_cached(pragma)?.query_row([], |row| {
            // -1 where nothing is known.
            let number = |at| row.get::<_, i64>(at).map(|pages| u32::try_from(pages).ok());
            Ok(number(1)?
                .zip(number(2)?)
                .map(|(log, copied)| Self { log, copied }))
        })
    }
}

/// Lets the log be begun anew on a disk that may be full: what is written next then takes no more room.
pub(super) fn make_room(connection: &Connection) {
    if let Err(error) = Pages::copy(connection) {
        info!(%error, "the write-ahead log was not copied; the next commit says whether that matters");
    }
}

#[cfg(test)]
mod tests;
