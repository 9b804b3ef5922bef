//! `bmt-server check-config`.

use super::{Settings, say};
use crate::serve::Certificate;

pub(super) fn run(settings: Settings) -> Result<(), String> {
    let config = settings.load().map_err(|error| error.to_string())?;
    Certificate::read(&config.http).map_err(|error| error.to_string())?;
    say("The configuration is fine.");
    Ok(())
}
