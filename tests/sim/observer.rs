//! What one page was handed of one channel, and whether it may be.

use std::collections::BTreeSet;

use bmt_shared::channel::ChannelName;
use bmt_shared::position::Seq;

use crate::record::{Page, Violation};

/// One page's view of one channel: what it was handed, in order.
#[derive(Clone, Debug)]
pub(crate) struct Observer {
    who: Page,
    topic: ChannelName,
    /// The last seq that is dealt with; `None` until the subscription takes effect.
    last: Option<Seq>,
    /// A gap was told: the next seq may be any later one.
    told_gap: bool,
    seen: BTreeSet<Seq>,
}

impl Observer {
    pub(crate) fn new(who: Page, topic: &ChannelName, last: Option<Seq>) -> Self {
        Self {
            who,
            topic: topic.clone(),
            last,
            told_gap: false,
            seen: BTreeSet::new(),
        }
    }

    pub(crate) fn last(&self) -> Option<Seq> {
        self.last
    }

    /// Whether a client that says it is here has handed on all before, or told that it has not.
    pub(crate) fn stands_at(&self, seq: Seq) -> bool {
        self.told_gap || self.last.is_none_or(|last| last == seq)
    }

    /// The subscription took effect; a new one begins here.
    pub(crate) fn began(&mut self, seq: Seq) {
        self.last.get_or_insert(seq);
    }

    pub(crate) fn told_gap(&mut self) {
        self.told_gap = true;
    }

    pub(crate) fn handed(&mut self, seq: Seq) -> Result<(), Violation> {
        let who = || format!("{:?} on {}: {seq} after {:?}", self.who, self.topic, self.last);
        if self.seen.contains(&seq) || self.last.is_some_and(|last| seq <= last) {
            return Err(Violation::SeenAgain(who()));
        }
        if self.last.is_some_and(|last| seq > last + 1) && !self.told_gap {
            return Err(Violation::Missed(who()));
        }
        self.told_gap = false;
        self.seen.insert(seq);
        self.last = Some(seq);
        Ok(())
    }
}
