//! The list of files in the database, and their bytes, changed together. What is here runs on the one thread that
//! writes; nothing of it stops half-way because somebody hung up.

use bmt_shared::id::UserId;
use rusqlite::{Connection, OptionalExtension, Row, params};
use tempfile::TempPath;

use super::folder::Folder;
use super::{FileError, Quota, StoredFile, Usage};
use crate::config::FilesConfig;
use crate::database::{from_sql, to_sql};
use crate::random;

const COLUMNS: &str =
    "id, owner, name, mime, size, width, height, thumbnail_mime, thumbnail_size, created_ms";
/// Letters of an id: 128 random bits, so that nobody finds a file by trying.
const ID_BYTES: usize = 16;

/// What has arrived and is on the disk.
pub(super) struct Arrived {
    pub(super) file: StoredFile,
    pub(super) bytes: TempPath,
    pub(super) thumbnail: Option<TempPath>,
}

pub(super) fn new_id() -> String {
    random::text::<ID_BYTES>()
}

/// The key of links; the first call makes it.
pub(super) fn link_key(connection: &Connection) -> rusqlite::Result<String> {
    let known = connection.query_row("SELECT key FROM link_key", (), |row| row.get(0));
    match known.optional()? {
        Some(key) => Ok(key),
        None => {
            let key = random::text::<32>();
            connection.execute("INSERT INTO link_key (key) VALUES (?1)", [&key])?;
            Ok(key)
        }
    }
}

/// How much there is: of one user, or of all.
pub(super) fn usage(connection: &Connection, owner: Option<&UserId>) -> rusqlite::Result<Usage> {
    let read = |row: &Row<'_>| {
        Ok(Usage {
            files: from_sql(row.get(0)?),
            bytes: from_sql(row.get(1)?),
        })
    };
    const SUM: &str = "SELECT count(*), coalesce(sum(size + thumbnail_size), 0) FROM file";
    match owner {
        Some(owner) => connection
            .prepare_cached(&format!("{SUM} WHERE owner = ?1"))?
            .query_row([owner.as_str()], read),
        None => connection.prepare_cached(SUM)?.query_row((), read),
    }
}

/// Whether so many bytes more are within the quotas.
pub(super) fn admit(
    connection: &Connection,
    config: &FilesConfig,
    owner: &UserId,
    more: u64,
) -> Result<(), FileError> {
    let over = |used: u64, most: u64| most > 0 && used > most;
    let own = usage(connection, Some(owner))?;
    if over(own.files + 1, config.user_files) {
        return Err(FileError::Full(Quota::UserFiles, config.user_files));
    }
    if over(own.bytes + more, config.user_bytes) {
        return Err(FileError::Full(Quota::UserBytes, config.user_bytes));
    }
    if config.total_bytes > 0 && over(usage(connection, None)?.bytes + more, config.total_bytes) {
        return Err(FileError::Full(Quota::TotalBytes, config.total_bytes));
    }
    Ok(())
}

/// Puts a file into its place. The row comes first, so that whatever is in a place is known to be there.
pub(super) fn keep(
    connection: &Connection,
    folder: &Folder,
    config: &FilesConfig,
    arrived: Arrived,
) -> Result<StoredFile, FileError> {
    let Arrived {
        file,
        bytes,
        thumbnail,
    } = arrived;
    admit(connection, config, &file.owner, file.kept_bytes())?;
    connection
        .prepare_cached(&format!(
            "INSERT INTO file ({COLUMNS}, whole) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 0)"
        ))?
        .execute(params![
            file.id,
            file.owner.as_str(),
            file.name,
            file.mime,
            to_sql(file.size),
            file.width,
            file.height,
            file.thumbnail_mime,
            to_sql(file.thumbnail_size),
            to_sql(file.created_ms),
        ])?;
    if let Err(error) = folder.shelve(&file.id, bytes, thumbnail) {
        discard(connection, folder, &file.id)?;
        return Err(error.into());
    }
    connection
        .prepare_cached("UPDATE file SET whole = 1 WHERE id = ?1")?
        .execute([&file.id])?;
    Ok(file)
}

/// One file; none while it is not whole.
pub(super) fn find(connection: &Connection, id: &str) -> rusqlite::Result<Option<StoredFile>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM file WHERE id = ?1 AND whole = 1"))?
        .query_row([id], read)
        .optional()
}

/// The files of a user, the newest first, behind the one of the id `before`.
pub(super) fn list(
    connection: &Connection,
    owner: &UserId,
    before: Option<&str>,
    limit: usize,
) -> rusqlite::Result<Vec<StoredFile>> {
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM file WHERE owner = ?1 AND whole = 1 \
             AND (?2 IS NULL OR number < (SELECT number FROM file WHERE id = ?2)) ORDER BY number DESC LIMIT ?3"
        ))?
        .query_map(params![owner.as_str(), before, to_sql(limit as u64)], read)?
        .collect()
}

/// Takes a file away: nobody finds it, then its bytes go, then its row.
pub(super) fn remove(connection: &Connection, folder: &Folder, id: &str) -> Result<(), FileError> {
    connection
        .prepare_cached("UPDATE file SET whole = 0 WHERE id = ?1")?
        .execute([id])?;
    discard(connection, folder, id)
}

/// Takes away all files of a user. Answers how many, and how many bytes.
pub(super) fn remove_all(
    connection: &Connection,
    folder: &Folder,
    owner: &UserId,
) -> Result<Usage, FileError> {
    let gone = usage(connection, Some(owner))?;
    connection.execute("UPDATE file SET whole = 0 WHERE owner = ?1", [owner.as_str()])?;
    finish(connection, folder)?;
    Ok(gone)
}

/// Ends what was begun when the server ended: what had not come to its place goes, and what was going goes.
pub(super) fn finish(connection: &Connection, folder: &Folder) -> Result<(), FileError> {
    let unfinished = connection
        .prepare("SELECT id FROM file WHERE whole = 0")?
        .query_map((), |row| row.get(0))?
        .collect::<rusqlite::Result<Vec<String>>>()?;
    for id in unfinished {
        discard(connection, folder, &id)?;
    }
    Ok(())
}

fn discard(connection: &Connection, folder: &Folder, id: &str) -> Result<(), FileError> {
    folder.remove(id)?;
    connection
        .prepare_cached("DELETE FROM file WHERE id = ?1")?
        .execute([id])?;
    Ok(())
}

fn read(row: &Row<'_>) -> rusqlite::Result<StoredFile> {
    Ok(StoredFile {
        id: row.get(0)?,
        owner: UserId::new(row.get_ref(1)?.as_str()?),
        name: row.get(2)?,
        mime: row.get(3)?,
        size: from_sql(row.get(4)?),
        width: row.get(5)?,
        height: row.get(6)?,
        thumbnail_mime: row.get(7)?,
        thumbnail_size: from_sql(row.get(8)?),
        created_ms: from_sql(row.get(9)?),
    })
}
