//! From the history to the subscribers: a message that is kept, or the word that some were missed.

use std::collections::BTreeMap;
use std::sync::Arc;

use bmt_shared::event::Gap;
use bmt_shared::position::{Epoch, Seq};

use super::entry::Entry;
use super::filter::Fields;
use super::{Channel, Output};

/// Reason of a `gap`: messages were kept that were never delivered.
pub(super) const MISSED: &str = "missed";
/// Reason of a `gap`: the numbering began again.
const EPOCH_CHANGED: &str = "epoch_changed";

impl<S: Clone> Channel<S> {
    /// A message that the history keeps. Answers to how many connections it is handed.
    pub(super) fn take_message(&mut self, entry: Arc<Entry>, epoch: &Epoch, now_ms: u64) -> u64 {
        let follows = *epoch == self.epoch && entry.seq() == self.top + 1;
        if !follows {
            self.resume(entry, epoch);
            return 0;
        }
        self.top = entry.seq();
        self.oldest = self.oldest.max(self.rules.retention.oldest_by_size(self.top));
        self.tail.push(entry.clone());
        self.trim(now_ms);
        let count = self.deliver(&entry, now_ms);
        self.delivered.note(self.top, count);
        count
    }

    fn deliver(&mut self, entry: &Arc<Entry>, now_ms: u64) -> u64 {
        if entry.is_expired(now_ms) {
            return 0;
        }
        let mut fields = Fields::of(&entry.message.payload);
        self.asked_to_confirm.clear();
        // Nearly everybody is in the group without `prev`; filters and skips make a few more.
        let mut direct = Vec::with_capacity(self.subscriptions.len());
        let mut skipped: BTreeMap<Seq, Vec<S>> = BTreeMap::new();
        for (connection, subscription) in &mut self.subscriptions {
            let taken = subscription.take(entry.seq(), &mut fields);
            if let Some(prev) = taken.filter(|_| entry.message.require_delivery) {
                self.asked_to_confirm.push((connection.clone(), prev));
            }
            match taken {
                None => {}
                Some(None) => direct.push(subscription.who.to.clone()),
                Some(Some(prev)) => skipped.entry(prev).or_default().push(subscription.who.to.clone()),
            }
        }
        let groups = skipped.into_iter().map(|(prev, to)| (Some(prev), to));
        let mut count = 0;
        for (prev, to) in std::iter::once((None, direct)).chain(groups) {
            if !to.is_empty() {
                count += to.len() as u64;
                let entry = entry.clone();
                self.outputs.push_back(Output::Message { entry, prev, to });
            }
        }
        count
    }

    /// Goes on at a message that does not follow the newest one: the history holds messages that were never
    /// delivered, or began a new numbering.
    fn resume(&mut self, entry: Arc<Entry>, epoch: &Epoch) {
        let same_epoch = *epoch == self.epoch;
        if same_epoch && entry.seq() <= self.top {
            // Its subscribers had it: it was between the messages of an earlier gap.
            return;
        }
        if !same_epoch {
            self.epoch = epoch.clone();
            self.readers.clear();
            self.delivered.clear();
            self.oldest = entry.seq();
        }
        self.skip_to(entry.seq());
        self.tail.push(entry);
        let reason = if same_epoch { MISSED } else { EPOCH_CHANGED };
        self.tell_gap(reason);
    }

    /// Goes on behind messages that were never delivered.
    pub(super) fn skip_to(&mut self, seq: Seq) {
        self.top = seq;
        self.oldest = self.oldest.max(self.rules.retention.oldest_by_size(self.top));
        self.tail.clear();
        for subscription in self.subscriptions.values_mut() {
            subscription.cover(self.top);
        }
    }

    pub(super) fn tell_gap(&mut self, reason: &str) {
        let gap = Gap {
            topic: self.name.clone(),
            reason: reason.to_owned(),
            seq: self.top,
            epoch: self.epoch.clone(),
            oldest_seq: Some(self.oldest),
        };
        let to = self.receivers(|_, _| true);
        if !to.is_empty() {
            self.outputs.push_back(Output::Gap { gap, to });
        }
    }
}
