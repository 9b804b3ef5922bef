//! What Autobahn says of one case, and how much of that is allowed.

use serde::Deserialize;

/// Both what the server answered and how it closed are judged in these words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(crate) enum Verdict {
    #[serde(rename = "OK")]
    Ok,
    /// Left open by the RFC: the report says what was done.
    #[serde(rename = "INFORMATIONAL")]
    Informational,
    /// As the RFC allows and not as it would rather have it.
    #[serde(rename = "NON-STRICT")]
    NonStrict,
    /// The extension was not negotiated.
    #[serde(rename = "UNIMPLEMENTED")]
    Unimplemented,
    /// Anything else: against the RFC, no close or another one, a word that is not known here.
    #[serde(other)]
    Failed,
}

impl Verdict {
    pub(crate) const ALL: [Self; 5] = [
        Self::Ok,
        Self::Informational,
        Self::NonStrict,
        Self::Unimplemented,
        Self::Failed,
    ];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Informational => "INFORMATIONAL",
            Self::NonStrict => "NON-STRICT",
            Self::Unimplemented => "UNIMPLEMENTED",
            Self::Failed => "FAILED",
        }
    }

    /// How many cases outside of [`COMPRESSION`] may end so.
    pub(crate) fn most(self) -> usize {
        match self {
            Self::Ok => usize::MAX,
            // 7.1.6 (data behind a close in one write), 7.13.1 and 7.13.2 (close codes without a meaning).
            Self::Informational => 3,
            // 6.4.3 and 6.4.4: text that went wrong inside of one frame is refused at the end of that frame.
            Self::NonStrict => 2,
            Self::Unimplemented | Self::Failed => 0,
        }
    }
}

/// The sections about `permessage-deflate`, which is not negotiated.
pub(crate) const COMPRESSION: [u32; 2] = [12, 13];
