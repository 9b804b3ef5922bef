//! Why a file is not kept or not found.

use std::{fmt, io};

use super::picture::Unfit;

/// What can go wrong with a file. The texts are whole sentences for the person who uploads.
#[derive(Debug)]
pub enum FileError {
    /// It has more bytes than are taken: how many are.
    TooLarge(u64),
    /// The image has too many pixels: its width and height, and how many pixels are taken.
    TooManyPixels(u32, u32, u64),
    /// The image cannot be shown.
    Damaged(String),
    /// A quota is used up: whose, and how much it is.
    Full(Quota, u64),
    /// Too many uploads at this moment, of this user or of all.
    Busy {
        /// Whether they are the user's own.
        own: bool,
    },
    /// The disk has no room to spare.
    NoRoom,
    /// There is no such file, or not for this user.
    Unknown,
    /// The server is stopping.
    Closed,
    /// The disk refused.
    Io(io::Error),
    /// The database refused.
    Sql(rusqlite::Error),
}

/// What there may be only so much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quota {
    /// Bytes of one user.
    UserBytes,
    /// Files of one user.
    UserFiles,
    /// Bytes of all.
    TotalBytes,
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge(most) => write!(
                f,
                "The file is too large: {most} bytes are taken at most. Send a smaller one, or parts of it."
            ),
            Self::TooManyPixels(width, height, most) => write!(
                f,
                "The image is too large: it has {width} × {height} pixels, and {most} are taken at most, half of \
                 that with 16 bits a colour. Make it smaller and send it again."
            ),
            Self::Damaged(what) => write!(
                f,
                "The image is damaged: {what}. Open it where it came from, save it anew and send it again."
            ),
            Self::Full(Quota::UserBytes, most) => write!(
                f,
                "Your files fill the {most} bytes that one user has here. Delete some, then send this one again."
            ),
            Self::Full(Quota::UserFiles, most) => write!(
                f,
                "You have the {most} files that one user may have here. Delete some, then send this one again."
            ),
            Self::Full(Quota::TotalBytes, most) => write!(
                f,
                "The files of all users fill the {most} bytes that this server keeps. Tell its operator."
            ),
            Self::Busy { own: true } => {
                f.write_str("Too many of your uploads run at the same time. Send this one when another is done.")
            }
            Self::Busy { own: false } => {
                f.write_str("Too many uploads run at the same time. Send this one in a moment.")
            }
            Self::NoRoom => f.write_str(
                "The server's disk has no room for files now. Messages still work; tell its operator, or try later.",
            ),
            Self::Unknown => f.write_str("There is no such file, or it is not yours."),
            Self::Closed => f.write_str("The server is stopping. Send the file again in a moment."),
            Self::Io(error) => write!(f, "the disk refused: {error}"),
            Self::Sql(error) => write!(f, "the database of files refused: {error}"),
        }
    }
}

impl std::error::Error for FileError {}

impl FileError {
    pub(super) fn unfit(unfit: Unfit, most_pixels: u64) -> Self {
        match unfit {
            Unfit::TooLarge(width, height) => Self::TooManyPixels(width, height, most_pixels),
            Unfit::Damaged(what) => Self::Damaged(what),
        }
    }
}

impl From<rusqlite::Error> for FileError {
    fn from(error: rusqlite::Error) -> Self {
        let is_full = error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull);
        if is_full { Self::NoRoom } else { Self::Sql(error) }
    }
}

impl From<io::Error> for FileError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoRoom,
            _ => Self::Io(error),
        }
    }
}
