//! What is asked of shards beside requests: which channels are in use, for administrators and for figures.

use bmt_server_core::channel::Channel;
use bmt_shared::channel::ChannelName;
use serde::Serialize;
use tokio::sync::oneshot;
use utoipa::ToSchema;

use super::Shards;
use super::command::Command;
use crate::history::Listing;
use crate::outbox::Outbox;

/// One channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChannelDetail {
    /// Its name.
    pub name: String,
    /// Connections subscribed now.
    pub subscribers: u64,
    /// Messages that are kept.
    pub message_count: u64,
    /// When its first message came; where there is none, since when it is in use. Ms since the Unix epoch.
    pub created_at: u64,
    /// The newest message's number.
    pub seq: u64,
}

impl ChannelDetail {
    pub(super) fn of(name: &ChannelName, channel: &Channel<Outbox>) -> Self {
        let about = channel.about();
        Self {
            name: name.as_str().to_owned(),
            subscribers: about.subscribers,
            message_count: about.messages,
            created_at: about.created_ms,
            seq: about.top,
        }
    }
}

/// What a survey asks for.
#[derive(Clone, Debug)]
pub(super) enum Wanted {
    /// By name.
    Listed(Listing),
    /// Those with the most subscribers.
    Largest,
    /// One.
    Only(ChannelName),
}

/// A survey of one shard.
pub(super) struct Survey {
    pub(super) wanted: Wanted,
    pub(super) limit: usize,
    pub(super) answer: oneshot::Sender<Surveyed>,
}

impl Survey {
    /// Answers with what is asked for of these.
    pub(super) fn finish(self, open: usize, mut details: Vec<ChannelDetail>) {
        self.wanted.keep(&mut details, self.limit);
        // Whoever asked may be gone.
        let _ = self.answer.send(Surveyed { open, details });
    }
}

/// What a shard answers: all channels it has, and those that were asked for.
#[derive(Debug, Default)]
pub(super) struct Surveyed {
    pub(super) open: usize,
    pub(super) details: Vec<ChannelDetail>,
}

impl Wanted {
    pub(super) fn includes(&self, name: &ChannelName) -> bool {
        match self {
            Self::Listed(listing) => listing.includes(name.as_str()),
            Self::Largest => true,
            Self::Only(only) => only == name,
        }
    }

    /// Puts what is asked for first and drops the rest.
    pub(super) fn keep(&self, details: &mut Vec<ChannelDetail>, limit: usize) {
        details.sort_unstable_by(|one, other| match self {
            Self::Largest => other
                .subscribers
                .cmp(&one.subscribers)
                .then_with(|| one.name.cmp(&other.name)),
            Self::Listed(_) | Self::Only(_) => one.name.cmp(&other.name),
        });
        details.truncate(limit);
    }
}

impl Shards {
    /// How many channels are in use, and those with the most subscribers.
    pub async fn largest(&self, limit: usize) -> (usize, Vec<ChannelDetail>) {
        let surveyed = self.survey(Wanted::Largest, limit).await;
        (surveyed.open, surveyed.details)
    }

    /// Connections subscribed to one channel; asks its shard alone.
    pub async fn subscribers(&self, topic: &ChannelName) -> u64 {
        let (answer, surveyed) = oneshot::channel();
        let survey = Survey {
            wanted: Wanted::Only(topic.clone()),
            limit: 1,
            answer,
        };
        // A shard that is gone has no subscribers.
        let _ = self.door(topic).commands.send(Command::Survey(survey));
        let surveyed = surveyed.await.unwrap_or_default();
        surveyed.details.first().map_or(0, |detail| detail.subscribers)
    }

    pub(super) async fn survey(&self, wanted: Wanted, limit: usize) -> Surveyed {
        let asked: Vec<_> = self
            .0
            .shards
            .iter()
            .map(|door| {
                let (answer, surveyed) = oneshot::channel();
                let wanted = wanted.clone();
                let _ = door.commands.send(Command::Survey(Survey {
                    wanted,
                    limit,
                    answer,
                }));
                surveyed
            })
            .collect();
        let mut all = Surveyed::default();
        for surveyed in asked {
            let surveyed = surveyed.await.unwrap_or_default();
            all.open += surveyed.open;
            all.details.extend(surveyed.details);
        }
        wanted.keep(&mut all.details, limit);
        all
    }
}
