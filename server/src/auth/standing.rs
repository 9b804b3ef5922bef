//! What the account store knows of a user, which outranks the token.

use bmt_shared::identity::Role;

use super::SessionId;

/// How a user stands with this server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The role that holds, whatever the token says.
    pub role: Option<Role>,
    /// Whether the user is kept out.
    pub blocked: bool,
}

/// Answers from memory, at once: it is asked for every connection and every request.
pub trait Standings: Send + Sync {
    /// The user's standing; none for somebody the store has never heard of. Users are keyed by issuer and subject.
    fn of(&self, issuer: &str, subject: &str) -> Option<Standing>;

    /// Whether this login is over. It may forget logins whose last access token has expired.
    fn has_ended(&self, session: &SessionId) -> bool;
}
