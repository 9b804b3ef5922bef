//! What people choose for themselves: an account where registration is open, a new password for an old one, or by
//! an administrator's link (SPEC §2).

use std::net::IpAddr;
use std::sync::atomic::Ordering;

use bmt_shared::id::UserId;
use bmt_shared::identity::Role;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use sha2::{Digest, Sha256};

use super::account::{self, canonical};
use super::password::{PASSWORD_BYTES, PasswordError};
use super::throttle::TooMany;
use super::{Account, AccountError, Accounts, Login, NewAccount, StoreError};
use crate::auth::SessionId;
use crate::config::Secret;
use crate::database::to_sql;
use crate::random;

/// How long an administrator's link holds, ms: until the next working day.
const RESET_MS: u64 = 24 * 60 * 60 * 1_000;
/// Longer texts are no codes of links.
const CODE_BYTES: usize = 128;

/// The code of a link by which somebody sets a new password, once.
#[derive(Clone)]
pub struct PasswordReset {
    /// What the link carries; it is stored nowhere but in the link.
    pub code: Secret,
    /// How long it holds, ms.
    pub lives_ms: u64,
}

/// Why a choice is not carried out.
#[derive(Debug)]
pub enum ChoiceError {
    /// Nobody may make an account for themselves here.
    Closed,
    /// The old password is wrong.
    Wrong,
    /// The link was used, has ended, or never was one.
    Over,
    /// Too many attempts. Wait this many ms.
    TooMany(u64),
    /// The account refuses it.
    Account(AccountError),
}

impl From<AccountError> for ChoiceError {
    fn from(error: AccountError) -> Self {
        Self::Account(error)
    }
}

impl From<StoreError> for ChoiceError {
    fn from(error: StoreError) -> Self {
        Self::Account(error.into())
    }
}

impl From<PasswordError> for ChoiceError {
    fn from(error: PasswordError) -> Self {
        Self::Account(error.into())
    }
}

impl From<TooMany> for ChoiceError {
    fn from(TooMany(wait_ms): TooMany) -> Self {
        Self::TooMany(wait_ms)
    }
}

impl Accounts {
    /// Makes an account for whoever asks and logs it in.
    ///
    /// # Errors
    /// See [`ChoiceError`].
    pub async fn register(
        &self,
        username: &str,
        name: &str,
        password: Secret,
        address: IpAddr,
        agent: &str,
        now_ms: u64,
    ) -> Result<Login, ChoiceError> {
        if !self.registration.load(Ordering::Relaxed) {
            return Err(ChoiceError::Closed);
        }
        // Not given back: each attempt may cost a hash and tells whether a username is taken.
        self.strangers.begin(&canonical(username), address, now_ms)?;
        let account = self
            .create(NewAccount {
                username: username.to_owned(),
                name: name.to_owned(),
                role: Role::User,
                password: Some(password),
            })
            .await?;
        Ok(self.begin_session(account, agent, now_ms).await?)
    }

    /// Gives an account a new password if the old one is right. All logins but `session` end.
    ///
    /// # Errors
    /// See [`ChoiceError`]. Wrong old passwords count as failed logins.
    pub async fn change_password(
        &self,
        user: &UserId,
        session: &SessionId,
        old: &Secret,
        new: &Secret,
        address: IpAddr,
        now_ms: u64,
    ) -> Result<(), ChoiceError> {
        if old.reveal().len() > PASSWORD_BYTES {
            return Err(ChoiceError::Wrong);
        }
        let account = self.get(user).await?;
        let username = account.username.ok_or(AccountError::Unknown)?;
        let attempt = self.throttle.begin(&username, address, now_ms)?;
        let found = self
            .database
            .run(move |connection| account::by_username(connection, &username))
            .await?;
        let hash = found.and_then(|(_, hash)| hash);
        let fits = match self.passwords.verify(old.reveal().to_owned(), hash).await {
            Ok(fits) => fits,
            Err(error) => {
                self.throttle.give_back(attempt);
                return Err(error.into());
            }
        };
        if !fits {
            return Err(ChoiceError::Wrong);
        }
        self.throttle.give_back(attempt);
        let hash = self.hash_new(new).await?;
        self.store_password(user, hash, Some(session)).await?;
        Ok(())
    }

    /// Makes the code of a link by which the account's person sets a new password. Earlier links of the account end.
    ///
    /// # Errors
    /// Where there is no such built-in account.
    pub async fn make_reset(&self, user: &UserId, now_ms: u64) -> Result<PasswordReset, AccountError> {
        let account = self.get(user).await?;
        if account.username.is_none() {
            return Err(AccountError::Unfit(
                "This user comes from elsewhere and has no password here. Change it where the user logs in.",
            ));
        }
        let code = random::text::<24>();
        let (hash, id) = (hash_of(&code), user.clone());
        self.database
            .run(move |connection| {
                let all = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
                all.execute(
                    "DELETE FROM password_reset WHERE user_id = ?1 OR expires_ms <= ?2",
                    params![id.as_str(), to_sql(now_ms)],
                )?;
                all.execute(
                    "INSERT INTO password_reset (code_hash, user_id, expires_ms) VALUES (?1, ?2, ?3)",
                    params![hash, id.as_str(), to_sql(now_ms + RESET_MS)],
                )?;
                all.commit()
            })
            .await?;
        Ok(PasswordReset {
            code: Secret::new(code),
            lives_ms: RESET_MS,
        })
    }

    /// Sets a new password by a link's code, which is used up by it. All logins of the account end.
    ///
    /// # Errors
    /// See [`ChoiceError`]. A password that cannot be one leaves the code as it was.
    pub async fn reset_password(
        &self,
        code: &Secret,
        new: &Secret,
        address: IpAddr,
        now_ms: u64,
    ) -> Result<Account, ChoiceError> {
        if code.reveal().len() > CODE_BYTES {
            return Err(ChoiceError::Over);
        }
        // Codes cannot be guessed; what is bounded is the work for one address.
        let attempt = self.strangers.begin(&address.to_string(), address, now_ms)?;
        let hash = hash_of(code.reveal());
        let looked_up = self
            .database
            .run(move |connection| holder(connection, &hash, now_ms))
            .await?;
        let user = looked_up.ok_or(ChoiceError::Over)?;
        self.strangers.give_back(attempt);
        let password = self.hash_new(new).await?;
        // Of two who hold the link only one gets here with the row still there.
        let used = self
            .database
            .run(move |connection| {
                connection.execute("DELETE FROM password_reset WHERE code_hash = ?1", params![hash])
            })
            .await?;
        if used == 0 {
            return Err(ChoiceError::Over);
        }
        Ok(self.store_password(&user, password, None).await?)
    }
}

fn hash_of(code: &str) -> [u8; 32] {
    Sha256::digest(code).into()
}

fn holder(connection: &Connection, hash: &[u8; 32], now_ms: u64) -> rusqlite::Result<Option<UserId>> {
    connection
        .query_row(
            "SELECT user_id FROM password_reset WHERE code_hash = ?1 AND expires_ms > ?2",
            params![hash, to_sql(now_ms)],
            |row| Ok(UserId::new(row.get_ref(0)?.as_str()?)),
        )
        .optional()
}
