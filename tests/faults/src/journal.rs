//! What one client writes down, as the history checker reads it.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use bmt_histcheck::{Event, Placed, Record, Violation};

use crate::clock;

/// The file of one client. Lines are flushed when it is dropped.
pub(crate) struct Journal {
    client: String,
    file: BufWriter<File>,
}

impl Journal {
    pub(crate) fn create(folder: &Path, client: &str) -> Result<Self, String> {
        let path = folder.join(format!("{client}.jsonl"));
        let file = File::create(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self {
            client: client.to_owned(),
            file: BufWriter::new(file),
        })
    }

    /// Writes down what happened now.
    pub(crate) fn note(&mut self, event: Event) {
        let record = Record {
            at_us: clock::monotonic_us(),
            wall_ms: clock::unix_ms(),
            client: self.client.clone(),
            event,
        };
        let line = serde_json::to_string(&record).expect("a record has only text and numbers");
        // A disk that is full shows in the check: what is missing there is missed.
        let _ = writeln!(self.file, "{line}");
    }
}

/// Reads all journals of a folder and checks them; answers how many records there are.
pub(crate) fn check(folder: &Path) -> Result<(usize, Vec<Violation>), String> {
    let mut records: Vec<Placed> = Vec::new();
    let entries = std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for entry in entries {
        let path = entry.map_err(|error| error.to_string())?.path();
        if path.extension().is_none_or(|extension| extension != "jsonl") {
            continue;
        }
        let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        records.extend(bmt_histcheck::read(&name, &text).map_err(|error| error.to_string())?);
    }
    Ok((records.len(), bmt_histcheck::check(&records)))
}
