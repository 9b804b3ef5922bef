//! One change: allowed, within the limits, on disk, in memory, told.

use std::sync::Arc;

use bmt_shared::channel::ChannelName;
use bmt_shared::direct::is_direct;
use bmt_shared::id::UserId;
use rusqlite::{Connection, TransactionBehavior, params};
use tokio::sync::broadcast;

use super::table::Table;
use super::{
    Actor, Change, ENTRIES, LISTS, LISTS_PER_OWNER, List, MEMBERS_PER_LIST, Member, MemberRole, MembersError,
};
use crate::database::to_sql;

/// The means of a change. There is one at a time, on the writer's thread.
pub(super) struct Act<'a> {
    connection: &'a mut Connection,
    table: &'a Table,
    changes: &'a broadcast::Sender<Change>,
}

/// The list, if `by` may read it.
pub(super) fn readable<'a>(list: Option<&'a List>, by: &Actor) -> Result<&'a List, MembersError> {
    match list.filter(|list| list.deleted_by.is_none()) {
        Some(list) if by.is_admin || list.members.contains_key(&by.user_id) => Ok(list),
        None if by.is_admin => Err(MembersError::NoList),
        _ => Err(MembersError::Denied),
    }
}

impl<'a> Act<'a> {
    pub(super) fn new(
        connection: &'a mut Connection,
        table: &'a Table,
        changes: &'a broadcast::Sender<Change>,
    ) -> Self {
        Self {
            connection,
            table,
            changes,
        }
    }

    pub(super) fn create(
        &mut self,
        key: &str,
        title: Option<String>,
        members: &[(UserId, MemberRole)],
        by: &Actor,
        now_ms: u64,
    ) -> Result<(List, bool), MembersError> {
        let direct = is_direct_key(key);
        let known = self.table.get(key, |list| list.cloned());
        if let Some(known) = known {
            let own = match known.role(&by.user_id) {
                Some(MemberRole::Owner) => true,
                Some(_) => direct,
                None => false,
            };
            if own {
                return Ok((known, false));
            }
            let refillable = known
                .deleted_by
                .is_some_and(|last| by.is_admin || last == by.user_id);
            if !refillable {
                return Err(MembersError::Denied);
            }
        }
        let mut list = List {
            title,
            created_ms: now_ms,
            ..List::default()
        };
        let own = if direct {
            MemberRole::Writer
        } else {
            MemberRole::Owner
        };
        let all = members.iter().cloned().chain([(by.user_id.clone(), own)]);
        for (user, role) in all {
            let role = if direct { MemberRole::Writer } else { role };
            list.members.insert(
                user,
                Member {
                    role,
                    since_ms: now_ms,
                },
            );
        }
        self.check_limits(key, &list)?;
        self.keep(key, &list, None)?;
        Ok((list, true))
    }

    pub(super) fn put(
        &mut self,
        key: &str,
        user: &UserId,
        role: MemberRole,
        by: &Actor,
        now_ms: u64,
    ) -> Result<Member, MembersError> {
        let mut list = self.changeable(key, by, None)?;
        if role != MemberRole::Owner && list.is_last_owner(user) {
            return Err(MembersError::LastOwner);
        }
        let since_ms = list.members.get(user).map_or(now_ms, |before| before.since_ms);
        let member = Member { role, since_ms };
        if list.members.insert(user.clone(), member) != Some(member) {
            self.check_limits(key, &list)?;
            self.keep(key, &list, Some(user))?;
        }
        Ok(member)
    }

    pub(super) fn remove(&mut self, key: &str, user: &UserId, by: &Actor) -> Result<(), MembersError> {
        let mut list = self.changeable(key, by, Some(user))?;
        if list.is_last_owner(user) {
            return Err(MembersError::LastOwner);
        }
        if list.members.remove(user).is_some() {
            self.keep(key, &list, Some(user))?;
        }
        Ok(())
    }

    pub(super) fn delete(&mut self, key: &str, by: &Actor) -> Result<(), MembersError> {
        let mut list = self.changeable(key, by, None)?;
        list.members.clear();
        list.deleted_by = Some(by.user_id.clone());
        self.keep(key, &list, None)
    }

    pub(super) fn forget(&mut self, user: &UserId) -> Result<(), MembersError> {
        let keys: Vec<Arc<str>> = self.table.read().keys_of(user).cloned().collect();
        for key in keys {
            let Some(mut list) = self.table.get(&key, |list| list.cloned()) else {
                continue;
            };
            list.members.remove(user);
            // An emptied list stays closed: only administrators may fill it again.
            list.deleted_by = list.deleted_by.filter(|last| last != user);
            self.keep(&key, &list, Some(user))?;
        }
        Ok(())
    }

    /// The list, if `by` may change it; `leaves` is who wants to be taken out of it.
    fn changeable(&self, key: &str, by: &Actor, leaves: Option<&UserId>) -> Result<List, MembersError> {
        let list = self.table.get(key, |list| readable(list, by).cloned())?;
        if is_direct_key(key) {
            return Err(MembersError::Direct);
        }
        let owns = list.role(&by.user_id) == Some(MemberRole::Owner);
        if by.is_admin || owns || leaves == Some(&by.user_id) {
            return Ok(list);
        }
        Err(MembersError::Denied)
    }

    fn check_limits(&self, key: &str, list: &List) -> Result<(), MembersError> {
        if list.members.len() > MEMBERS_PER_LIST {
            return Err(MembersError::Full("members in a list", MEMBERS_PER_LIST));
        }
        let lists = self.table.read();
        let (count, entries) = lists.size();
        let before = lists.get(key);
        if before.is_none() && count >= LISTS {
            return Err(MembersError::Full("lists on this server", LISTS));
        }
        let entries_before = before.map_or(0, |before| before.members.len());
        if entries - entries_before + list.members.len() > ENTRIES {
            return Err(MembersError::Full("members in all lists of this server", ENTRIES));
        }
        for (user, member) in &list.members {
            let new = member.role == MemberRole::Owner
                && before.is_none_or(|before| before.role(user) != Some(MemberRole::Owner));
            if new && lists.owned_by(user) >= LISTS_PER_OWNER {
                return Err(MembersError::Full("lists of one owner", LISTS_PER_OWNER));
            }
        }
        Ok(())
    }

    /// Writes the list as it shall be; then it is so, and all are told. `user` is the one whom it concerns.
    fn keep(&mut self, key: &str, list: &List, user: Option<&UserId>) -> Result<(), MembersError> {
        let writing = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        writing
            .prepare_cached(
                "INSERT INTO list (name, title, created_ms, deleted_by) VALUES (?1, ?2, ?3, ?4) \
                 ON CONFLICT (name) DO UPDATE SET title = ?2, created_ms = ?3, deleted_by = ?4",
            )?
            .execute(params![
                key,
                list.title,
                to_sql(list.created_ms),
                list.deleted_by.as_ref().map(UserId::as_str)
            ])?;
        let concerned = user.map(UserId::as_str);
        writing
            .prepare_cached("DELETE FROM member WHERE name = ?1 AND (?2 IS NULL OR user_id = ?2)")?
            .execute(params![key, concerned])?;
        for (id, member) in &list.members {
            if user.is_none_or(|user| user == id) {
                writing
                    .prepare_cached(
                        "INSERT INTO member (name, user_id, role, since_ms) VALUES (?1, ?2, ?3, ?4)",
                    )?
                    .execute(params![
                        key,
                        id.as_str(),
                        member.role.as_str(),
                        to_sql(member.since_ms)
                    ])?;
            }
        }
        writing.commit()?;
        let key: Arc<str> = Arc::from(key);
        self.table.write().set(&key, list.clone());
        let user = user.cloned();
        // Nobody may be listening.
        let _ = self.changes.send(Change { key, user });
        Ok(())
    }
}

fn is_direct_key(key: &str) -> bool {
    ChannelName::parse(key).is_ok_and(|name| is_direct(&name))
}
