//! What there is of a user goes out of a channel: out of the store, then out of what the channel has in memory.

use bmt_shared::channel::ChannelName;
use bmt_shared::error::Failure;

use super::{Place, Shard, kept, tell};
use crate::history::{Erasure, StoreFailure};
use crate::shards::command::{Command, Erasing};

impl Shard {
    /// Hands an erasure to the channel's store.
    pub(super) fn erase(&mut self, topic: &ChannelName, erasure: Erasure, erasing: Erasing) {
        self.awaited += 1;
        let kind = self.by_namespace(topic, kept).0;
        let (door, name) = (self.door.clone(), topic.clone());
        let done = move |result| tell(&door, Command::Erased(name, erasing, result));
        self.world.histories.of(kind).erase(erasure, Box::new(done));
    }

    /// Whatever became of it, the store knows: what the channel remembers of its messages is read there again.
    pub(super) fn erased(
        &mut self,
        topic: &ChannelName,
        erasing: Erasing,
        result: Result<u64, StoreFailure>,
    ) {
        self.awaited -= 1;
        if matches!(self.places.get(topic), Some(Place::Open(_))) {
            self.with(topic, |channel, _| channel.shrink_tail(0));
        }
        erasing.answer(result.map_err(Failure::from));
    }
}
