//! Who speaks: a token becomes an identity, or a reason why not (SPEC §2).
//!
//! Algorithms and keys are fixed by configuration, never taken from the token: the secret, or a public key set
//! from one file or address, read anew while the server runs. Access tokens are JWTs; refresh tokens
//! ([`RefreshKey`]), tickets, what a guest's browser keeps and codes of links are not, and each is made with a key
//! or a table of its own, so none passes for another. The time comes in as an argument.
//! What the account store knows outranks the token; it is asked through [`Standings`].

mod claims;
mod fetch;
mod guest;
mod key_set;
mod key_source;
mod keys;
mod policy;
mod refresh;
mod renewal;
mod seal;
mod session;
mod standing;
mod ticket;

use std::sync::Arc;

use arc_swap::ArcSwap;
use bmt_shared::error::AuthReason;
use bmt_shared::id::UserId;
use bmt_shared::identity::{Role, User};

use crate::config::AuthConfig;
use claims::Claims;
use guest::new_guest;
use key_source::KeySource;
use keys::Unverified;
use policy::Policy;
pub(crate) use seal::Seal;
use ticket::Tickets;

pub use guest::GuestLogin;
pub use policy::NewPolicy;
pub use refresh::{RefreshKey, RefreshToken};
pub use session::SessionId;
pub use standing::{Standing, Standings};
pub use ticket::{TICKET_MS, TooManyTickets};

/// The `iss` of tokens of the built-in accounts. A token without it is from elsewhere, whatever its `sub`.
pub const BUILT_IN_ISSUER: &str = "bmt-realtime";
/// What the account store keeps of users from elsewhere holds for their id, whoever issued their token: channels,
/// connections and messages know users by their id alone.
pub const ANY_ISSUER: &str = "";
/// The author of everything that is published through the HTTP API (SPEC §3 "the server API"). Who used the API is
/// in the audit log; no token speaks for this id.
pub const SERVER_USER: &str = "server";
/// What the ids of guests begin with; nobody else's may.
pub const GUEST_PREFIX: &str = "guest_";
/// Longer tokens are refused unread: room for some hundred permissions.
const TOKEN_BYTES: usize = 8 * 1_024;

/// Who a connection or a request speaks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The user as the rest of the server sees it.
    pub user: User,
    /// When the token ends, ms since the epoch; none for guests.
    pub expires_at_ms: Option<u64>,
    /// What vouches for it, to judge it again while a connection lives.
    pub grant: Grant,
}

/// What the token itself said. What holds is decided by the account store together with it, and anew whenever that
/// changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The token's `iss`; [`BUILT_IN_ISSUER`] for guests without a token.
    pub issuer: Arc<str>,
    /// The token's role.
    pub role: Role,
    /// The login the token belongs to, where a built-in account made it.
    pub session: Option<SessionId>,
}

/// A fresh access token.
#[derive(Clone, Debug)]
pub struct AccessToken {
    /// The JWT.
    pub token: String,
    /// How long it lives, s.
    pub expires_in_s: u64,
}

/// Checks tokens and issues those of the built-in accounts.
pub struct Authenticator {
    policy: ArcSwap<Policy>,
    access_ttl_s: u64,
    guest_seal: Seal,
    tickets: Tickets,
    standings: Arc<dyn Standings>,
}

impl Authenticator {
    /// `config.jwt_secret` is set: the configuration's check, or dev mode, saw to it.
    pub fn new(config: &AuthConfig, standings: Arc<dyn Standings>) -> Self {
        let source = KeySource::of(config).map(Arc::new);
        Self {
            policy: ArcSwap::from_pointee(Policy::of(config, source)),
            access_ttl_s: config.access_ttl_s,
            guest_seal: Seal::derive(&config.jwt_secret, "guests v1"),
            tickets: Tickets::default(),
            standings,
        }
    }

    /// Takes what a peer sent as its token, `Bearer ` in front or not. No token is a guest where those are allowed.
    ///
    /// # Errors
    /// Why the peer is refused. The reason is all that may be told; it never holds a part of the token.
    pub fn authenticate(&self, token: Option<&str>, now_ms: u64) -> Result<Identity, AuthReason> {
        let token = token.map(strip_bearer).filter(|token| !token.is_empty());
        match token {
            Some(token) => self.check(token, now_ms),
            None if self.policy.load().guests => Ok(new_guest()),
            None => Err(AuthReason::Missing),
        }
    }

    fn check(&self, token: &str, now_ms: u64) -> Result<Identity, AuthReason> {
        if token.len() > TOKEN_BYTES {
            return Err(AuthReason::Malformed);
        }
        let policy = self.policy.load();
        let claims = policy.keys.verify(token).map_err(|unverified| match unverified {
            Unverified::For(reason) => reason,
            Unverified::UnknownKey => AuthReason::InvalidSignature,
        })?;
        policy.rules.check(&claims, now_ms)?;
        if claims.sub.starts_with(GUEST_PREFIX) && !claims.is_built_in() {
            return Err(AuthReason::Malformed);
        }
        let mut identity = claims.into_identity()?;
        identity.user.role = self.judge(&identity.user.user_id, &identity.grant)?;
        Ok(identity)
    }

    /// The role that a user has now, by what the token said and what the account store says.
    ///
    /// # Errors
    /// Where the user, the login or the kind of user may not be here, or not any more.
    pub fn judge(&self, user: &UserId, grant: &Grant) -> Result<Role, AuthReason> {
        let subject = user.as_str();
        let anywhere = self.standings.of(ANY_ISSUER, subject).unwrap_or_default();
        if anywhere.blocked {
            return Err(AuthReason::Revoked);
        }
        let built_in = self.standings.of(BUILT_IN_ISSUER, subject);
        if subject.starts_with(GUEST_PREFIX) {
            // Who lets guests in no more lets nobody in by an old guest's token.
            return if self.policy.load().guests {
                Ok(Role::Guest)
            } else {
                Err(AuthReason::Revoked)
            };
        }
        if &*grant.issuer == BUILT_IN_ISSUER {
            let standing = built_in.ok_or(AuthReason::Revoked)?;
            let session = grant.session.as_ref().ok_or(AuthReason::Malformed)?;
            if standing.blocked || self.standings.has_ended(session) {
                return Err(AuthReason::Revoked);
            }
            return Ok(standing.role.unwrap_or(grant.role));
        }
        // Channels are granted by user id alone, so the ids of built-in accounts, and the server's own, belong to us.
        if subject == SERVER_USER || built_in.is_some() {
            return Err(AuthReason::Malformed);
        }
        let standing = self.standings.of(&grant.issuer, subject).unwrap_or_default();
        if standing.blocked {
            return Err(AuthReason::Revoked);
        }
        Ok(standing.role.or(anywhere.role).unwrap_or(grant.role))
    }

    /// An access token for a built-in account's login.
    #[must_use]
    pub fn issue(&self, user: &User, session: &SessionId, now_ms: u64) -> AccessToken {
        self.issue_for(user, Some(session), now_ms)
    }

    /// A token as a back end elsewhere would issue it, by the configured secret: for operators and their scripts.
    #[must_use]
    pub fn issue_as_elsewhere(&self, user: &User, lives_s: u64, now_ms: u64) -> AccessToken {
        let now_s = now_ms / 1_000;
        let policy = self.policy.load();
        let claims = Claims::of_elsewhere(user, now_s, now_s + lives_s, &policy.rules);
        AccessToken {
            token: policy.keys.sign(&claims),
            expires_in_s: lives_s,
        }
    }

    fn issue_for(&self, user: &User, session: Option<&SessionId>, now_ms: u64) -> AccessToken {
        let now_s = now_ms / 1_000;
        let policy = self.policy.load();
        let claims = Claims::of_ours(user, session, now_s, now_s + self.access_ttl_s, &policy.rules);
        AccessToken {
            token: policy.keys.sign(&claims),
            expires_in_s: self.access_ttl_s,
        }
    }
}

fn strip_bearer(text: &str) -> &str {
    let text = text.trim();
    match text.split_at_checked("bearer".len()) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("bearer") => {
            // `bearer.x.y` is a token whose header happens to read so.
            if rest.is_empty() || rest.starts_with(char::is_whitespace) {
                rest.trim_start()
            } else {
                text
            }
        }
        _ => text,
    }
}

#[cfg(test)]
mod tests;
