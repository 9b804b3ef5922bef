//! Who is signed in, as far as the app knows.

use bmt_shared::identity::User;

/// The session of this tab.
#[derive(Clone, Debug, PartialEq, Default)]
pub(crate) enum Session {
    /// The app asks the server whether the browser still has one.
    #[default]
    Restoring,
    /// Nobody is.
    SignedOut(SignedOut),
    /// Somebody is.
    SignedIn(User),
    /// Somebody was and their page stays as it is, but the server wants the password again.
    Expired(User),
}

/// Why nobody is signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignedOut {
    /// Nobody was.
    Never,
    /// It was asked for, here or in another tab.
    Asked,
    /// It could not be found out: no answer came.
    Unreachable,
}

impl Session {
    /// Whose page this is.
    #[must_use]
    pub(crate) fn user(&self) -> Option<&User> {
        match self {
            Self::SignedIn(user) | Self::Expired(user) => Some(user),
            Self::Restoring | Self::SignedOut(_) => None,
        }
    }
}

/// Why a login did not work; each reads differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LoginTrouble {
    /// A field is empty.
    Incomplete,
    /// Name or password is wrong.
    Wrong,
    /// The account is blocked.
    Blocked,
    /// Too many attempts; wait this many seconds.
    Limited(u64),
    /// No answer came.
    Unreachable,
    /// The server failed with this HTTP status.
    Server(u16),
}

impl LoginTrouble {
    /// Reads the server's refusal (SPEC §2, §10).
    #[must_use]
    pub(crate) fn of_refusal(status: u16, code: &str, retry_after_ms: Option<u64>) -> Self {
        const USUAL_WAIT_MS: u64 = 60_000;
        match (status, code) {
            (429, _) | (_, "rate_limited") => {
                Self::Limited(retry_after_ms.unwrap_or(USUAL_WAIT_MS).div_ceil(1_000).max(1))
            }
            (403, "authentication_failed") => Self::Blocked,
            (400 | 401, _) => Self::Wrong,
            _ => Self::Server(status),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_of_a_login_reads_differently() {
        let read = LoginTrouble::of_refusal;
        assert_eq!(read(401, "authentication_failed", None), LoginTrouble::Wrong);
        assert_eq!(read(403, "authentication_failed", None), LoginTrouble::Blocked);
        assert_eq!(read(403, "permission_denied", None), LoginTrouble::Server(403));
        assert_eq!(read(429, "rate_limited", Some(1_200)), LoginTrouble::Limited(2));
        assert_eq!(read(429, "rate_limited", None), LoginTrouble::Limited(60));
        assert_eq!(read(503, "server_error", None), LoginTrouble::Server(503));
        assert_eq!(read(404, "", None), LoginTrouble::Server(404));
    }
}
