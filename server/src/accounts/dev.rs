//! The accounts of dev mode.

use bmt_shared::identity::Role;
use rusqlite::{Connection, OptionalExtension};
use tracing::warn;

use super::account::{self, Account};
use super::password::PasswordError;
use super::{Accounts, StoreError};
use crate::auth::BUILT_IN_ISSUER;
use crate::config::{Mode, Secret};

/// Username, name and role of each.
pub const DEV_ACCOUNTS: [(&str, &str, Role); 3] = [
    ("admin", "Admin", Role::Admin),
    ("alice", "Alice", Role::User),
    ("bob", "Bob", Role::User),
];

/// Lets the accounts that dev mode made in, or keeps them out in production, where everybody knows of them.
pub(super) fn admit(connection: &mut Connection, mode: Mode) -> rusqlite::Result<()> {
    let locked_out = mode != Mode::Dev;
    let changed = connection.execute(
        "UPDATE account SET blocked = ?1 WHERE dev = 1 AND blocked <> ?1",
        [locked_out],
    )?;
    if locked_out && changed > 0 {
        warn!("the accounts that dev mode made in this data folder are blocked");
    }
    Ok(())
}

impl Accounts {
    /// Makes the accounts of dev mode, or gives those that are there this password. Logins that hold go on.
    ///
    /// # Errors
    /// Where the store cannot be written to.
    pub async fn make_dev_accounts(&self, password: &Secret, now_ms: u64) -> Result<(), StoreError> {
        for (username, name, role) in DEV_ACCOUNTS {
            let hash = match self.passwords.hash(password.reveal().to_owned()).await {
                Ok(hash) => hash,
                Err(PasswordError::Busy) => return Err(StoreError::Closed),
                Err(PasswordError::Store(error)) => return Err(error),
            };
            let account = self
                .database
                .run(move |connection| make(connection, username, name, role, &hash, now_ms))
                .await?;
            match account {
                Some(account) => {
                    let id = account.user.user_id.as_str();
                    self.standings
                        .change(BUILT_IN_ISSUER, id, |standing| *standing = account.standing());
                }
                None => warn!(
                    username,
                    "this account was not made by dev mode and keeps its password"
                ),
            }
        }
        Ok(())
    }
}

/// None where an account of that name exists that is not of dev mode.
fn make(
    connection: &Connection,
    username: &str,
    name: &str,
    role: Role,
    hash: &str,
    now_ms: u64,
) -> rusqlite::Result<Option<Account>> {
    let dev: Option<bool> = connection
        .query_row("SELECT dev FROM account WHERE username = ?1", [username], |row| {
            row.get(0)
        })
        .optional()?;
    match dev {
        Some(false) => return Ok(None),
        Some(true) => {
            connection.execute(
                "UPDATE account SET password_hash = ?2 WHERE username = ?1",
                [username, hash],
            )?;
        }
        None => {
            account::insert(connection, username, name, role, Some(hash), true, now_ms)?;
        }
    }
    Ok(account::by_username(connection, username)?.map(|(account, _)| account))
}
