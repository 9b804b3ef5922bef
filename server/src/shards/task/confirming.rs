//! Confirmations: a client names a message and not its channel, so each shard knows where its own ones lie.

use std::collections::{HashMap, HashSet};

use bmt_shared::channel::ChannelName;
use bmt_shared::id::ServerMessageId;

use super::{Place, Shard};
use crate::shards::command::Confirmation;

/// Messages noted before those are looked for that wait no longer: nobody says so when the last sending was in
/// vain. Doubled by those that still wait.
const NOTED: usize = 1_024;

/// The channels of the messages that wait for confirmations.
#[derive(Default)]
pub(super) struct Confirming {
    topics: HashMap<ServerMessageId, ChannelName>,
    /// As many as there may be before the next look.
    most: usize,
}

impl Shard {
    /// Notes a message that waits, if it does.
    pub(super) fn note_unconfirmed(&mut self, topic: &ChannelName, id: &ServerMessageId) {
        if !awaits(&self.places, topic, id) {
            return;
        }
        let Confirming { topics, most } = &mut self.confirming;
        if topics.len() >= (*most).max(NOTED) {
            topics.retain(|id, topic| awaits(&self.places, topic, id));
            *most = 2 * topics.len();
        }
        topics.insert(id.clone(), topic.clone());
    }

    /// Takes a confirmation, if it is of a message here.
    pub(super) fn confirm(&mut self, confirmation: &Confirmation) {
        let Confirmation {
            id, connection, user, ..
        } = confirmation;
        let Some(topic) = self.confirming.topics.get(id).cloned() else {
            return;
        };
        if awaits(&self.places, &topic, id) {
            self.with(&topic, |channel, now_ms| {
                channel.confirm(id, connection, user, now_ms);
            });
        }
        if !awaits(&self.places, &topic, id) {
            self.confirming.topics.remove(id);
        }
    }
}

impl Shard {
    /// The server ends: who waits for confirmations is told how it stands, for the last time.
    pub(super) fn settle_unconfirmed(&mut self) {
        let topics: HashSet<ChannelName> = self.confirming.topics.drain().map(|(_, topic)| topic).collect();
        for topic in topics {
            if matches!(self.places.get(&topic), Some(Place::Open(_))) {
                self.with(&topic, |channel, _| channel.settle_all());
            }
        }
        self.writers.set_going();
    }
}

fn awaits(places: &HashMap<ChannelName, Place>, topic: &ChannelName, id: &ServerMessageId) -> bool {
    matches!(places.get(topic), Some(Place::Open(channel)) if channel.awaits(id))
}
