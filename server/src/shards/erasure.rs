//! A user who is erased goes out of channels' messages: for administrators, and rare.

use std::sync::atomic::Ordering;

use bmt_shared::error::Failure;
use tokio::sync::oneshot;

use super::Shards;
use super::command::{Erasing, Request};
use crate::history::{Done, Erasure, Kind};

impl Shards {
    /// Takes what there is of a user out of messages of a channel; answers how many that changed. From then on
    /// nobody who asks the channel is told it.
    ///
    /// # Errors
    /// Where the store fails or the server stops. It may be done again.
    pub async fn erase(&self, erasure: Erasure) -> Result<u64, Failure> {
        if self.0.is_stopping.load(Ordering::Acquire) {
            return Err(self.stopping());
        }
        let (waiter, erased) = oneshot::channel();
        let topic = erasure.topic.clone();
        if self.0.world.namespaces.load().of(&topic).is_none() {
            // No channel of it can be open; what an earlier configuration had kept lies on the disk.
            let answer: Done<u64> = Box::new(|result| drop(waiter.send(result.map_err(Failure::from))));
            self.0.world.histories.of(Kind::Stored).erase(erasure, answer);
        } else {
            let door = self.door(&topic);
            let erasing = Erasing {
                waiter,
                _room: door.rooms.take_always(),
            };
            door.tell(topic, Request::Erase(erasure, erasing));
        }
        erased.await.unwrap_or_else(|_| Err(self.stopping()))
    }
}
