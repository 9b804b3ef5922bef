//! What administrators do with accounts: make, list, block, promote, remove (SPEC §8).
//!
//! Users from elsewhere have no account here until an administrator says something of them; what is said holds
//! for the user id, whoever issued its tokens.

use std::fmt;

use bmt_shared::id::UserId;
use bmt_shared::identity::Role;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use tracing::info;

use super::account::{self, COLUMNS, canonical};
use super::password::{self, PasswordError};
use super::session;
use super::{Account, Accounts, Revocation, StoreError};
use crate::auth::{ANY_ISSUER, BUILT_IN_ISSUER, SessionId};
use crate::clock;
use crate::config::Secret;
use crate::database::to_sql;

/// Longest username, in bytes; it stands in lists.
const USERNAME_BYTES: usize = 64;
/// Longest name that is shown of somebody, in characters.
const NAME_CHARACTERS: usize = 128;
/// Longest user id from elsewhere: as long as a token's subject may be.
const USER_ID_BYTES: usize = 255;

/// An account to make.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// What is typed at login; upper and lower case are the same.
    pub username: String,
    /// What is shown to people; the username where it is empty.
    pub name: String,
    /// What it may do in general.
    pub role: Role,
    /// Its password; without one nobody can log in until one is set.
    pub password: Option<Secret>,
}

/// Why something is not done with an account.
#[derive(Debug)]
pub enum AccountError {
    /// There is no such account.
    Unknown,
    /// The username is another account's.
    Taken,
    /// A username, a name, a password or an id that cannot be; the sentence says why and what to do.
    Unfit(&'static str),
    /// Too many passwords are hashed at this moment.
    Busy,
    /// Our fault.
    Store(StoreError),
}

impl fmt::Display for AccountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => {
                f.write_str("There is no such account. The list of users shows which there are.")
            }
            Self::Taken => f.write_str("This username is taken. Choose another one."),
            Self::Unfit(why) => f.write_str(why),
            Self::Busy => {
                f.write_str("Too many people are logging in at this moment. Try again in a few seconds.")
            }
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for AccountError {}

impl From<StoreError> for AccountError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<PasswordError> for AccountError {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::Busy => Self::Busy,
            PasswordError::Store(error) => Self::Store(error),
        }
    }
}

impl Accounts {
    /// Makes a built-in account.
    ///
    /// # Errors
    /// Where the username is taken, or a part of it cannot be.
    pub async fn create(&self, new: NewAccount) -> Result<Account, AccountError> {
        let username = fit_username(&new.username)?;
        let name = match new.name.trim() {
            "" => new.username.trim().to_owned(),
            name => name.to_owned(),
        };
        if name.chars().count() > NAME_CHARACTERS || name.chars().any(char::is_control) {
            return Err(AccountError::Unfit(
                "A name has 128 characters at most and no control characters. Choose another one.",
            ));
        }
        let hash = match &new.password {
            Some(password) => Some(self.hash_new(password).await?),
            None => None,
        };
        let (role, now_ms) = (new.role, clock::unix_ms());
        let made = self
            .database
            .run(move |connection| {
                let all = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
                if account::by_username(&all, &username)?.is_some() {
                    return Ok(None);
                }
                let hash = hash.as_deref();
                let id = account::insert(&all, &username, &name, role, hash, false, now_ms)?;
                let made = account::by_id(&all, id.as_str())?;
                all.commit()?;
                Ok(made)
            })
            .await?;
        let made = made.ok_or(AccountError::Taken)?;
        let id = made.user.user_id.as_str();
        self.standings
            .change(BUILT_IN_ISSUER, id, |standing| *standing = made.standing());
        info!(user = id, role = role.as_str(), "an account was made");
        Ok(made)
    }

    /// All accounts, and the users from elsewhere of whom something is kept, the oldest first.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub async fn list(&self) -> Result<Vec<Account>, StoreError> {
        self.database
            .run(|connection| {
                connection
                    .prepare_cached(&format!(
                        "SELECT {COLUMNS} FROM account WHERE removed_ms IS NULL ORDER BY created_ms, rowid"
                    ))?
                    .query_map((), account::read)?
                    .collect()
            })
            .await
    }

    /// The account of this user.
    ///
    /// # Errors
    /// Where there is none, or the store cannot be read.
    pub async fn get(&self, user: &UserId) -> Result<Account, AccountError> {
        let user = user.clone();
        let found = self
            .database
            .run(move |connection| existing(connection, user.as_str()))
            .await?;
        found.ok_or(AccountError::Unknown)
    }

    /// The account of this username.
    ///
    /// # Errors
    /// Where there is none, or the store cannot be read.
    pub async fn find(&self, username: &str) -> Result<Account, AccountError> {
        let username = canonical(username);
        let found = self
            .database
            .run(move |connection| account::by_username(connection, &username))
            .await?;
        Ok(found.ok_or(AccountError::Unknown)?.0)
    }

    /// Keeps a user out: logins end, connections close within a second, tokens are refused. Holds for users from
    /// elsewhere and for guests too.
    ///
    /// # Errors
    /// Where the id cannot be a user's, or the store cannot be written to.
    pub async fn block(&self, user: &UserId) -> Result<Account, AccountError> {
        let account = self.change(user, Change::Blocked(true)).await?;
        self.logout_everywhere(user, None, clock::unix_ms()).await?;
        Ok(account)
    }

    /// Lets a user in again.
    ///
    /// # Errors
    /// As [`Self::block`].
    pub async fn unblock(&self, user: &UserId) -> Result<Account, AccountError> {
        self.change(user, Change::Blocked(false)).await
    }

    /// Gives a user a role that outranks the token's, on live connections too.
    ///
    /// # Errors
    /// As [`Self::block`].
    pub async fn set_role(&self, user: &UserId, role: Role) -> Result<Account, AccountError> {
        self.change(user, Change::Role(role)).await
    }

    /// Gives a built-in account a new password and ends its logins.
    ///
    /// # Errors
    /// Where there is no such account, or the password cannot be one.
    pub async fn set_password(&self, user: &UserId, password: &Secret) -> Result<Account, AccountError> {
        let hash = self.hash_new(password).await?;
        self.store_password(user, hash, None).await
    }

    /// Stores a hash and ends all logins but one.
    pub(super) async fn store_password(
        &self,
        user: &UserId,
        hash: String,
        but: Option<&SessionId>,
    ) -> Result<Account, AccountError> {
        let id = user.clone();
        let changed = self
            .database
            .run(move |connection| {
                connection.execute(
                    "UPDATE account SET password_hash = ?2 WHERE user_id = ?1 AND username IS NOT NULL",
                    [id.as_str(), &hash],
                )?;
                connection.execute("DELETE FROM password_reset WHERE user_id = ?1", [id.as_str()])?;
                existing(connection, id.as_str())
            })
            .await?;
        let account = changed.filter(|account| account.username.is_some());
        let account = account.ok_or(AccountError::Unknown)?;
        self.logout_everywhere(user, but, clock::unix_ms()).await?;
        info!(user = user.as_str(), "a password was changed");
        Ok(account)
    }

    /// Removes an account with its name, password and logins. Its id stays taken for ever. Of a user from elsewhere
    /// everything that was kept is forgotten, a block included.
    ///
    /// # Errors
    /// Where there is no such account, or the store cannot be written to.
    pub async fn remove(&self, user: &UserId) -> Result<(), AccountError> {
        let account = self.get(user).await?;
        let now_ms = clock::unix_ms();
        self.logout_everywhere(user, None, now_ms).await?;
        let (id, built_in) = (user.clone(), account.username.is_some());
        self.database
            .run(move |connection| remove(connection, id.as_str(), built_in, now_ms))
            .await?;
        if built_in {
            let gone = |standing: &mut crate::auth::Standing| standing.blocked = true;
            self.standings.change(BUILT_IN_ISSUER, user.as_str(), gone);
        } else {
            self.standings.forget(ANY_ISSUER, user.as_str());
        }
        self.announce(Revocation::User(user.clone()));
        info!(user = user.as_str(), "an account was removed");
        Ok(())
    }

    /// Ends all logins of a user but one. Answers with how many ended.
    ///
    /// # Errors
    /// Where the store cannot be written to.
    pub async fn logout_everywhere(
        &self,
        user: &UserId,
        but: Option<&SessionId>,
        now_ms: u64,
    ) -> Result<usize, StoreError> {
        let (id, but) = (user.clone(), but.cloned());
        let ended = self
            .database
            .run(move |connection| session::end_all(connection, &id, but.as_ref(), now_ms))
            .await?;
        let count = ended.len();
        for session in ended {
            self.forget(user.clone(), session, now_ms);
        }
        Ok(count)
    }

    /// The hash of a password that somebody chose.
    pub(super) async fn hash_new(&self, password: &Secret) -> Result<String, AccountError> {
        password::check_new(password.reveal()).map_err(AccountError::Unfit)?;
        Ok(self.passwords.hash(password.reveal().to_owned()).await?)
    }

    async fn change(&self, user: &UserId, change: Change) -> Result<Account, AccountError> {
        let id = user.as_str();
        if id.is_empty() || id.len() > USER_ID_BYTES || id.chars().any(char::is_control) {
            return Err(AccountError::Unfit(
                "A user id has 1 to 255 bytes and no control characters. Check the id.",
            ));
        }
        let (id, now_ms) = (user.clone(), clock::unix_ms());
        let account = self
            .database
            .run(move |connection| apply(connection, id.as_str(), change, now_ms))
            .await?
            .ok_or(AccountError::Unknown)?;
        let issuer = match account.username {
            Some(_) => BUILT_IN_ISSUER,
            None => ANY_ISSUER,
        };
        self.standings
            .change(issuer, user.as_str(), |standing| match change {
                Change::Blocked(blocked) => standing.blocked = blocked,
                Change::Role(role) => standing.role = Some(role),
            });
        self.announce(Revocation::User(user.clone()));
        info!(user = user.as_str(), ?change, "an account was changed");
        Ok(account)
    }
}

#[derive(Clone, Copy, Debug)]
enum Change {
    Blocked(bool),
    Role(Role),
}

/// None where the account was removed.
fn apply(
    connection: &mut Connection,
    id: &str,
    change: Change,
    now_ms: u64,
) -> rusqlite::Result<Option<Account>> {
    let all = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    all.execute(
        "INSERT OR IGNORE INTO account (user_id, issuer, subject, name, created_ms) VALUES (?1, ?2, ?1, ?1, ?3)",
        params![id, ANY_ISSUER, to_sql(now_ms)],
    )?;
    match change {
        Change::Blocked(blocked) => all.execute(
            "UPDATE account SET blocked = ?2 WHERE user_id = ?1 AND removed_ms IS NULL",
            params![id, blocked],
        )?,
        Change::Role(role) => all.execute(
            "UPDATE account SET role = ?2 WHERE user_id = ?1 AND removed_ms IS NULL",
            params![id, role.as_str()],
        )?,
    };
    let changed = existing(&all, id)?;
    all.commit()?;
    Ok(changed)
}

fn remove(connection: &mut Connection, id: &str, built_in: bool, now_ms: u64) -> rusqlite::Result<()> {
    let all = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if built_in {
        all.execute("DELETE FROM session WHERE user_id = ?1", [id])?;
        all.execute("DELETE FROM password_reset WHERE user_id = ?1", [id])?;
        all.execute(
            "UPDATE account SET username = NULL, name = '', role = NULL, permissions = '[]', password_hash = NULL, \
             blocked = 1, dev = 0, removed_ms = ?2 WHERE user_id = ?1",
            params![id, to_sql(now_ms)],
        )?;
    } else {
        all.execute("DELETE FROM account WHERE user_id = ?1", [id])?;
    }
    all.commit()
}

fn existing(connection: &Connection, id: &str) -> rusqlite::Result<Option<Account>> {
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM account WHERE user_id = ?1 AND removed_ms IS NULL"
        ))?
        .query_row([id], account::read)
        .optional()
}

fn fit_username(username: &str) -> Result<String, AccountError> {
    let username = canonical(username);
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '@' | '+');
    if username.is_empty() || username.len() > USERNAME_BYTES || !username.chars().all(fits) {
        return Err(AccountError::Unfit(
            "A username has 1 to 64 bytes: letters, digits and . _ - @ +. Choose another one.",
        ));
    }
    Ok(username)
}
