//! `bmt-server backup`.

use std::path::Path;

use super::{Settings, say};
use crate::backup;

pub(super) fn run(settings: Settings, to: &Path) -> Result<(), String> {
    let data_dir = settings.data_dir()?;
    let made = backup::make(&data_dir, to).map_err(|error| error.to_string())?;
    say(&format!(
        "{} files, {} bytes, in {}. To restore, stop the server and put this folder in place of the data folder; \
         clients will be told that messages after the backup are gone.",
        made.files,
        made.bytes,
        to.display()
    ));
    Ok(())
}
