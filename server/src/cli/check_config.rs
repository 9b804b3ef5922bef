//! `bmt-server check-config`.

use super::{Settings, say};

pub(super) fn run(settings: Settings) -> Result<(), String> {
    settings.load().map_err(|error| error.to_string())?;
    say("The configuration is fine.");
    Ok(())
}
