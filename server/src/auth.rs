//! Who speaks: a token becomes an identity, or a reason why not (SPEC §2).
//!
//! The algorithm and the key are fixed by configuration, never taken from the token. Access tokens are JWTs;
//! refresh tokens are not ([`RefreshKey`]), so neither passes for the other. The time comes in as an argument.
//! What the account store knows outranks the token; it is asked through [`Standings`].

mod claims;
mod keys;
mod refresh;
mod session;
mod standing;

use std::sync::Arc;

use bmt_shared::error::AuthReason;
use bmt_shared::id::UserId;
use bmt_shared::identity::{Role, User};

use crate::config::AuthConfig;
use crate::random;
use claims::{Claims, Rules};
use keys::Keys;

pub use refresh::{RefreshKey, RefreshToken};
pub use session::SessionId;
pub use standing::{Standing, Standings};

/// The `iss` of tokens of the built-in accounts. A token without it is from elsewhere, whatever its `sub`.
pub const BUILT_IN_ISSUER: &str = "bmt-realtime";
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
    /// The login this token belongs to, where a built-in account made it.
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
    keys: Keys,
    rules: Rules,
    guests: bool,
    access_ttl_s: u64,
    standings: Arc<dyn Standings>,
}

impl Authenticator {
    /// `config.jwt_secret` is set: the configuration's check, or dev mode, saw to it.
    pub fn new(config: &AuthConfig, standings: Arc<dyn Standings>) -> Self {
        Self {
            keys: Keys::shared_secret(config.jwt_secret.reveal().as_bytes()),
            rules: Rules {
                issuer: Some(config.issuer.clone()).filter(|issuer| !issuer.is_empty()),
                audience: Some(config.audience.clone()).filter(|audience| !audience.is_empty()),
                leeway_ms: config.leeway_s * 1_000,
            },
            guests: config.guests,
            access_ttl_s: config.access_ttl_s,
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
            None if self.guests => Ok(guest()),
            None => Err(AuthReason::Missing),
        }
    }

    fn check(&self, token: &str, now_ms: u64) -> Result<Identity, AuthReason> {
        if token.len() > TOKEN_BYTES {
            return Err(AuthReason::Malformed);
        }
        let claims = self.keys.verify(token)?;
        self.rules.check(&claims, now_ms)?;
        if claims.is_built_in() {
            self.built_in(claims)
        } else {
            self.external(claims)
        }
    }

    fn built_in(&self, claims: Claims) -> Result<Identity, AuthReason> {
        let session = SessionId::new(claims.sid.as_deref().ok_or(AuthReason::Malformed)?);
        let standing = self
            .standings
            .of(BUILT_IN_ISSUER, &claims.sub)
            .ok_or(AuthReason::Revoked)?;
        if standing.blocked || self.standings.has_ended(&session) {
            return Err(AuthReason::Revoked);
        }
        let mut identity = claims.into_identity()?;
        identity.user.role = standing.role.unwrap_or(identity.user.role);
        identity.session = Some(session);
        Ok(identity)
    }

    fn external(&self, claims: Claims) -> Result<Identity, AuthReason> {
        // Channels are granted by user id alone, so these two kinds of id belong to us.
        if claims.sub.starts_with(GUEST_PREFIX) || self.standings.of(BUILT_IN_ISSUER, &claims.sub).is_some() {
            return Err(AuthReason::Malformed);
        }
        let standing = self
            .standings
            .of(claims.iss.as_deref().unwrap_or_default(), &claims.sub)
            .unwrap_or_default();
        if standing.blocked {
            return Err(AuthReason::Revoked);
        }
        let mut identity = claims.into_identity()?;
        identity.user.role = standing.role.unwrap_or(identity.user.role);
        Ok(identity)
    }

    /// An access token for a built-in account's login.
    #[must_use]
    pub fn issue(&self, user: &User, session: &SessionId, now_ms: u64) -> AccessToken {
        let now_s = now_ms / 1_000;
        let claims = Claims::of_login(user, session, now_s, now_s + self.access_ttl_s, &self.rules);
        AccessToken {
            token: self.keys.sign(&claims),
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

fn guest() -> Identity {
    let tail = random::text::<12>();
    Identity {
        user: User {
            user_id: UserId::new(&format!("{GUEST_PREFIX}{tail}")),
            name: format!("Guest {}", &tail[..4]),
            role: Role::Guest,
            permissions: Vec::new(),
        },
        expires_at_ms: None,
        session: None,
    }
}

#[cfg(test)]
mod tests;
