//! Why a database cannot be opened: always the operator's to decide, never ours to repair in silence.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// A refusal to start on a database, with what to do about it.
#[derive(Debug)]
pub struct OpenError {
    path: PathBuf,
    why: Why,
}

#[derive(Debug)]
pub(crate) enum Why {
    /// A newer server wrote it: its version, and the newest one that this server knows.
    Newer { found: i64, known: i64 },
    /// A server of another version has it open.
    InUse,
    /// It is a database of another program.
    Foreign,
    /// It holds what this server never writes.
    Damaged(String),
    /// The library that this server was built with is too old.
    Library,
    /// SQLite refused.
    Sql(rusqlite::Error),
    /// The folder that belongs to it cannot be used.
    Folder(io::Error),
    /// No thread could be started.
    Thread(io::Error),
}

impl OpenError {
    pub(crate) fn new(path: &Path, why: Why) -> Self {
        Self {
            path: path.to_owned(),
            why,
        }
    }
}

impl From<rusqlite::Error> for Why {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.why {
            Why::Newer { found, known } => write!(
                f,
                "{path} was written by a newer server (version {found}, this one knows {known}). Run that newer \
                 version, or restore a backup from before it."
            ),
            Why::InUse => write!(
                f,
                "{path} is in use by a server of another version. Use the command of that version, or stop the \
                 server first."
            ),
            Why::Foreign => write!(
                f,
                "{path} is a database of another program. Give this server another data folder, or move the file \
                 away."
            ),
            Why::Damaged(what) => write!(f, "{path} is damaged: {what}. Restore it from a backup."),
            Why::Library => write!(
                f,
                "{path} is not opened: this server was built with SQLite {}, and before 3.51.3 a database could be \
                 corrupted. Build it with a newer one.",
                rusqlite::version()
            ),
            Why::Sql(error) => write!(
                f,
                "{path} cannot be used: {error}. Check that the data folder is writable for this user and has space \
                 left; `bmt-server check-store` says whether the file is sound."
            ),
            Why::Folder(error) => write!(
                f,
                "{path} is not opened: the folder beside it cannot be used ({error}). Check that it is writable for \
                 this user and has space left."
            ),
            Why::Thread(error) => write!(f, "{path} is not opened: its thread cannot be started ({error})."),
        }
    }
}

impl std::error::Error for OpenError {}
