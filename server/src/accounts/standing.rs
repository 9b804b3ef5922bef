//! What every request asks of the accounts, in memory: one entry an account, some two hundred bytes each.

use std::collections::HashMap;
use std::sync::RwLock;

use bmt_shared::identity::Role;
use rusqlite::Connection;

use super::account::sql_ms;
use crate::auth::{SessionId, Standing, Standings};

/// A lock, because readers are all connections and requests, and writers are rare; it is never held over a wait.
pub(super) struct StandingTable {
    inner: RwLock<Inner>,
    /// How long an ended login is remembered: as long as its last access token may live.
    remember_ms: u64,
}

#[derive(Default)]
struct Inner {
    /// By issuer, then subject.
    users: HashMap<String, HashMap<String, Standing>>,
    /// When each login ended, ms since the epoch.
    ended: HashMap<SessionId, u64>,
}

impl StandingTable {
    pub(super) fn load(connection: &Connection, remember_ms: u64, now_ms: u64) -> rusqlite::Result<Self> {
        let mut inner = Inner::default();
        let mut accounts = connection.prepare("SELECT issuer, subject, role, blocked FROM account")?;
        let mut rows = accounts.query(())?;
        while let Some(row) = rows.next()? {
            let role: Option<String> = row.get(2)?;
            let standing = Standing {
                role: role.as_deref().and_then(Role::parse),
                blocked: row.get(3)?,
            };
            inner
                .users
                .entry(row.get(0)?)
                .or_default()
                .insert(row.get(1)?, standing);
        }
        let mut sessions =
            connection.prepare("SELECT session_id, ended_ms FROM session WHERE ended_ms > ?1")?;
        let mut rows = sessions.query([sql_ms(now_ms.saturating_sub(remember_ms))])?;
        while let Some(row) = rows.next()? {
            let ended_ms: i64 = row.get(1)?;
            inner.ended.insert(
                SessionId::new(row.get_ref(0)?.as_str()?),
                u64::try_from(ended_ms).unwrap_or(0),
            );
        }
        Ok(Self {
            inner: RwLock::new(inner),
            remember_ms,
        })
    }

    /// Changes what is known of a user; nothing is known of one who was never heard of.
    pub(super) fn change(&self, issuer: &str, subject: &str, change: impl FnOnce(&mut Standing)) {
        let mut inner = self.inner.write().expect("no panic while it is written");
        let users = inner.users.entry(issuer.to_owned()).or_default();
        change(users.entry(subject.to_owned()).or_default());
    }

    pub(super) fn forget(&self, issuer: &str, subject: &str) {
        let mut inner = self.inner.write().expect("no panic while it is written");
        if let Some(users) = inner.users.get_mut(issuer) {
            users.remove(subject);
        }
    }

    pub(super) fn end(&self, session: SessionId, now_ms: u64) {
        let mut inner = self.inner.write().expect("no panic while it is written");
        inner
            .ended
            .retain(|_, ended_ms| now_ms.saturating_sub(*ended_ms) <= self.remember_ms);
        inner.ended.insert(session, now_ms);
    }
}

impl Standings for StandingTable {
    fn of(&self, issuer: &str, subject: &str) -> Option<Standing> {
        let inner = self.inner.read().expect("no panic while it is written");
        inner.users.get(issuer)?.get(subject).copied()
    }

    fn has_ended(&self, session: &SessionId) -> bool {
        let inner = self.inner.read().expect("no panic while it is written");
        inner.ended.contains_key(session)
    }
}
