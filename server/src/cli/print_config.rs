//! `bmt-server print-config`.

use super::{Settings, say};

pub(super) fn run(settings: Settings) -> Result<(), String> {
    let config = settings.load().map_err(|error| error.to_string())?;
    say(config.redacted().trim_end());
    Ok(())
}
