//! How many commits this store has confirmed, kept beside the database.
//!
//! SQLite silently drops the end of a write-ahead log that was cut off or damaged: the log would be shorter, and
//! nothing would tell. The mark is written after each commit and before its answers, so it is never ahead of a
//! database that lost nothing, and ahead of one that did. It is not synced: it outlives the process, and after a
//! power cut it is at worst too low, which claims nothing.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

pub(super) struct Mark(File);

impl Mark {
    /// Opens the mark beside the database; with the commits it tells of, if there is one.
    pub(super) fn open(path: &Path) -> io::Result<(Self, Option<u64>)> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        let commits = told(&file)?;
        Ok((Self(file), commits))
    }

    /// The commits that the mark tells of, if there is one.
    pub(super) fn read(path: &Path) -> io::Result<Option<u64>> {
        match File::open(path) {
            Ok(file) => told(&file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) fn set(&self, commits: u64) -> io::Result<()> {
        self.0.write_all_at(&commits.to_le_bytes(), 0)
    }
}

fn told(file: &File) -> io::Result<Option<u64>> {
    let mut bytes = [0; 8];
    match file.read_exact_at(&mut bytes, 0) {
        Ok(()) => Ok(Some(u64::from_le_bytes(bytes))),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_set_is_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mark");
        let (mark, before) = Mark::open(&path).unwrap();
        assert_eq!(before, None);
        mark.set(u64::MAX - 7).unwrap();
        assert_eq!(Mark::open(&path).unwrap().1, Some(u64::MAX - 7));
    }
}
