//! What the server lets people read, and what it says when that changes.

use std::collections::BTreeSet;
use std::sync::Arc;

use bmt_shared::channel::ChannelName;
use bmt_shared::error::ErrorCode;
use bmt_shared::event::{ServerEvent, Unsubscribed};
use bmt_shared::id::UserId;
use bmt_shared::identity::{Role, User};

use super::{Server, connection_id};
use crate::wire::WireId;

/// Everybody has the right to every channel, unless it was taken.
#[derive(Default)]
pub(super) struct Rights {
    topics: Vec<ChannelName>,
    taken: BTreeSet<(UserId, ChannelName)>,
}

impl Rights {
    pub(super) fn to(topics: &[ChannelName]) -> Self {
        Self {
            topics: topics.to_vec(),
            taken: BTreeSet::new(),
        }
    }
}

impl Server {
    pub(super) fn user(&self, id: &UserId) -> User {
        let rights = &self.rights;
        let kept = |topic: &&ChannelName| !rights.taken.contains(&(id.clone(), (*topic).clone()));
        let kept = rights.topics.iter().filter(kept);
        User {
            user_id: id.clone(),
            name: id.to_string(),
            role: Role::User,
            permissions: kept.map(|topic| format!("channel:{topic}")).collect(),
        }
    }

    /// Somebody loses the right to a channel.
    pub(crate) fn take_right(&mut self, user: &UserId, topic: &ChannelName, now: u64) {
        self.rights.taken.insert((user.clone(), topic.clone()));
        self.change_rights(user, now);
    }

    /// And has it again.
    pub(crate) fn give_right(&mut self, user: &UserId, topic: &ChannelName, now: u64) {
        self.rights.taken.remove(&(user.clone(), topic.clone()));
        self.change_rights(user, now);
    }

    fn change_rights(&mut self, id: &UserId, now: u64) {
        let user = Arc::new(self.user(id));
        let wires: Vec<WireId> = self.connections.keys().copied().collect();
        for wire in wires {
            let session = self.session(wire).filter(|session| session.user().user_id == *id);
            if let Some(session) = session {
                let lost = session.change_rights(user.clone());
                self.take_subscriptions(wire, &lost, now);
            }
        }
    }

    pub(super) fn take_subscriptions(&mut self, wire: WireId, topics: &[ChannelName], now: u64) {
        for topic in topics {
            self.channel(topic, now).unsubscribe(&connection_id(wire), now);
            let unsubscribed = Unsubscribed {
                topic: topic.clone(),
                code: ErrorCode::PermissionDenied,
                message: "the right was taken".to_owned(),
            };
            self.say(wire, &ServerEvent::Unsubscribed(unsubscribed));
        }
    }
}
