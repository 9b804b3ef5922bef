//! A copy of everything the server keeps, made while it runs.
//!
//! Each database is copied from one snapshot of it (`VACUUM INTO`), so the copy is a whole one whatever is written
//! meanwhile. Between two databases there may be moments: a user that an uploaded file belongs to may be missing.
//!
//! `messages.mark` stays behind on purpose. A restored backup is older than what clients have seen, so its channels
//! must begin a new epoch; without the mark the server does that at its first start (`history::sqlite`).

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

/// For the owner alone: the copy holds what the original holds.
const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;
/// How long to wait for the server while it writes its log back.
const BUSY: Duration = Duration::from_secs(10);
/// What belongs to a running server or to this very state, and must not be in a copy.
const LEFT_BEHIND: &[&str] = &["lock", "messages.mark"];
const LEFT_BEHIND_ENDINGS: &[&str] = &["db-wal", "db-shm", "db-journal", "new"];

/// What a backup holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Backup {
    /// Databases and other files.
    pub files: u64,
    /// Bytes of all of them.
    pub bytes: u64,
}

/// Why there is no backup.
#[derive(Debug)]
pub enum BackupError {
    /// Nothing of a server is in the data folder.
    NoData(PathBuf),
    /// There is something where the copy should go.
    Taken(PathBuf),
    /// A file cannot be read or written.
    Io(PathBuf, io::Error),
    /// A database cannot be read or copied.
    Sqlite(PathBuf, rusqlite::Error),
}

impl fmt::Display for BackupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoData(path) => write!(
                f,
                "There is no database in {}. Name the server's data folder with `--data-dir` or `store.data_dir`.",
                path.display()
            ),
            Self::Taken(path) => write!(
                f,
                "{} is not empty, and a backup replaces nothing. Name a folder that does not exist yet.",
                path.display()
            ),
            Self::Io(path, error) => write!(
                f,
                "{} cannot be copied: {error}. The backup is not complete; remove it and try again.",
                path.display()
            ),
            Self::Sqlite(path, error) => write!(
                f,
                "The database {} cannot be copied: {error}. The backup is not complete; `bmt-server check-store` \
                 says whether the database is sound.",
                path.display()
            ),
        }
    }
}

impl std::error::Error for BackupError {}

/// Copies the data folder `from` into the new folder `to`. All of it is on the disk when this returns.
///
/// # Errors
/// See [`BackupError`]. What was copied until then is left where it is.
pub fn make(from: &Path, to: &Path) -> Result<Backup, BackupError> {
    let entries = sorted(from)?;
    if !entries.iter().any(|path| is_database(path)) {
        return Err(BackupError::NoData(from.to_owned()));
    }
    if to.exists() && !sorted(to)?.is_empty() {
        return Err(BackupError::Taken(to.to_owned()));
    }
    let mut backup = Backup::default();
    copy_folder(&entries, to, &mut backup)?;
    Ok(backup)
}

fn copy_folder(entries: &[PathBuf], to: &Path, backup: &mut Backup) -> Result<(), BackupError> {
    DirBuilder::new()
        .recursive(true)
        .mode(FOLDER_MODE)
        .create(to)
        .map_err(|error| BackupError::Io(to.to_owned(), error))?;
    for path in entries.iter().filter(|path| !stays(path)) {
        let name = path.file_name().expect("an entry of a folder has a name");
        let copy = to.join(name);
        if path.is_dir() {
            copy_folder(&sorted(path)?, &copy, backup)?;
            continue;
        }
        let bytes = if is_database(path) {
            copy_database(path, &copy)?
        } else {
            match copy_file(path, &copy) {
                // Somebody deleted an upload meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound && !path.exists() => continue,
                copied => copied.map_err(|error| BackupError::Io(path.clone(), error))?,
            }
        };
        backup.files += 1;
        backup.bytes += bytes;
    }
    // The names of the files, too, are on the disk.
    File::open(to)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| BackupError::Io(to.to_owned(), error))
}

fn copy_database(from: &Path, to: &Path) -> Result<u64, BackupError> {
    let failed = |error| BackupError::Sqlite(from.to_owned(), error);
    let unwritable = |error| BackupError::Io(to.to_owned(), error);
    let Some(target) = to.to_str() else {
        let error = io::Error::new(io::ErrorKind::InvalidInput, "its name is not Unicode");
        return Err(unwritable(error));
    };
    // SQLite takes an empty file; this one is nobody else's to read from the start.
    let empty = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(FILE_MODE)
        .open(to);
    let copy = empty.map_err(unwritable)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(from, flags).map_err(failed)?;
    connection.busy_timeout(BUSY).map_err(failed)?;
    connection.execute("VACUUM INTO ?1", [target]).map_err(failed)?;
    copy.sync_all().map_err(unwritable)?;
    copy.metadata().map(|metadata| metadata.len()).map_err(unwritable)
}

fn copy_file(from: &Path, to: &Path) -> io::Result<u64> {
    let mut original = File::open(from)?;
    let mut copy = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(FILE_MODE)
        .open(to)?;
    let bytes = io::copy(&mut original, &mut copy)?;
    copy.sync_all()?;
    Ok(bytes)
}

fn is_database(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "db")
}

fn stays(path: &Path) -> bool {
    let named = |names: &[&str], part: Option<&std::ffi::OsStr>| {
        part.and_then(std::ffi::OsStr::to_str)
            .is_some_and(|part| names.contains(&part))
    };
    named(LEFT_BEHIND, path.file_name()) || named(LEFT_BEHIND_ENDINGS, path.extension())
}

fn sorted(folder: &Path) -> Result<Vec<PathBuf>, BackupError> {
    let listed = fs::read_dir(folder).and_then(|entries| {
        entries
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<io::Result<Vec<_>>>()
    });
    let mut paths = listed.map_err(|error| BackupError::Io(folder.to_owned(), error))?;
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::conformance::{KEEP_ALL, NOW_MS, all, in_sqlite, seqs};

    #[test]
    fn a_copy_of_a_running_store_has_every_message_and_begins_a_new_epoch() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("data"), folder.path().join("copy"));
        fs::create_dir_all(from.join("files/ab")).unwrap();
        fs::write(from.join("files/ab/picture"), "pixels").unwrap();
        fs::write(from.join("jwt_secret"), "s").unwrap();
        fs::write(from.join("lock"), "1").unwrap();
        let store = in_sqlite(&from.join("messages.db"));
        store.fill("a", 25, KEEP_ALL);
        let epoch = store.open("a", KEEP_ALL, NOW_MS).epoch;

        let made = make(&from, &to).unwrap();
        assert_eq!(made.files, 3);
        assert!(!to.join("lock").exists() && !to.join("messages.mark").exists());
        assert_eq!(fs::read_to_string(to.join("files/ab/picture")).unwrap(), "pixels");

        let restored = in_sqlite(&to.join("messages.db"));
        let page = restored.read(all("a"));
        assert_eq!(seqs(&page.entries), (1..=25).collect::<Vec<_>>());
        assert_ne!(
            page.epoch, epoch,
            "clients may have seen more than the backup has"
        );
    }

    #[test]
    fn nothing_is_replaced_and_a_folder_without_a_server_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let empty = folder.path().join("empty");
        fs::create_dir(&empty).unwrap();
        assert!(matches!(
            make(&empty, &folder.path().join("to")),
            Err(BackupError::NoData(_))
        ));
        drop(in_sqlite(&empty.join("messages.db")));
        let taken = folder.path().join("taken");
        fs::create_dir(&taken).unwrap();
        fs::write(taken.join("mine"), "").unwrap();
        assert!(matches!(make(&empty, &taken), Err(BackupError::Taken(_))));
    }
}
