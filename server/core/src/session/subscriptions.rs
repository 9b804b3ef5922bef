//! The channels one connection is subscribed to, or has asked to be.

use std::collections::HashMap;

use bmt_shared::channel::ChannelName;

/// Which channels, each with the number of the request that asked for it last.
///
/// The number tells a refusal that comes late from the subscription that was asked for again since.
#[derive(Clone, Debug, Default)]
pub struct Subscriptions(HashMap<ChannelName, u64>);

impl Subscriptions {
    /// Notes that request `call` subscribes; `false` where that would be one more than `most` (0 is no limit).
    /// Subscribing twice is not one more.
    pub fn insert(&mut self, topic: &ChannelName, call: u64, most: u64) -> bool {
        if let Some(last) = self.0.get_mut(topic) {
            *last = call;
            return true;
        }
        if most > 0 && self.0.len() as u64 >= most {
            return false;
        }
        self.0.insert(topic.clone(), call);
        true
    }

    /// Forgets a channel; `false` where it was not there.
    pub fn remove(&mut self, topic: &ChannelName) -> bool {
        self.0.remove(topic).is_some()
    }

    /// Forgets a channel whose subscription by request `call` was refused, unless it was asked for again since.
    pub fn refuse(&mut self, topic: &ChannelName, call: u64) {
        if self.0.get(topic) == Some(&call) {
            self.0.remove(topic);
        }
    }

    /// The channels, in no order.
    pub fn topics(&self) -> impl Iterator<Item = &ChannelName> {
        self.0.keys()
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes all channels out.
    pub fn take(&mut self) -> Vec<ChannelName> {
        std::mem::take(&mut self.0).into_keys().collect()
    }
}
