//! The folder that holds everything the server keeps. One process at a time owns it.

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::config::Secret;
use crate::random;

const LOCK_FILE: &str = "lock";
const SECRET_FILE: &str = "jwt_secret";
/// For the owner alone: the folder holds password hashes and, in dev mode, a secret.
const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// A data folder that this process has locked. The lock ends with the value, or with the process.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    _lock: File,
}

/// Why the folder cannot be used.
#[derive(Debug)]
pub enum DataDirError {
    /// Another process owns it.
    Taken {
        /// The folder.
        path: PathBuf,
        /// The process that wrote its id into the lock, if it did.
        owner: String,
    },
    /// The folder or a file in it cannot be made, read or written.
    Io {
        /// What was being used.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
}

impl fmt::Display for DataDirError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken { path, owner } => write!(
                f,
                "The data folder {} is in use by another server{owner}. Stop that one, or give this one its own \
                 folder with `--data-dir` or `store.data_dir`.",
                path.display()
            ),
            Self::Io { path, error } => write!(
                f,
                "{} cannot be used: {error}. The server needs a data folder that it may read and write; \
                 `--data-dir` or `store.data_dir` names it.",
                path.display()
            ),
        }
    }
}

impl std::error::Error for DataDirError {}

impl DataDir {
    /// Makes the folder if it is not there, and locks it.
    ///
    /// # Errors
    /// Where it is taken or cannot be used.
    pub fn open(path: &Path) -> Result<Self, DataDirError> {
        let io = |path: &Path| {
            let path = path.to_owned();
            move |error| DataDirError::Io { path, error }
        };
        DirBuilder::new()
            .recursive(true)
            .mode(FOLDER_MODE)
            .create(path)
            .map_err(io(path))?;
        let lock_path = path.join(LOCK_FILE);
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(FILE_MODE)
            .open(&lock_path)
            .map_err(io(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut owner = String::new();
                // Only for the message; a lock without a readable id is taken just as well.
                let _ = lock.read_to_string(&mut owner);
                let owner = match owner.trim() {
                    "" => String::new(),
                    id => format!(" (process {id})"),
                };
                return Err(DataDirError::Taken {
                    path: path.to_owned(),
                    owner,
                });
            }
            Err(TryLockError::Error(error)) => return Err(io(&lock_path)(error)),
        }
        lock.set_len(0)
            .and_then(|()| writeln!(lock, "{}", std::process::id()))
            .map_err(io(&lock_path))?;
        Ok(Self {
            path: path.to_owned(),
            _lock: lock,
        })
    }

    /// Where a file of the data folder is.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The secret that dev mode made for this folder; the first call makes it.
    ///
    /// # Errors
    /// Where its file cannot be read or written.
    pub fn dev_secret(&self) -> Result<Secret, DataDirError> {
        let path = self.file(SECRET_FILE);
        self.read_or_make_secret(&path)
            .map_err(|error| DataDirError::Io { path, error })
    }

    /// The secret that dev mode made for the folder at `path`, for a command beside its server; none where there is
    /// none.
    #[must_use]
    pub fn known_dev_secret(path: &Path) -> Option<Secret> {
        let text = fs::read_to_string(path.join(SECRET_FILE)).ok()?;
        Some(Secret::new(text.trim())).filter(|secret| !secret.is_empty())
    }

    fn read_or_make_secret(&self, path: &Path) -> io::Result<Secret> {
        match fs::read_to_string(path) {
            Ok(text) if text.trim().len() >= 32 => return Ok(Secret::new(text.trim())),
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            // Missing, or cut off by a crash while it was written.
            _ => {}
        }
        let secret = random::text::<48>();
        let fresh = self.file("jwt_secret.new");
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(FILE_MODE)
            .open(&fresh)?;
        file.write_all(secret.as_bytes())?;
        file.sync_all()?;
        fs::rename(&fresh, path)?;
        Ok(Secret::new(secret))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// FAULTS 71.
    #[test]
    fn a_second_owner_is_refused_until_the_first_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("below").join("data");
        let first = DataDir::open(&path).unwrap();
        let told = DataDir::open(&path).unwrap_err().to_string();
        assert!(told.contains("in use by another server"), "{told}");
        assert!(told.contains(&std::process::id().to_string()), "{told}");
        drop(first);
        assert!(DataDir::open(&path).is_ok());
    }

    #[test]
    fn the_folder_and_its_secret_are_for_the_owner_alone_and_the_secret_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data");
        let data = DataDir::open(&path).unwrap();
        let secret = data.dev_secret().unwrap();
        assert_eq!(data.dev_secret().unwrap(), secret);
        assert!(secret.reveal().len() >= 32);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o700);
        assert_eq!(mode(&data.file(SECRET_FILE)), 0o600);
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        let told = DataDir::open(&file.join("data")).unwrap_err().to_string();
        assert!(told.contains("data"), "{told}");
    }
}
