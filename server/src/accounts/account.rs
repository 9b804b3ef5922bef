//! One account.

use bmt_shared::id::UserId;
use bmt_shared::identity::{Role, User};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::auth::{BUILT_IN_ISSUER, Standing};
use crate::database::to_sql;

/// A built-in account, without its password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The user its logins speak for. The id is opaque and says nothing of the username.
    pub user: User,
    /// What is typed at login; none for a user from elsewhere of whom only the standing is kept.
    pub username: Option<String>,
    /// Whether it is kept out.
    pub blocked: bool,
    /// When it was made, ms since the epoch.
    pub created_ms: u64,
}

impl Account {
    pub(super) fn standing(&self) -> Standing {
        Standing {
            role: Some(self.user.role),
            blocked: self.blocked,
        }
    }
}

/// What is typed at login and what stands in the table are compared in this form.
pub(super) fn canonical(username: &str) -> String {
    username.trim().to_lowercase()
}

pub(super) const COLUMNS: &str =
    "user_id, name, role, permissions, blocked, password_hash, username, created_ms";

/// The account of this username and its password hash.
pub(super) fn by_username(
    connection: &Connection,
    username: &str,
) -> rusqlite::Result<Option<(Account, Option<String>)>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM account WHERE username = ?1"))?
        .query_row([username], |row| Ok((read(row)?, row.get(5)?)))
        .optional()
}

pub(super) fn by_id(connection: &Connection, user_id: &str) -> rusqlite::Result<Option<Account>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM account WHERE user_id = ?1"))?
        .query_row([user_id], read)
        .optional()
}

/// Adds a built-in account and answers with its id.
pub(super) fn insert(
    connection: &Connection,
    username: &str,
    name: &str,
    role: Role,
    password_hash: Option<&str>,
    dev: bool,
    now_ms: u64,
) -> rusqlite::Result<UserId> {
    let id = UserId::new(&format!("u_{}", crate::random::text::<12>()));
    connection.execute(
        "INSERT INTO account (user_id, issuer, subject, username, name, role, password_hash, dev, created_ms) \
         VALUES (?1, ?2, ?1, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            id.as_str(),
            BUILT_IN_ISSUER,
            canonical(username),
            name,
            role.as_str(),
            password_hash,
            dev,
            to_sql(now_ms),
        ],
    )?;
    Ok(id)
}

pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Account> {
    let role: Option<String> = row.get(2)?;
    let permissions: String = row.get(3)?;
    let created_ms: i64 = row.get(7)?;
    Ok(Account {
        user: User {
            user_id: UserId::new(row.get_ref(0)?.as_str()?),
            name: row.get(1)?,
            role: role.as_deref().and_then(Role::parse).unwrap_or_default(),
            // The column is written by us; what a hand changed into nonsense grants nothing.
            permissions: serde_json::from_str(&permissions).unwrap_or_default(),
        },
        username: row.get(6)?,
        blocked: row.get(4)?,
        created_ms: u64::try_from(created_ms).unwrap_or(0),
    })
}
