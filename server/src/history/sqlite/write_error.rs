//! Why something was not written.

use std::path::PathBuf;
use std::{fmt, io};

#[derive(Debug)]
pub(super) enum WriteError {
    Sqlite(rusqlite::Error),
    /// The database file is not the one that was opened.
    Gone(PathBuf),
    /// What was written did not reach the disk.
    Io(io::Error),
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(error) => error.fmt(f),
            Self::Gone(path) => write!(
                f,
                "{} was taken away or replaced while it was in use",
                path.display()
            ),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl From<rusqlite::Error> for WriteError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<io::Error> for WriteError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
