//! The thread that copies the write-ahead log into the database while the writer goes on.
//!
//! It runs passive checkpoints, which take no lock that a commit waits for. They sync the log before they copy, and
//! what they have copied stays in the log until the writer begins it anew, so a process that ends at any moment, or a
//! power cut, loses nothing.

use std::fs::File;
use std::mem::ManuallyDrop;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::{io, thread};

use rusqlite::Connection;

use super::super::file_id::FileId;
use super::super::schema;
use super::super::write_error::WriteError;
use super::Pages;

/// Copies when it is asked, one pass at a time.
pub(super) struct Checkpointer {
    /// `None` once it ends.
    asks: Option<SyncSender<()>>,
    passes: Receiver<Result<(), WriteError>>,
    is_at_work: bool,
    thread: Option<thread::JoinHandle<()>>,
}

impl Checkpointer {
    pub(super) fn start(path: &Path, file: FileId) -> io::Result<Self> {
        let (asks, asked) = sync_channel::<()>(1);
        let (answers, passes) = channel();
        let mut copying = Copying {
            path: path.into(),
            file,
            connection: None,
            synced: None,
        };
        let thread = thread::Builder::new()
            .name("history-copy".to_owned())
            .spawn(move || {
                while asked.recv().is_ok() {
                    // Without the writer nobody needs to know.
                    let _ = answers.send(copying.pass());
                }
            })?;
        Ok(Self {
            asks: Some(asks),
            passes,
            is_at_work: false,
            thread: Some(thread),
        })
    }

    /// Begins a pass where none is under way.
    pub(super) fn ask(&mut self) {
        if let Some(asks) = &self.asks
            && !self.is_at_work
        {
            self.is_at_work = asks.try_send(()).is_ok();
        }
    }

    pub(super) fn is_at_work(&self) -> bool {
        self.is_at_work
    }

    /// What came of a pass that has ended since.
    pub(super) fn result(&mut self) -> Option<Result<(), WriteError>> {
        let result = self.passes.try_recv().ok()?;
        self.is_at_work = false;
        Some(result)
    }

    /// Waits for the pass that is under way; what came of it.
    pub(super) fn wait(&mut self) -> Option<Result<(), WriteError>> {
        if !self.is_at_work {
            return None;
        }
        self.is_at_work = false;
        self.passes.recv().ok()
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.asks = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What the thread works with.
struct Copying {
    path: Box<Path>,
    file: FileId,
    /// Opened for the first pass, and anew after a failure.
    connection: Option<Connection>,
    /// The database file, for [`Self::sync`]. It stays open until the process ends: closing any descriptor of a file
    /// would take away the locks that SQLite holds on it, and another program could remove the log under us.
    synced: Option<ManuallyDrop<File>>,
}

impl Copying {
    fn pass(&mut self) -> Result<(), WriteError> {
        self.file.look_for(&self.path)?;
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.open()?,
        };
        let pages = Pages::copy(&connection)?;
        self.connection = Some(connection);
        match pages {
            Some(pages) if pages.copied > 0 => self.sync(),
            _ => Ok(()),
        }
    }

    fn open(&self) -> Result<Connection, WriteError> {
        let connection = schema::open_checkpointer(&self.path)?;
        // What was opened is what was looked for.
        self.file.look_for(&self.path)?;
        Ok(connection)
    }

    /// Has what was copied written to the disk. SQLite itself syncs the database only before the log is begun anew;
    /// done here, little is left for the writer to wait for.
    fn sync(&mut self) -> Result<(), WriteError> {
        let file = match self.synced.take() {
            Some(file) => file,
            None => self.open_for_syncs()?,
        };
        Ok(self.synced.insert(file).sync_data()?)
    }

    fn open_for_syncs(&self) -> Result<ManuallyDrop<File>, WriteError> {
        let file = ManuallyDrop::new(File::open(&self.path)?);
        if FileId::from(&file.metadata()?) == self.file {
            Ok(file)
        } else {
            Err(WriteError::Gone(self.path.clone().into()))
        }
    }
}
