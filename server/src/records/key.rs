//! API keys: `bmt_<id>_<secret>`, shown once, kept as a keyed hash.
//!
//! The secret is 256 random bits. Such a secret cannot be guessed, so a fast hash is right: a slow one guards
//! what people choose, and would cost every request of a program some ten milliseconds. It is keyed (HMAC-SHA-256
//! with a random key of this installation), so that the same key is another text in another installation.

use std::collections::HashMap;
use std::fmt;
use std::sync::RwLock;

use hmac::{Hmac, Mac};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use utoipa::ToSchema;

use super::schema::SALT_BYTES;
use super::{Records, RecordsError};
use crate::database::{from_sql, to_sql};
use crate::random;

/// What every key begins with: tells it from a token, and lets scanners of published code find it.
pub const KEY_PREFIX: &str = "bmt_";
/// Random bytes of the id, which is no secret.
const ID_BYTES: usize = 9;
/// Random bytes of the secret.
const SECRET_BYTES: usize = 32;
/// Keys of one installation. Programs are few; beyond this something makes keys in a loop.
const KEYS: i64 = 1_000;
/// Longer names are refused.
const NAME_BYTES: usize = 64;
/// How long a key that was found is believed without a look at the store, ms: a key revoked by another process
/// (the command line) is refused after this.
const BELIEVED_MS: u64 = 1_000;

/// What a key may do. `admin` includes the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Publish, broadcast, notify.
    Publish,
    /// Channels, histories, presence, connections, figures.
    Read,
    /// Everything.
    Admin,
}

impl Scope {
    /// Reads a scope's name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Publish, Self::Read, Self::Admin]
            .into_iter()
            .find(|scope| scope.as_str() == name)
    }

    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Read => "read",
            Self::Admin => "admin",
        }
    }
}

/// A key, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApiKey {
    /// Names it in lists and in the audit log.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// The user or key that made it, or `command_line`.
    pub created_by: String,
    /// When, ms since the Unix epoch.
    pub created_at: u64,
    /// When it ends, ms since the Unix epoch; none where it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<u64>,
}

impl ApiKey {
    /// Whether it may do this.
    #[must_use]
    pub fn allows(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope) || self.scopes.contains(&Scope::Admin)
    }
}

/// A key to make.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewKey {
    /// What it is for, 1–64 bytes.
    pub name: String,
    /// What it may do; at least one.
    pub scopes: Vec<Scope>,
    /// When it ends, ms since the Unix epoch.
    pub expires_at: Option<u64>,
}

/// Why a key is not made.
#[derive(Debug)]
pub enum KeyError {
    /// What is wrong with it, for the caller.
    Wrong(&'static str),
    /// There are as many as there may be.
    TooMany,
    /// Our fault.
    Store(RecordsError),
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wrong(what) => f.write_str(what),
            Self::TooMany => write!(
                f,
                "There are {KEYS} API keys already. Revoke those that are not used."
            ),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for KeyError {}

/// Keys that were seen lately. A lock, because readers are all requests; it is never held over a wait. At most
/// [`KEYS`] entries and those revoked since: only keys that exist come in.
pub(super) struct KeyTable {
    salt: [u8; SALT_BYTES],
    seen: RwLock<HashMap<String, Seen>>,
}

#[derive(Clone)]
struct Seen {
    key: ApiKey,
    hash: Vec<u8>,
    at_ms: u64,
}

impl KeyTable {
    pub(super) fn new(salt: [u8; SALT_BYTES]) -> Self {
        Self {
            salt,
            seen: RwLock::default(),
        }
    }

    fn mac(&self, secret: &str) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.salt).expect("any length is a key");
        mac.update(secret.as_bytes());
        mac
    }

    /// In constant time.
    fn fits(&self, secret: &str, hash: &[u8]) -> bool {
        self.mac(secret).verify_slice(hash).is_ok()
    }

    fn seen(&self, id: &str, now_ms: u64) -> Option<Seen> {
        let seen = self.seen.read().expect("no panic while it is written");
        let found = seen.get(id)?;
        (now_ms.abs_diff(found.at_ms) < BELIEVED_MS).then(|| found.clone())
    }

    fn set(&self, id: &str, found: Option<Seen>) {
        let mut seen = self.seen.write().expect("no panic while it is written");
        match found {
            Some(found) => drop(seen.insert(id.to_owned(), found)),
            None => drop(seen.remove(id)),
        }
    }
}

impl Records {
    /// Makes a key and answers with it and its whole text, which nothing shows again.
    ///
    /// # Errors
    /// See [`KeyError`].
    pub async fn create_key(&self, new: NewKey, by: &str, now_ms: u64) -> Result<(ApiKey, String), KeyError> {
        check(&new, now_ms)?;
        // Not `random::text` alone: `_` parts the key, and an id that holds one would read badly.
        let id = random::text::<ID_BYTES>().replace(['_', '-'], "x");
        let secret = random::text::<SECRET_BYTES>();
        let hash = self.keys.mac(&secret).finalize().into_bytes().to_vec();
        let key = ApiKey {
            id,
            name: new.name,
            scopes: new.scopes,
            created_by: by.to_owned(),
            created_at: now_ms,
            expires_at: new.expires_at,
        };
        let text = format!("{KEY_PREFIX}{}_{secret}", key.id);
        let row = key.clone();
        let made = self.writer.run(move |connection| insert(connection, &row, &hash));
        if made.await.map_err(KeyError::Store)? {
            Ok((key, text))
        } else {
            Err(KeyError::TooMany)
        }
    }

    /// All keys, the oldest first.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub async fn list_keys(&self) -> Result<Vec<ApiKey>, RecordsError> {
        let list = self.read(|connection| {
            connection
                .prepare_cached(&format!("SELECT {COLUMNS} FROM api_key ORDER BY created_ms, id"))?
                .query_map((), |row| Ok(read(row)?.0))?
                .collect()
        });
        list.await
    }

    /// Ends a key; false where there is none of this id.
    ///
    /// # Errors
    /// Where the store cannot be written to.
    pub async fn revoke_key(&self, id: &str) -> Result<bool, RecordsError> {
        let row = id.to_owned();
        let revoked = self
            .writer
            .run(move |connection| connection.execute("DELETE FROM api_key WHERE id = ?1", [row]))
            .await?;
        self.keys.set(id, None);
        Ok(revoked > 0)
    }

    /// The key of this text, if it is one and holds.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub async fn key_of(&self, text: &str, now_ms: u64) -> Result<Option<ApiKey>, RecordsError> {
        let parts = text
            .strip_prefix(KEY_PREFIX)
            .and_then(|rest| rest.split_once('_'));
        let Some((id, secret)) = parts else {
            return Ok(None);
        };
        let found = match self.keys.seen(id, now_ms) {
            Some(found) => Some(found),
            None => self.look_up(id, now_ms).await?,
        };
        Ok(found
            .filter(|found| self.keys.fits(secret, &found.hash))
            .map(|found| found.key)
            .filter(|key| key.expires_at.is_none_or(|ends| now_ms < ends)))
    }

    async fn look_up(&self, id: &str, now_ms: u64) -> Result<Option<Seen>, RecordsError> {
        let wanted = id.to_owned();
        let found = self
            .read(move |connection| {
                connection
                    .prepare_cached(&format!("SELECT {COLUMNS} FROM api_key WHERE id = ?1"))?
                    .query_row([wanted], read)
                    .optional()
            })
            .await?;
        let found = found.map(|(key, hash)| Seen {
            key,
            hash,
            at_ms: now_ms,
        });
        self.keys.set(id, found.clone());
        Ok(found)
    }
}

fn check(new: &NewKey, now_ms: u64) -> Result<(), KeyError> {
    let control = new.name.chars().any(char::is_control);
    if new.name.trim().is_empty() || new.name.len() > NAME_BYTES || control {
        return Err(KeyError::Wrong(
            "`name` must be 1 to 64 bytes that say what the key is for.",
        ));
    }
    if new.scopes.is_empty() {
        return Err(KeyError::Wrong(
            "`scopes` must name at least one of publish, read, admin.",
        ));
    }
    if new.expires_at.is_some_and(|ends| ends <= now_ms) {
        return Err(KeyError::Wrong(
            "`expiresAt` lies in the past: it is a time in ms since the Unix epoch.",
        ));
    }
    Ok(())
}

const COLUMNS: &str = "id, name, scopes, created_by, created_ms, expires_ms, hash";

fn insert(connection: &Connection, key: &ApiKey, hash: &[u8]) -> rusqlite::Result<bool> {
    let scopes: Vec<&str> = key.scopes.iter().map(|scope| scope.as_str()).collect();
    let made = connection.execute(
        "INSERT INTO api_key (id, name, scopes, created_by, created_ms, expires_ms, hash)
         SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7 WHERE (SELECT count(*) FROM api_key) < ?8",
        params![
            key.id,
            key.name,
            serde_json::json!(scopes).to_string(),
            key.created_by,
            to_sql(key.created_at),
            key.expires_at.map(to_sql),
            hash,
            KEYS,
        ],
    )?;
    Ok(made > 0)
}

fn read(row: &Row<'_>) -> rusqlite::Result<(ApiKey, Vec<u8>)> {
    let scopes: String = row.get(2)?;
    let expires: Option<i64> = row.get(5)?;
    let key = ApiKey {
        id: row.get(0)?,
        name: row.get(1)?,
        // The column is written by us; what a hand changed into nonsense grants nothing.
        scopes: serde_json::from_str(&scopes).unwrap_or_default(),
        created_by: row.get(3)?,
        created_at: from_sql(row.get(4)?),
        expires_at: expires.map(from_sql),
    };
    Ok((key, row.get(6)?))
}
