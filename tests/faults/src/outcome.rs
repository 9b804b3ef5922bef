//! What came of a row.

use std::fmt;

/// What came of a row.
pub(crate) enum Outcome {
    /// It held; what was measured.
    Passed(String),
    /// It did not; why.
    Failed(String),
    /// This machine cannot do it; why.
    Skipped(String),
}

/// Why a row ends early.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Something did not hold.
    Failed(String),
    /// This machine cannot do it.
    Skipped(String),
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(why) | Self::Skipped(why) => f.write_str(why),
        }
    }
}

/// What did not hold, in a sentence.
pub(crate) fn failed(why: impl Into<String>) -> Stop {
    Stop::Failed(why.into())
}

/// Fails with a sentence unless it holds.
pub(crate) fn hold(holds: bool, why: impl FnOnce() -> String) -> Result<(), Stop> {
    if holds { Ok(()) } else { Err(failed(why())) }
}

impl From<String> for Stop {
    fn from(why: String) -> Self {
        Self::Failed(why)
    }
}

impl From<Result<String, Stop>> for Outcome {
    fn from(result: Result<String, Stop>) -> Self {
        match result {
            Ok(note) => Self::Passed(note),
            Err(Stop::Failed(why)) => Self::Failed(why),
            Err(Stop::Skipped(why)) => Self::Skipped(why),
        }
    }
}
