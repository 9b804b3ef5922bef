//! Why the message database cannot be opened: always the operator's to decide, never ours to repair in silence.

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
pub(super) enum Why {
    /// Written by a newer version of this server.
    Newer { found: i64, known: i64 },
    /// A database of another program.
    Foreign,
    /// What SQLite's check found.
    Damaged(String),
    /// SQLite could not open or read it.
    Sqlite(rusqlite::Error),
    /// A file beside it could not be read or written, or a thread could not be started.
    Io(io::Error),
}

impl OpenError {
    pub(super) fn new(path: &Path, why: Why) -> Self {
        let why = match why {
            Why::Sqlite(error) if is_damage(&error) => Why::Damaged(error.to_string()),
            why => why,
        };
        Self {
            path: path.to_owned(),
            why,
        }
    }

    /// Whether the file is there and cannot be trusted, as opposed to being out of reach.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        matches!(self.why, Why::Damaged(_))
    }
}

fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase))
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.why {
            Why::Newer { found, known } => write!(
                f,
                "{path} was written by a newer server (schema {found}, this one knows up to {known}). \
                 Run that version, or restore a backup from before the upgrade."
            ),
            Why::Foreign => write!(
                f,
                "{path} is the database of another program. Give this server another data directory, or move the \
                 file away."
            ),
            Why::Damaged(what) => write!(
                f,
                "{path} is damaged ({what}), so the server does not start on it. Restore it from a backup together \
                 with the files beside it, or move them away: then all histories begin anew and clients are told."
            ),
            Why::Sqlite(error) => write!(
                f,
                "{path} cannot be opened ({error}). Check that the data directory exists, is writable for this \
                 user and has space left."
            ),
            Why::Io(error) => write!(
                f,
                "{path} and the files beside it cannot be used ({error}). Check that the data directory exists, is \
                 writable for this user and has space left."
            ),
        }
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.why {
            Why::Sqlite(error) => Some(error),
            Why::Io(error) => Some(error),
            Why::Newer { .. } | Why::Foreign | Why::Damaged(_) => None,
        }
    }
}
