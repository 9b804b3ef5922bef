//! The built-in accounts and their logins, in a database of their own (SPEC §2).
//!
//! [`Accounts`] is a handle: cheap to clone, every method may be called from any task. SQL runs on one thread of
//! its own, password hashes on a few others; what every request needs ([`Standings`]) is
//! answered from memory.

mod account;
mod administration;
mod choice;
mod database;
mod dev;
mod follow;
mod login;
mod password;
mod schema;
mod session;
mod sessions;
mod standing;
mod throttle;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bmt_shared::id::UserId;
use tokio::sync::{Mutex, broadcast};
use tokio::time::Instant;

use crate::auth::{RefreshKey, SessionId, Standings};
use crate::config::Config;
use crate::database::{OpenError, Why, Worker};
use database::Database;
use password::Passwords;
use schema::SCHEMA;
use standing::StandingTable;
use throttle::Throttle;

pub use account::Account;
pub use administration::{AccountError, NewAccount};
pub use choice::{ChoiceError, PasswordReset};
pub use database::StoreError;
pub use dev::DEV_ACCOUNTS;
pub use login::{Login, LoginError, RefreshError};
pub use sessions::OpenSession;

/// Whose rights became fewer, or other ones. Connections of theirs are judged anew at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Revocation {
    /// One login is over: a logout, a changed password, or a refresh token that was used twice.
    Session {
        /// Whose it was.
        user: UserId,
        /// Which.
        session: SessionId,
    },
    /// A user is blocked, let in again, gone, or of another role.
    User(UserId),
}

/// Revocations that a slow listener may be behind before it is told that it missed some.
const REVOCATION_BACKLOG: usize = 1_024;
/// How long one write vouches for the store: anybody may ask, and each write is a flush of the disk.
const WRITE_CHECK: Duration = Duration::from_secs(1);

/// The account store.
#[derive(Clone)]
pub struct Accounts {
    database: Database,
    passwords: Passwords,
    throttle: Arc<Throttle>,
    /// New accounts and codes of links that were tried: every attempt counts, right or wrong.
    strangers: Arc<Throttle>,
    registration: Arc<AtomicBool>,
    standings: Arc<StandingTable>,
    refresh_key: RefreshKey,
    session_ttl_ms: u64,
    revocations: broadcast::Sender<Revocation>,
    /// When the store was last seen to take a write.
    written_at: Arc<Mutex<Option<Instant>>>,
}

impl Accounts {
    /// Opens the database at `path`, making or migrating it. Blocks: call it before serving.
    ///
    /// # Errors
    /// Where the file cannot be used, or a newer version of the server wrote it.
    pub fn open(path: &Path, config: &Config, now_ms: u64) -> Result<Self, OpenError> {
        let open = || {
            let mut connection = SCHEMA.open(path)?;
            dev::admit(&mut connection, config.mode)?;
            Self::over(connection, config, now_ms)
        };
        open().map_err(|why| OpenError::new(path, why))
    }

    /// Opens the database for a command of an operator. Beside a running server the file stays of that server's
    /// version, and the server [follows](Self::follow). Blocks.
    ///
    /// # Errors
    /// As [`Self::open`]; beside a server also where the file is of another version than this program's.
    pub fn open_for_command(
        path: &Path,
        beside_server: bool,
        config: &Config,
        now_ms: u64,
    ) -> Result<Self, OpenError> {
        let connection = if beside_server {
            SCHEMA.open_as_it_is(path)
        } else {
            SCHEMA.open(path)
        };
        connection
            .and_then(|connection| Self::over(connection, config, now_ms))
            .map_err(|why| OpenError::new(path, why))
    }

    fn over(connection: rusqlite::Connection, config: &Config, now_ms: u64) -> Result<Self, Why> {
        // Access tokens of a login that ended longer ago have expired by themselves.
        let remember_ms = (config.auth.access_ttl_s + config.auth.leeway_s) * 1_000;
        let standings = StandingTable::load(&connection, remember_ms, now_ms)?;
        Ok(Self {
            database: Database(Worker::start("accounts", connection).map_err(Why::Thread)?),
            passwords: Passwords::new(),
            throttle: Arc::new(Throttle::new(config.limits.login_per_minute)),
            strangers: Arc::new(Throttle::new(config.limits.login_per_minute)),
            registration: Arc::new(AtomicBool::new(config.auth.registration)),
            standings: Arc::new(standings),
            refresh_key: RefreshKey::derive(&config.auth.jwt_secret),
            session_ttl_ms: config.auth.session_ttl_s * 1_000,
            revocations: broadcast::Sender::new(REVOCATION_BACKLOG),
            written_at: Arc::default(),
        })
    }

    /// Goes on by what may change of the configuration. Attempts that were made before still count.
    pub fn follow_settings(&self, config: &Config) {
        self.registration
            .store(config.auth.registration, Ordering::Relaxed);
        for throttle in [&self.throttle, &self.strangers] {
            throttle.set_rate(config.limits.login_per_minute);
        }
    }

    /// What the authenticator asks.
    #[must_use]
    pub fn standings(&self) -> Arc<dyn Standings> {
        self.standings.clone()
    }

    /// Everything that is revoked from now on. A listener that lags asks [`Self::standings`] about all it holds.
    #[must_use]
    pub fn revocations(&self) -> broadcast::Receiver<Revocation> {
        self.revocations.subscribe()
    }

    /// Whether the store could be written to within the last second. Asking often costs no more than one write a
    /// second: those who ask meanwhile wait for the same one.
    ///
    /// # Errors
    /// Why it cannot.
    pub async fn check_writable(&self) -> Result<(), StoreError> {
        let mut written_at = self.written_at.lock().await;
        if written_at.is_none_or(|at| at.elapsed() >= WRITE_CHECK) {
            *written_at = None;
            self.database.run(schema::check_writable).await?;
            *written_at = Some(Instant::now());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
