//! What people upload (SPEC §8): bytes in a folder of the data directory, a row for each in a small database.
//!
//! A file is written down under an id that nobody can guess, with the type that its first bytes say. Images and
//! films lose what tells where and when they were taken, and images get a thumbnail. Whoever has the signed address of a file may read it;
//! its owner and administrators may delete it.
//!
//! [`Files`] is a handle: cheap to clone, every method may be called from any task. Uploads are bounded in number,
//! size, pixels and by the room on the disk; whatever breaks off leaves nothing behind.

mod boxes;
mod error;
mod folder;
mod incoming;
mod kind;
mod link;
mod name;
mod picture;
mod schema;
mod shelf;
mod slots;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bmt_shared::id::UserId;
use rusqlite::Connection;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::config::FilesConfig;
use crate::database::{OpenError, Why, Worker};
use folder::Folder;
use link::Links;
use schema::SCHEMA;
use shelf::Arrived;
use slots::Slots;

pub use error::{FileError, Quota};
pub use incoming::{Described, Incoming};

/// Images that are unpacked at a time: each takes 4 bytes a pixel and a core for a second.
const DECODERS: usize = 2;

/// A file that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFile {
    /// 22 letters that nobody can guess.
    pub id: String,
    /// Who uploaded it.
    pub owner: UserId,
    /// For people; see `name`.
    pub name: String,
    /// By the first bytes.
    pub mime: String,
    /// Bytes.
    pub size: u64,
    /// Of an image, as it is shown.
    pub width: Option<u32>,
    /// Of an image, as it is shown.
    pub height: Option<u32>,
    /// Where there is a thumbnail.
    pub thumbnail_mime: Option<String>,
    /// Bytes of the thumbnail.
    pub thumbnail_size: u64,
    /// ms since the Unix epoch.
    pub created_ms: u64,
}

impl StoredFile {
    /// Whether a browser may show it in its place. Everything else is downloaded, as bytes without a type.
    #[must_use]
    pub fn is_media(&self) -> bool {
        kind::is_media(&self.mime)
    }

    fn kept_bytes(&self) -> u64 {
        self.size + self.thumbnail_size
    }
}

/// How much is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Files.
    pub files: u64,
    /// Bytes, thumbnails included.
    pub bytes: u64,
}

/// See the [module](self).
#[derive(Clone)]
pub struct Files(Arc<Inner>);

struct Inner {
    config: FilesConfig,
    folder: Folder,
    worker: Worker,
    slots: Arc<Slots>,
    decoders: Arc<Semaphore>,
    links: Links,
    kept_files: AtomicU64,
    kept_bytes: AtomicU64,
}

impl Files {
    /// Opens the database at `path` and the folder beside it, making them where they are not there, and ends what
    /// was begun when the server ended. Blocks: call it before serving.
    ///
    /// # Errors
    /// Where they cannot be used, or a newer version of the server wrote them.
    pub fn open(path: &Path, folder: &Path, config: FilesConfig) -> Result<Self, OpenError> {
        let open = || {
            let connection = SCHEMA.open(path)?;
            let folder = Folder::open(folder).map_err(Why::Folder)?;
            shelf::finish(&connection, &folder).map_err(|error| match error {
                FileError::Sql(error) => Why::Sql(error),
                FileError::Io(error) => Why::Folder(error),
                other => Why::Folder(std::io::Error::other(other)),
            })?;
            let kept = shelf::usage(&connection, None)?;
            Ok(Self(Arc::new(Inner {
                links: Links::new(&shelf::link_key(&connection)?, config.link_ttl_s * 1_000),
                slots: Slots::new(config.uploads, config.uploads_per_user),
                worker: Worker::start("files", connection).map_err(Why::Thread)?,
                decoders: Arc::new(Semaphore::new(DECODERS)),
                folder,
                config,
                kept_files: AtomicU64::new(kept.files),
                kept_bytes: AtomicU64::new(kept.bytes),
            })))
        };
        open().map_err(|why| OpenError::new(path, why))
    }

    /// Begins an upload; `expected` is how many bytes it will have at least, where that is known.
    ///
    /// # Errors
    /// Where a limit, a quota or the room on the disk forbids it.
    pub async fn receive(&self, owner: &UserId, expected: u64) -> Result<Incoming, FileError> {
        let slot = self.0.slots.take(owner)?;
        if expected > self.0.config.max_bytes {
            return Err(FileError::TooLarge(self.0.config.max_bytes));
        }
        self.check_room().await?;
        let (config, user) = (self.0.config.clone(), owner.clone());
        self.run(move |connection, _| shelf::admit(connection, &config, &user, expected))
            .await?;
        Incoming::begin(self, owner, slot).await
    }

    /// One file.
    ///
    /// # Errors
    /// [`FileError::Unknown`] where there is none.
    pub async fn get(&self, id: &str) -> Result<StoredFile, FileError> {
        let id = id.to_owned();
        self.run(move |connection, _| shelf::find(connection, &id)?.ok_or(FileError::Unknown))
            .await
    }

    /// Files of a user, the newest first, at most `limit`, behind the one of the id `before`.
    ///
    /// # Errors
    /// Where the database refuses.
    pub async fn of_user(
        &self,
        owner: &UserId,
        before: Option<String>,
        limit: usize,
    ) -> Result<Vec<StoredFile>, FileError> {
        let owner = owner.clone();
        self.run(move |connection, _| Ok(shelf::list(connection, &owner, before.as_deref(), limit)?))
            .await
    }

    /// What a user has.
    ///
    /// # Errors
    /// Where the database refuses.
    pub async fn usage(&self, owner: &UserId) -> Result<Usage, FileError> {
        let owner = owner.clone();
        self.run(move |connection, _| Ok(shelf::usage(connection, Some(&owner))?))
            .await
    }

    /// Deletes a file; `owner` is whose it must be, none for administrators.
    ///
    /// # Errors
    /// [`FileError::Unknown`] where there is none of this owner.
    pub async fn delete(&self, id: &str, owner: Option<UserId>) -> Result<(), FileError> {
        let id = id.to_owned();
        let gone = self.run(move |connection, folder| {
            let file =
                shelf::find(connection, &id)?.filter(|file| owner.is_none_or(|owner| file.owner == owner));
            let file = file.ok_or(FileError::Unknown)?;
            shelf::remove(connection, folder, &id)?;
            Ok(file)
        });
        let gone = gone.await?;
        self.count_gone(Usage {
            files: 1,
            bytes: gone.kept_bytes(),
        });
        Ok(())
    }

    /// Deletes all files of a user. Answers what that was.
    ///
    /// # Errors
    /// Where the database or the disk refuses; called again it goes on.
    pub async fn forget(&self, owner: &UserId) -> Result<Usage, FileError> {
        let owner = owner.clone();
        let gone = self
            .run(move |connection, folder| shelf::remove_all(connection, folder, &owner))
            .await?;
        self.count_gone(gone);
        Ok(gone)
    }

    /// What an address of the file needs besides the id.
    #[must_use]
    pub fn link(&self, id: &str, now_ms: u64) -> String {
        self.0.links.sign(id, now_ms)
    }

    /// Whether this server gave this link out for this file, and it has not ended.
    #[must_use]
    pub fn link_holds(&self, id: &str, link: &str, now_ms: u64) -> bool {
        self.0.links.holds(id, link, now_ms)
    }

    /// Where the bytes of a file are. The id must be one that was found.
    #[must_use]
    pub fn path(&self, file: &StoredFile) -> PathBuf {
        self.0.folder.file(&file.id)
    }

    /// Where its thumbnail is.
    #[must_use]
    pub fn thumbnail_path(&self, file: &StoredFile) -> PathBuf {
        self.0.folder.thumbnail(&file.id)
    }

    /// All that is kept.
    #[must_use]
    pub fn kept(&self) -> Usage {
        Usage {
            files: self.0.kept_files.load(Ordering::Relaxed),
            bytes: self.0.kept_bytes.load(Ordering::Relaxed),
        }
    }

    async fn keep(&self, arrived: Arrived) -> Result<StoredFile, FileError> {
        let config = self.0.config.clone();
        let kept = self
            .run(move |connection, folder| shelf::keep(connection, folder, &config, arrived))
            .await?;
        self.0.kept_files.fetch_add(1, Ordering::Relaxed);
        self.0.kept_bytes.fetch_add(kept.kept_bytes(), Ordering::Relaxed);
        Ok(kept)
    }

    fn count_gone(&self, gone: Usage) {
        self.0.kept_files.fetch_sub(gone.files, Ordering::Relaxed);
        self.0.kept_bytes.fetch_sub(gone.bytes, Ordering::Relaxed);
    }

    /// A full disk hurts messages too, so files stop before it is full.
    async fn check_room(&self) -> Result<(), FileError> {
        let inner = self.0.clone();
        let looked = spawn_blocking(move || incoming::check_room(&inner));
        looked.await.map_err(|_| FileError::Closed)?
    }

    async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Connection, &Folder) -> Result<T, FileError> + Send + 'static,
    ) -> Result<T, FileError> {
        let inner = self.0.clone();
        let done = self
            .0
            .worker
            .run(move |connection| job(connection, &inner.folder));
        done.await.unwrap_or(Err(FileError::Closed))
    }
}
