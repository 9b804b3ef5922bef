//! Logging in, going on, logging out.

use std::net::IpAddr;

use bmt_shared::id::UserId;
use bmt_shared::identity::User;
use tracing::{info, warn};

use super::account::{self, canonical};
use super::password::{PASSWORD_BYTES, PasswordError};
use super::session::{self, Continued};
use super::throttle::TooMany;
use super::{Account, Accounts, Revocation, StoreError};
use crate::auth::{RefreshToken, SessionId};

/// Longer texts are no usernames.
const USERNAME_BYTES: usize = 256;
/// What is kept of a browser's name for itself.
const AGENT_CHARACTERS: usize = 200;

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
        self.login_from(username, password, address, "", now_ms).await
    }

    /// The same, noting what the person's program calls itself, so that they know the login again in their list.
    ///
    /// # Errors
    /// As [`Self::login`].
    pub async fn login_from(
        &self,
        username: &str,
        password: &str,
        address: IpAddr,
        agent: &str,
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
        Ok(self.begin_session(account, agent, now_ms).await?)
    }

    /// Begins a login for an operator, who needs no password.
    ///
    /// # Errors
    /// Where the store cannot be written to.
    pub async fn begin_for_command(&self, account: Account, now_ms: u64) -> Result<Login, StoreError> {
        self.begin_session(account, "bmt-server token", now_ms).await
    }

    /// Begins a login of an account whose person is known to be there.
    pub(super) async fn begin_session(
        &self,
        account: Account,
        agent: &str,
        now_ms: u64,
    ) -> Result<Login, StoreError> {
        let session = SessionId::mint();
        let begun = session::Begun {
            session: session.clone(),
            user: account.user.user_id.clone(),
            agent: agent.chars().take(AGENT_CHARACTERS).collect(),
            now_ms,
            expires_ms: now_ms + self.session_ttl_ms,
        };
        let ended = self
            .database
            .run(move |connection| session::begin(connection, &begun))
            .await?;
        for older in ended {
            self.forget(account.user.user_id.clone(), older, now_ms);
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
                self.forget(account.user.user_id, session, now_ms);
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
        if let Some(user) = ended {
            self.forget(user, session, now_ms);
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

    /// A login of `user` is over: nobody comes in by it from now on, and who is in by it goes.
    pub(super) fn forget(&self, user: UserId, session: SessionId, now_ms: u64) {
        self.standings.end(session.clone(), now_ms);
        self.announce(Revocation::Session { user, session });
    }

    pub(super) fn announce(&self, revocation: Revocation) {
        // Nobody listens while nobody is connected.
        let _ = self.revocations.send(revocation);
    }
}
