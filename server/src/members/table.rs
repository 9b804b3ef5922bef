//! All lists in memory: what every request on a private channel or a document asks.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bmt_server_core::session::Memberships;
use bmt_shared::id::UserId;
use bmt_shared::permission::Membership;
use rusqlite::Connection;

use super::{List, Member, MemberRole};
use crate::database::{Why, from_sql};

/// A lock, because readers are all connections and requests, and the one writer is rare; it is never held over a
/// wait. Bounded by the limits that [`super::act`] keeps.
#[derive(Default)]
pub(super) struct Table(RwLock<Lists>);

#[derive(Default)]
pub(super) struct Lists {
    by_key: HashMap<Arc<str>, List>,
    /// The keys of the lists in which a user stands or which it deleted.
    of_user: HashMap<UserId, BTreeSet<Arc<str>>>,
    entries: usize,
}

impl Table {
    pub(super) fn load(connection: &Connection) -> Result<Self, Why> {
        let mut by_key: HashMap<String, List> = HashMap::new();
        let mut lists = connection.prepare("SELECT name, title, created_ms, deleted_by FROM list")?;
        let mut rows = lists.query(())?;
        while let Some(row) = rows.next()? {
            let deleted_by: Option<String> = row.get(3)?;
            let list = List {
                title: row.get(1)?,
                created_ms: from_sql(row.get(2)?),
                deleted_by: deleted_by.as_deref().map(UserId::new),
                ..List::default()
            };
            by_key.insert(row.get(0)?, list);
        }
        let mut members = connection.prepare("SELECT name, user_id, role, since_ms FROM member")?;
        let mut rows = members.query(())?;
        while let Some(row) = rows.next()? {
            let name: String = row.get(0)?;
            let role: String = row.get(2)?;
            let (Some(list), Some(role)) = (by_key.get_mut(&name), MemberRole::parse(&role)) else {
                return Err(Why::Damaged(format!("an entry of {name} has no list or no role")));
            };
            let since_ms = from_sql(row.get(3)?);
            list.members.insert(
                UserId::new(row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?),
                Member { role, since_ms },
            );
        }
        let mut all = Lists::default();
        for (key, list) in by_key {
            all.set(&Arc::from(key), list);
        }
        Ok(Self(RwLock::new(all)))
    }

    pub(super) fn get<T>(&self, key: &str, read: impl FnOnce(Option<&List>) -> T) -> T {
        read(self.read().get(key))
    }

    pub(super) fn of_user(&self, user: &UserId) -> Vec<(Arc<str>, List)> {
        let lists = self.read();
        let keys = lists
            .keys_of(user)
            .filter_map(|key| Some((key.clone(), lists.get(key)?)));
        let standing = keys.filter(|(_, list)| list.members.contains_key(user));
        standing.map(|(key, list)| (key, list.clone())).collect()
    }

    pub(super) fn read(&self) -> RwLockReadGuard<'_, Lists> {
        self.0.read().expect("no panic while it is written")
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, Lists> {
        self.0.write().expect("no panic while it is written")
    }
}

impl Lists {
    pub(super) fn get(&self, key: &str) -> Option<&List> {
        self.by_key.get(key)
    }

    /// How many lists and how many entries there are.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.by_key.len(), self.entries)
    }

    pub(super) fn keys_of(&self, user: &UserId) -> impl Iterator<Item = &Arc<str>> {
        self.of_user.get(user).into_iter().flatten()
    }

    /// How many lists are a user's own, those it deleted included.
    pub(super) fn owned_by(&self, user: &UserId) -> usize {
        let own = |key: &&Arc<str>| {
            self.get(key).is_some_and(|list| {
                list.role(user) == Some(MemberRole::Owner) || list.deleted_by.as_ref() == Some(user)
            })
        };
        self.keys_of(user).filter(own).count()
    }

    /// Puts a list in the place of the one before.
    pub(super) fn set(&mut self, key: &Arc<str>, list: List) {
        if let Some(before) = self.by_key.remove(key) {
            self.entries -= before.members.len();
            for user in concerned(&before) {
                if let Some(keys) = self.of_user.get_mut(user) {
                    keys.remove(key);
                    if keys.is_empty() {
                        self.of_user.remove(user);
                    }
                }
            }
        }
        for user in concerned(&list) {
            self.of_user.entry(user.clone()).or_default().insert(key.clone());
        }
        self.entries += list.members.len();
        self.by_key.insert(key.clone(), list);
    }
}

fn concerned(list: &List) -> impl Iterator<Item = &UserId> {
    list.members.keys().chain(&list.deleted_by)
}

impl Memberships for Table {
    fn of(&self, key: &str, user: &UserId) -> Membership {
        self.get(key, |list| {
            list.map_or(Membership::Unlisted, |list| list.membership(user))
        })
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (lists, entries) = self.read().size();
        f.debug_struct("Table")
            .field("lists", &lists)
            .field("entries", &entries)
            .finish()
    }
}
