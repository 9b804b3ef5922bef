//! Where the bytes of files are: `<first two letters of the id>/<id>`, a thumbnail beside it. What arrives is written
//! apart, and moved to its place once it is whole and on the disk.

use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile, TempPath};

/// For the owner alone, as everything in the data folder.
const FOLDER_MODE: u32 = 0o700;
const INCOMING: &str = "incoming";
/// What ends like this is in no backup.
const INCOMING_ENDING: &str = ".new";
const THUMBNAIL_ENDING: &str = ".thumbnail";
const SHELF_LETTERS: usize = 2;

#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    incoming: PathBuf,
}

impl Folder {
    /// Makes it where it is not there, and throws away what was arriving when the server ended.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let folder = Self {
            path: path.to_owned(),
            incoming: path.join(INCOMING),
        };
        make(&folder.incoming)?;
        for left in fs::read_dir(&folder.incoming)? {
            fs::remove_file(left?.path())?;
        }
        Ok(folder)
    }

    /// A new file for bytes to come. It is gone when the value is dropped.
    pub(super) fn receive(&self) -> io::Result<NamedTempFile> {
        Builder::new().suffix(INCOMING_ENDING).tempfile_in(&self.incoming)
    }

    /// Bytes that may still be written.
    pub(super) fn free_bytes(&self) -> io::Result<u64> {
        let disk = rustix::fs::statvfs(&self.path)?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    /// Where the bytes of a file are.
    pub(super) fn file(&self, id: &str) -> PathBuf {
        self.shelf(id).join(id)
    }

    pub(super) fn thumbnail(&self, id: &str) -> PathBuf {
        self.shelf(id).join(format!("{id}{THUMBNAIL_ENDING}"))
    }

    /// Moves what has arrived, and is on the disk, to its place.
    pub(super) fn shelve(&self, id: &str, file: TempPath, thumbnail: Option<TempPath>) -> io::Result<()> {
        let shelf = self.shelf(id);
        if !shelf.exists() {
            make(&shelf)?;
            File::open(&self.path)?.sync_all()?;
        }
        file.persist(self.file(id))?;
        if let Some(thumbnail) = thumbnail {
            thumbnail.persist(self.thumbnail(id))?;
        }
        File::open(&shelf)?.sync_all()
    }

    /// Removes the bytes of a file, those that are there.
    pub(super) fn remove(&self, id: &str) -> io::Result<()> {
        for path in [self.file(id), self.thumbnail(id)] {
            match fs::remove_file(path) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    fn shelf(&self, id: &str) -> PathBuf {
        self.path.join(&id[..SHELF_LETTERS.min(id.len())])
    }
}

fn make(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(path)
}
