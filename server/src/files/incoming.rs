//! A file on its way in: bytes go to the disk as they come, counted; then they are looked into, and kept or not.

use std::fs::{self, File};
use std::io::Write;

use bmt_shared::id::UserId;
use bytes::Bytes;
use tempfile::{NamedTempFile, TempPath};
use tokio::io::AsyncWriteExt;
use tokio::task::spawn_blocking;

use super::kind::{HEAD_BYTES, Kind};
use super::picture::Picture;
use super::shelf::{self, Arrived};
use super::slots::Slot;
use super::{FileError, Files, StoredFile, boxes, name};
use crate::config::FilesConfig;

/// How often the room on the disk is looked at.
const ROOM_EVERY: u64 = 1_024 * 1_024;

/// A file that arrives. Dropping it throws away what came.
pub struct Incoming {
    files: Files,
    owner: UserId,
    slot: Slot,
    writer: tokio::fs::File,
    written: TempPath,
    head: Vec<u8>,
    size: u64,
    /// The room is looked at again when so many bytes are there.
    room_until: u64,
}

/// What an upload says of its file. None of it is believed further than `name` and `kind` say.
#[derive(Clone, Debug, Default)]
pub struct Described {
    /// The name.
    pub name: Option<String>,
    /// The type, without parameters.
    pub mime: Option<String>,
}

impl Incoming {
    pub(super) async fn begin(files: &Files, owner: &UserId, slot: Slot) -> Result<Self, FileError> {
        let inner = files.0.clone();
        let made = spawn_blocking(move || {
            let file = inner.folder.receive()?;
            Ok::<_, FileError>((file.reopen()?, file.into_temp_path()))
        });
        let (writer, written) = made.await.map_err(|_| FileError::Closed)??;
        Ok(Self {
            files: files.clone(),
            owner: owner.clone(),
            slot,
            writer: tokio::fs::File::from_std(writer),
            written,
            head: Vec::new(),
            size: 0,
            room_until: 0,
        })
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// At the limit of a file, and where the disk has no room to spare.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        self.size += bytes.len() as u64;
        let most = self.files.0.config.max_bytes;
        if self.size > most {
            return Err(FileError::TooLarge(most));
        }
        if self.size > self.room_until {
            self.files.check_room().await?;
            self.room_until = self.size + ROOM_EVERY;
        }
        let missing = HEAD_BYTES.saturating_sub(self.head.len());
        self.head.extend(&bytes[..missing.min(bytes.len())]);
        self.writer.write_all(bytes).await?;
        Ok(())
    }

    /// Keeps the file: it is on the disk when this answers.
    ///
    /// # Errors
    /// Where it is an image that cannot be one, or a quota or the disk is full.
    pub async fn finish(self, described: Described, now_ms: u64) -> Result<StoredFile, FileError> {
        let Self {
            files,
            owner,
            slot,
            mut writer,
            written,
            head,
            size,
            ..
        } = self;
        writer.flush().await?;
        drop(writer);
        let kind = Kind::of(&head, described.mime.as_deref());
        let told = described.name.as_deref().unwrap_or_default();
        let file = StoredFile {
            id: shelf::new_id(),
            owner,
            name: name::clean(told),
            mime: kind.mime.to_owned(),
            size,
            width: None,
            height: None,
            thumbnail_mime: None,
            thumbnail_size: 0,
            created_ms: now_ms,
        };
        let decoding = match kind.image {
            Some(_) => {
                let turn = files.0.decoders.clone().acquire_owned();
                Some(turn.await.map_err(|_| FileError::Closed)?)
            }
            None => None,
        };
        let inner = files.0.clone();
        // What was begun goes on where nobody waits for it any more, so it keeps its turn.
        let looked = spawn_blocking(move || match kind.image {
            Some(format) => {
                let _decoding = decoding;
                let bytes = Bytes::from(fs::read(&written)?);
                let config = &inner.config;
                let side = u32::try_from(config.thumbnail_side).unwrap_or(u32::MAX);
                let picture = Picture::of(&bytes, format, config.image_pixels, side);
                drop(written);
                let picture = picture.map_err(|unfit| FileError::unfit(unfit, config.image_pixels))?;
                drop(bytes);
                hang(&inner.folder, file, &picture)
            }
            None => {
                let stored = File::options().read(true).write(true).open(&written)?;
                if boxes::begin(&head, size) {
                    boxes::neutralise(&stored)?;
                }
                stored.sync_all()?;
                Ok(Arrived {
                    file,
                    bytes: written,
                    thumbnail: None,
                })
            }
        });
        // A decoder that gives up in the middle has met a file that is none.
        let arrived = looked.await.unwrap_or_else(|_| {
            let what = "its parts do not fit together".to_owned();
            Err(FileError::Damaged(what))
        })?;
        let kept = files.keep(arrived).await;
        drop(slot);
        kept
    }
}

/// Writes what is kept of an image.
fn hang(folder: &super::folder::Folder, file: StoredFile, picture: &Picture) -> Result<Arrived, FileError> {
    let write = |bytes: &[u8]| {
        let mut file: NamedTempFile = folder.receive()?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        Ok::<_, FileError>(file.into_temp_path())
    };
    let thumbnail = picture.thumbnail.as_ref();
    Ok(Arrived {
        file: StoredFile {
            size: picture.bytes.len() as u64,
            width: Some(picture.width),
            height: Some(picture.height),
            thumbnail_mime: thumbnail.map(|small| small.mime.to_owned()),
            thumbnail_size: thumbnail.map_or(0, |small| small.bytes.len() as u64),
            ..file
        },
        bytes: write(&picture.bytes)?,
        thumbnail: thumbnail.map(|small| write(&small.bytes)).transpose()?,
    })
}

/// Whether so little is free that files have to wait.
pub(super) fn check_room(inner: &super::Inner) -> Result<(), FileError> {
    let config: &FilesConfig = &inner.config;
    if config.free_bytes > 0 && inner.folder.free_bytes()? < config.free_bytes {
        return Err(FileError::NoRoom);
    }
    Ok(())
}
