//! Logging in, going on, logging out.

use std::net::IpAddr;

use bmt_shared::identity::User;
use tracing::{info, warn};

use super::account::{self, canonical};
use super::password::{PASSWORD_BYTES, PasswordError};
use super::session::{self, Continued};
use super::throttle::TooMany;
use super::{Account, Accounts, Revocation, StoreError};
use crate::auth::{BUILT_IN_ISSUER, RefreshToken, SessionId, Standings};

/// Longer texts are no usernames.
const USERNAME_BYTES: usize = 256;

/// A login that holds: who it is for, and the refresh token that continues it.
#[derive(Debug)]
pub struct Login {
    /// The account's user.
    pub user: User,
    /// The login's name, for its access tokens.
    pub session: SessionId,
    /// For the cookie.
    pub refresh_token: String,
    /// How long the refresh token holds if it is not used, ms.
    pub lives_ms: u64,
}

/// Why a login is refused.
#[derive(Debug)]
pub enum LoginError {
    /// The username or the password is wrong; which of them is not told.
    Wrong,
    /// The password is right and the account is blocked.
    Blocked,
    /// Too many wrong ones. Wait this many ms.
    TooMany(u64),
    /// Too many people log in at this moment.
    Busy,
    /// Our fault.
    Store(StoreError),
}

/// Why a login cannot be continued.
#[derive(Debug)]
pub enum RefreshError {
    /// The refresh token is none, is spent, or its login is over.
    Over,
    /// Our fault.
    Store(StoreError),
}

impl From<StoreError> for LoginError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<StoreError> for RefreshError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Accounts {
    /// Begins a login. `address` is the person's, not a proxy's.
    ///
    /// # Errors
    /// See [`LoginError`]. Unknown usernames and wrong passwords are told alike and take as long.
    pub async fn login(
        &self,
        username: &str,
        password: &str,
        address: IpAddr,
        now_ms: u64,
    ) -> Result<Login, LoginError> {
        if username.len() > USERNAME_BYTES || password.len() > PASSWORD_BYTES {
            return Err(LoginError::Wrong);
        }
        let username = canonical(username);
        let attempt = self.throttle.begin(&username, address, now_ms);
        let attempt = attempt.map_err(|TooMany(wait_ms)| LoginError::TooMany(wait_ms))?;
        let found = self
            .database
            .run(move |connection| account::by_username(connection, &username))
            .await?;
        let hash = found.as_ref().and_then(|(_, hash)| hash.clone());
        let fits = match self.passwords.verify(password.to_owned(), hash).await {
            Ok(fits) => fits,
            Err(PasswordError::Busy) => {
                self.throttle.give_back(attempt);
                return Err(LoginError::Busy);
            }
            Err(PasswordError::Store(error)) => return Err(error.into()),
        };
        let Some((account, _)) = found.filter(|_| fits) else {
            return Err(LoginError::Wrong);
        };
        self.throttle.give_back(attempt);
        if account.blocked {
            return Err(LoginError::Blocked);
        }
        Ok(self.begin_session(account, now_ms).await?)
    }

    async fn begin_session(&self, account: Account, now_ms: u64) -> Result<Login, StoreError> {
        let session = SessionId::mint();
        let (id, user_id) = (session.clone(), account.user.user_id.clone());
        let expires_ms = now_ms + self.session_ttl_ms;
        let ended = self
            .database
            .run(move |connection| session::begin(connection, &id, user_id.as_str(), now_ms, expires_ms))
            .await?;
        for older in ended {
            self.forget(older, now_ms);
        }
        info!(user = account.user.user_id.as_str(), "logged in");
        Ok(self.login_of(account, session, 1))
    }

    /// Continues the login of a refresh token.
    ///
    /// # Errors
    /// See [`RefreshError`]. A token that was spent before ends its login.
    pub async fn refresh(&self, token: &str, now_ms: u64) -> Result<Login, RefreshError> {
        let token = self.refresh_key.open(token).ok_or(RefreshError::Over)?;
        let session = token.session.clone();
        let expires_ms = now_ms + self.session_ttl_ms;
        let continued = self
            .database
            .run(move |connection| session::continue_with(connection, &token, now_ms, expires_ms))
            .await?;
        match continued {
            Continued::Next(account, generation) => Ok(self.login_of(*account, session, generation)),
            Continued::Over => Err(RefreshError::Over),
            Continued::Stolen(account) => {
                warn!(
                    user = account.user.user_id.as_str(),
                    "a refresh token was used twice; its login has been ended"
                );
                self.forget(session, now_ms);
                Err(RefreshError::Over)
            }
        }
    }

    /// The login a refresh token belongs to, whether or not it still holds; none for a text that is no such token.
    #[must_use]
    pub fn session_of(&self, refresh_token: &str) -> Option<SessionId> {
        Some(self.refresh_key.open(refresh_token)?.session)
    }

    /// Ends a login: its refresh token is over, its access tokens are revoked, its connections end. Ending one
    /// that is over already is a success.
    ///
    /// # Errors
    /// Where the store cannot be written to.
    pub async fn logout(&self, session: SessionId, now_ms: u64) -> Result<(), StoreError> {
        let id = session.clone();
        let ended = self
            .database
            .run(move |connection| session::end(connection, &id, now_ms))
            .await?;
        if ended {
            self.forget(session, now_ms);
        }
        Ok(())
    }

    /// Keeps an account out, or lets it in again.
    ///
    /// # Errors
    /// Where the store cannot be written to.
    pub async fn set_blocked(&self, user: &User, blocked: bool) -> Result<(), StoreError> {
        let user_id = user.user_id.clone();
        let changed = self
            .database
            .run(move |connection| {
                connection.execute(
                    "UPDATE account SET blocked = ?2 WHERE user_id = ?1",
                    (user_id.as_str(), blocked),
                )
            })
            .await?;
        let known = self.standings.of(BUILT_IN_ISSUER, user.user_id.as_str());
        if let (1, Some(mut standing)) = (changed, known) {
            standing.blocked = blocked;
            self.standings
                .set(BUILT_IN_ISSUER, user.user_id.as_str(), standing);
            if blocked {
                self.announce(Revocation::User(user.user_id.clone()));
            }
        }
        Ok(())
    }

    fn login_of(&self, account: Account, session: SessionId, generation: u64) -> Login {
        let refresh_token = self.refresh_key.seal(&RefreshToken {
            session: session.clone(),
            generation,
        });
        Login {
            user: account.user,
            session,
            refresh_token,
            lives_ms: self.session_ttl_ms,
        }
    }

    fn forget(&self, session: SessionId, now_ms: u64) {
        self.standings.end(session.clone(), now_ms);
        self.announce(Revocation::Session(session));
    }

    fn announce(&self, revocation: Revocation) {
        // Nobody listens while nobody is connected.
        let _ = self.revocations.send(revocation);
    }
}
