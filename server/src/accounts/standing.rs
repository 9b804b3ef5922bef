//! What every request asks of the accounts, in memory: one entry an account, some two hundred bytes each.

use std::collections::HashMap;
use std::sync::RwLock;

use bmt_shared::id::UserId;
use bmt_shared::identity::Role;
use rusqlite::Connection;

use crate::auth::{SessionId, Standing, Standings};
use crate::database::to_sql;

/// A lock, because readers are all connections and requests, and writers are rare; it is never held over a wait.
pub(super) struct StandingTable {
    inner: RwLock<Inner>,
    /// How long an ended login is remembered: as long as its last access token may live.
    remember_ms: u64,
}

/// By issuer, then subject.
type Users = HashMap<String, HashMap<String, Standing>>;

#[derive(Default)]
struct Inner {
    users: Users,
    /// When each login ended, ms since the epoch.
    ended: HashMap<SessionId, u64>,
}

impl StandingTable {
    pub(super) fn load(connection: &Connection, remember_ms: u64, now_ms: u64) -> rusqlite::Result<Self> {
        let table = Self {
            inner: RwLock::default(),
            remember_ms,
        };
        table.reload(connection, now_ms)?;
        Ok(table)
    }

    /// Reads everything anew. Answers with the users for whom something else holds than before.
    pub(super) fn reload(&self, connection: &Connection, now_ms: u64) -> rusqlite::Result<Vec<UserId>> {
        let users = read_users(connection)?;
        let ended = read_ended(connection, now_ms.saturating_sub(self.remember_ms))?;
        let mut inner = self.inner.write().expect("no panic while it is written");
        let mut concerned = differences(&inner.users, &users);
        inner.users = users;
        for (session, user, ended_ms) in ended {
            if inner.ended.insert(session, ended_ms).is_none() && !concerned.contains(&user) {
                concerned.push(user);
            }
        }
        Ok(concerned)
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

fn read_users(connection: &Connection) -> rusqlite::Result<Users> {
    let mut users = Users::default();
    let mut accounts = connection.prepare_cached("SELECT issuer, subject, role, blocked FROM account")?;
    let mut rows = accounts.query(())?;
    while let Some(row) = rows.next()? {
        let role: Option<String> = row.get(2)?;
        let standing = Standing {
            role: role.as_deref().and_then(Role::parse),
            blocked: row.get(3)?,
        };
        users
            .entry(row.get(0)?)
            .or_default()
            .insert(row.get(1)?, standing);
    }
    Ok(users)
}

/// The logins that ended since then, whose they were, and when.
fn read_ended(connection: &Connection, since_ms: u64) -> rusqlite::Result<Vec<(SessionId, UserId, u64)>> {
    connection
        .prepare_cached("SELECT session_id, user_id, ended_ms FROM session WHERE ended_ms > ?1")?
        .query_map([to_sql(since_ms)], |row| {
            let ended_ms: i64 = row.get(2)?;
            Ok((
                SessionId::new(row.get_ref(0)?.as_str()?),
                UserId::new(row.get_ref(1)?.as_str()?),
                u64::try_from(ended_ms).unwrap_or(0),
            ))
        })?
        .collect()
}

fn differences(before: &Users, after: &Users) -> Vec<UserId> {
    let changed = |from: &Users, to: &Users| -> Vec<UserId> {
        let of = |issuer: &String, subject: &String| to.get(issuer)?.get(subject).copied();
        from.iter()
            .flat_map(|(issuer, users)| {
                users
                    .iter()
                    .map(move |(subject, standing)| (issuer, subject, standing))
            })
            .filter(|(issuer, subject, standing)| of(issuer, subject) != Some(**standing))
            .map(|(_, subject, _)| UserId::new(subject))
            .collect()
    };
    let mut all = changed(before, after);
    all.extend(changed(after, before));
    all.sort_unstable();
    all.dedup();
    all
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
