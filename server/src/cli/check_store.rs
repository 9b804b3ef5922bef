//! `bmt-server check-store`.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::{Settings, say};
use crate::history;
use crate::records::RECORDS_FILE;
use crate::serve::{ACCOUNTS_FILE, FILES_FILE, MEMBERS_FILE, MESSAGES_FILE};

pub(super) fn run(settings: Settings) -> Result<(), String> {
    let data_dir = settings.data_dir()?;
    let mut problems = Vec::new();
    let messages = data_dir.join(MESSAGES_FILE);
    if messages.exists() {
        let found = history::inspect(&messages).map_err(|error| error.to_string())?;
        say(&format!(
            "{MESSAGES_FILE}: {} messages in {} channels",
            found.messages, found.channels
        ));
        problems.extend(
            found
                .problems
                .into_iter()
                .map(|what| format!("{MESSAGES_FILE}: {what}")),
        );
    } else {
        problems.push(missing(&messages));
    }
    for name in [ACCOUNTS_FILE, MEMBERS_FILE, RECORDS_FILE, FILES_FILE] {
        let path = data_dir.join(name);
        if path.exists() {
            let found = pages(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            if found.is_empty() {
                say(&format!("{name}: sound"));
            }
            problems.extend(found.into_iter().map(|what| format!("{name}: {what}")));
        } else {
            problems.push(missing(&path));
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    Err(format!(
        "{}\nThe server refuses to start on a database whose pages or channels are damaged, and serves no message whose \
         checksum is wrong; restore it from a backup.",
        problems.join("\n")
    ))
}

fn missing(path: &Path) -> String {
    format!(
        "{} is not there. Name the server's data folder with `--data-dir` or `store.data_dir`.",
        path.display()
    )
}

/// What SQLite finds in pages, indexes and references; the first hundred.
fn pages(path: &Path) -> rusqlite::Result<Vec<String>> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let database = Connection::open_with_flags(path, flags)?;
    let mut found = Vec::new();
    let mut check = database.prepare("PRAGMA integrity_check(100)")?;
    for line in check.query_map([], |row| row.get::<_, String>(0))? {
        let line = line?;
        if line != "ok" {
            found.push(line);
        }
    }
    let mut references = database.prepare("PRAGMA foreign_key_check")?;
    for table in references.query_map([], |row| row.get::<_, String>(0))? {
        found.push(format!("a row of {} belongs to nothing", table?));
    }
    Ok(found)
}
