//! Who is present on a channel: users, not connections.

use std::collections::{BTreeMap, BTreeSet};

use bmt_shared::id::UserId;
use bmt_shared::identity::User;
use bmt_shared::reply::Present;

/// A user whose last connection left is present this much longer, ms: a page reload is no news (SPEC §4).
pub const FLAP_MS: u64 = 2_000;
/// Most users a list names; `count` still tells of all. A bound on the reply, far above what a page shows.
pub const LISTED_USERS: usize = 1_000;

struct Stay {
    name: String,
    connections: u64,
    since: u64,
    leaves_at_ms: Option<u64>,
}

/// Users by id with their connections. A leave is told [`FLAP_MS`] after the last connection, unless one returns.
#[derive(Default)]
pub(super) struct Presence {
    // A tree's node has room for eleven, and most channels have few users: the stays are apart.
    users: BTreeMap<UserId, Box<Stay>>,
    /// The users without a connection by the time at which they leave.
    leaving: BTreeSet<(u64, UserId)>,
}

impl Presence {
    /// Counts a connection in; answers the user where that is a join to tell of.
    pub(super) fn join(&mut self, user: &User, now_ms: u64) -> Option<Present> {
        if let Some(stay) = self.users.get_mut(&user.user_id) {
            stay.connections += 1;
            stay.name.clone_from(&user.name);
            if let Some(at) = stay.leaves_at_ms.take() {
                self.leaving.remove(&(at, user.user_id.clone()));
            }
            return None;
        }
        let stay = Stay {
            name: user.name.clone(),
            connections: 1,
            since: now_ms,
            leaves_at_ms: None,
        };
        let present = present(&user.user_id, &stay);
        self.users.insert(user.user_id.clone(), Box::new(stay));
        Some(present)
    }

    /// Counts a connection out.
    pub(super) fn leave(&mut self, user: &UserId, now_ms: u64) {
        self.count_out(user, now_ms + FLAP_MS);
    }

    /// Counts a connection out that was silent for longer than [`FLAP_MS`]: where it was the last one, the user
    /// leaves at once.
    pub(super) fn lapse(&mut self, user: &UserId, now_ms: u64) {
        self.count_out(user, now_ms);
    }

    fn count_out(&mut self, user: &UserId, at: u64) {
        let Some(stay) = self.users.get_mut(user) else {
            return;
        };
        stay.connections = stay.connections.saturating_sub(1);
        if stay.connections == 0 {
            stay.leaves_at_ms = Some(at);
            self.leaving.insert((at, user.clone()));
        }
    }

    /// When the next leave is due.
    pub(super) fn next_leave_ms(&self) -> Option<u64> {
        self.leaving.first().map(|(at, _)| *at)
    }

    /// Takes out the users whose leave is due.
    pub(super) fn take_left(&mut self, now_ms: u64) -> Vec<Present> {
        let mut left = Vec::new();
        while let Some((at, _)) = self.leaving.first() {
            if *at > now_ms {
                break;
            }
            let Some((_, user)) = self.leaving.pop_first() else {
                break;
            };
            if let Some(stay) = self.users.remove(&user) {
                left.push(present(&user, &stay));
            }
        }
        left
    }

    /// The users, at most [`LISTED_USERS`], in the order of their ids. Who is about to leave still stands here
    /// (with no connections), so that a list and the events after it always agree.
    pub(super) fn list(&self) -> Vec<Present> {
        let users = self.users.iter().take(LISTED_USERS);
        users.map(|(user, stay)| present(user, stay)).collect()
    }

    pub(super) fn count(&self) -> u64 {
        self.users.len() as u64
    }
}

fn present(user: &UserId, stay: &Stay) -> Present {
    Present {
        user_id: user.clone(),
        name: stay.name.clone(),
        connections: stay.connections,
        since: stay.since,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bmt_shared::identity::Role;

    fn user(id: &str) -> User {
        User {
            user_id: UserId::new(id),
            name: id.to_uppercase(),
            role: Role::User,
            permissions: Vec::new(),
        }
    }

    #[test]
    fn a_user_joins_once_however_many_connections() {
        let mut presence = Presence::default();
        assert!(presence.join(&user("a"), 10).is_some());
        assert!(presence.join(&user("a"), 20).is_none());
        let list = presence.list();
        assert_eq!((list.len(), list[0].connections, list[0].since), (1, 2, 10));
        presence.leave(&UserId::new("a"), 30);
        assert_eq!(presence.next_leave_ms(), None);
        presence.leave(&UserId::new("a"), 40);
        assert_eq!(presence.next_leave_ms(), Some(40 + FLAP_MS));
    }

    #[test]
    fn a_return_within_the_flap_time_is_no_news() {
        let mut presence = Presence::default();
        presence.join(&user("a"), 0);
        presence.leave(&UserId::new("a"), 100);
        assert!(presence.take_left(100 + FLAP_MS - 1).is_empty());
        assert_eq!(presence.join(&user("a"), 100 + FLAP_MS - 1), None);
        assert_eq!(presence.next_leave_ms(), None);
        assert!(presence.take_left(u64::MAX).is_empty());
        assert_eq!(presence.list()[0].since, 0);
    }

    #[test]
    fn who_was_silent_for_long_leaves_at_once_unless_another_connection_is_there() {
        let mut presence = Presence::default();
        for at in [0, 10] {
            presence.join(&user("a"), at);
        }
        presence.lapse(&UserId::new("a"), 100);
        assert!(presence.take_left(100).is_empty());
        presence.lapse(&UserId::new("a"), 200);
        assert_eq!(presence.take_left(200).len(), 1);
    }

    #[test]
    fn who_stays_away_has_left_and_joins_anew() {
        let mut presence = Presence::default();
        presence.join(&user("a"), 0);
        presence.leave(&UserId::new("a"), 100);
        let left = presence.take_left(100 + FLAP_MS);
        assert_eq!((left.len(), left[0].user_id.as_str()), (1, "a"));
        assert_eq!((presence.count(), presence.next_leave_ms()), (0, None));
        assert!(
            presence
                .join(&user("a"), 9_000)
                .is_some_and(|present| present.since == 9_000)
        );
    }
}
