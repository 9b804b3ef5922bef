//! Messages whose time was over while they waited in an outbox: what the next one of their channel has to tell.

use std::collections::HashMap;

use bmt_shared::channel::ChannelName;
use bmt_shared::message::Message;
use bmt_shared::position::Seq;

/// Most channels with a skip that was not told yet: as many as a connection may subscribe to (SPEC §10), and some
/// more. Beyond it the skips are forgotten, and their subscribers recover what is no gap.
const CHANNELS: usize = 1_024;

/// The seqs of one channel that were not sent, in a row.
struct Skip {
    /// The last one before them that the subscription was entitled to.
    prev: Seq,
    last: Seq,
}

/// See the [module](self).
#[derive(Default)]
pub(super) struct Skips(HashMap<ChannelName, Skip>);

impl Skips {
    /// A message is not sent any more.
    pub(super) fn note(&mut self, message: &Message) {
        let prev = previous(message);
        let last = message.seq;
        if let Some(skip) = self.0.get_mut(&message.topic) {
            if prev < skip.prev {
                // One that was sent before, and would have been sent again.
                return;
            }
            // Where there is a seq between them that was dropped, the reader is to see that one missing.
            if prev > skip.last {
                skip.prev = prev;
            }
            skip.last = last;
            return;
        }
        if self.0.len() >= CHANNELS {
            self.0.clear();
        }
        self.0.insert(message.topic.clone(), Skip { prev, last });
    }

    /// The `prev` of a message that is sent, where skipped ones stand before it.
    pub(super) fn prev_of(&mut self, message: &Message) -> Option<Seq> {
        let prev = previous(message);
        let skip = self.0.get(&message.topic)?;
        if prev < skip.prev {
            return None;
        }
        let skip = self.0.remove(&message.topic)?;
        (prev <= skip.last).then_some(skip.prev)
    }

    /// The stream of a channel broke, and goes on elsewhere.
    pub(super) fn forget(&mut self, topic: &ChannelName) {
        self.0.remove(topic);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn previous(message: &Message) -> Seq {
    message.prev.unwrap_or(message.seq.saturating_sub(1))
}
