//! Which file the database is: a folder that is taken away leaves us writing into nowhere.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::write_error::WriteError;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        fs::metadata(path).map(|metadata| Self::from(&metadata))
    }

    /// Whether the file is still at its path.
    pub(super) fn look_for(self, path: &Path) -> Result<(), WriteError> {
        match Self::of(path) {
            Ok(found) if found == self => Ok(()),
            _ => Err(WriteError::Gone(path.to_owned())),
        }
    }
}

impl From<&Metadata> for FileId {
    fn from(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
        }
    }
}
