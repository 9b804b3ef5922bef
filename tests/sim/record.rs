//! What happened in a run, and whether it may: the reference that both cores are held to.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use bmt_client_core::event::GapNotice;
use bmt_shared::channel::ChannelName;
use bmt_shared::id::{MessageId, UserId};
use bmt_shared::message::Message;
use bmt_shared::position::Seq;

/// A promise that was broken (SPEC §5, §9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Violation {
    /// An acked message is not in the history where its ack said.
    AckedAndLost(String),
    /// One publish is in the history more than once.
    PublishedTwice(String),
    /// A publish is neither in the history nor reported to its application.
    Vanished(String),
    /// Messages of one publisher stand in another order than they were published in.
    Reordered(String),
    /// A subscriber was handed a seq twice, or an earlier one after a later one.
    SeenAgain(String),
    /// A subscriber was not handed a seq, and not told.
    Missed(String),
    /// A message was given up as too old, and was not.
    Expired(String),
    /// After everything healed a queue still holds messages.
    QueueStuck(String),
    /// After everything healed a client is not connected, or a subscription not in place.
    NotBack(String),
    /// A request of the application was answered twice or never.
    Unanswered(String),
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// One application's publish.
#[derive(Clone, Debug)]
struct Published {
    user: UserId,
    topic: ChannelName,
    fate: Fate,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Fate {
    Open,
    Acked(Seq),
    Reported,
}

/// What happened so far.
#[derive(Debug, Default)]
pub(crate) struct Record {
    published: BTreeMap<MessageId, Published>,
    /// The order in which one page published on one channel.
    order: BTreeMap<(Page, ChannelName), Vec<MessageId>>,
    pub(crate) handed_on: u64,
    pub(crate) told_gaps: u64,
    /// Nothing is lost silently, so nobody has to be told of a gap.
    is_whole: bool,
    first: Option<Violation>,
}

/// One life of one tab: from one load to the next.
pub(crate) type Page = (usize, u32);

impl Record {
    pub(crate) fn new(is_whole: bool) -> Self {
        Self {
            is_whole,
            ..Self::default()
        }
    }

    /// An application was told that messages are missing.
    pub(crate) fn told_gap(&mut self, page: Page, gap: &GapNotice) {
        self.told_gaps += 1;
        if self.is_whole {
            let what = format!("{page:?} was told of a gap although nothing was lost silently: {gap:?}");
            self.violated(Violation::Missed(what));
        }
    }

    pub(crate) fn published(&mut self, page: Page, user: &UserId, topic: &ChannelName, id: &MessageId) {
        let published = Published {
            user: user.clone(),
            topic: topic.clone(),
            fate: Fate::Open,
        };
        self.published.insert(id.clone(), published);
        self.order
            .entry((page, topic.clone()))
            .or_default()
            .push(id.clone());
    }

    pub(crate) fn acked(&mut self, id: &MessageId, seq: Seq) {
        let Some(known) = self.published.get_mut(id) else {
            return self.violated(Violation::Unanswered(format!(
                "an ack of {id}, which nobody published"
            )));
        };
        if let Fate::Acked(before) = known.fate
            && before != seq
        {
            let what = format!("{id} was acked as {before} and as {seq}");
            return self.violated(Violation::PublishedTwice(what));
        }
        known.fate = Fate::Acked(seq);
    }

    pub(crate) fn reported(&mut self, id: &MessageId) {
        if let Some(known) = self.published.get_mut(id)
            && known.fate == Fate::Open
        {
            known.fate = Fate::Reported;
        }
    }

    /// Only the first one counts: what follows may be its consequence.
    pub(crate) fn violated(&mut self, violation: Violation) {
        self.first.get_or_insert(violation);
    }

    pub(crate) fn first_violation(&self) -> Option<&Violation> {
        self.first.as_ref()
    }

    /// How many publishes were made and how many of them acked.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let acked = self
            .published
            .values()
            .filter(|one| matches!(one.fate, Fate::Acked(_)));
        (self.published.len(), acked.count())
    }

    /// Holds everything against what the server's disk has at the end.
    pub(crate) fn check(&mut self, history: &BTreeMap<ChannelName, Vec<Message>>) {
        let mut stored: BTreeMap<(&UserId, &MessageId), Seq> = BTreeMap::new();
        let mut twice = Vec::new();
        for message in history.values().flatten() {
            let id = message
                .client_message_id
                .as_ref()
                .expect("the server keeps the publisher's key");
            if let Some(seq) = stored.insert((&message.from, id), message.seq) {
                twice.push(format!(
                    "{id} as {seq} and as {} on {}",
                    message.seq, message.topic
                ));
            }
        }
        for what in twice {
            self.violated(Violation::PublishedTwice(what));
        }
        let mut found = Vec::new();
        for (id, one) in &self.published {
            match (stored.get(&(&one.user, id)), &one.fate) {
                (Some(seq), Fate::Acked(acked)) if seq == acked => {}
                (seq, Fate::Acked(acked)) => found.push(Violation::AckedAndLost(format!(
                    "{id} was acked as {acked} on {}, the history has {seq:?}",
                    one.topic
                ))),
                (None, Fate::Open) => found.push(Violation::Vanished(format!("{id} on {}", one.topic))),
                (_, Fate::Open | Fate::Reported) => {}
            }
        }
        for ((page, topic), ids) in &self.order {
            let user = |id: &MessageId| self.published[id].user.clone();
            let seqs: Vec<Seq> = ids
                .iter()
                .filter_map(|id| stored.get(&(&user(id), id)).copied())
                .collect();
            if !seqs.is_sorted() {
                found.push(Violation::Reordered(format!("{page:?} on {topic}: {seqs:?}")));
            }
        }
        for violation in found {
            self.violated(violation);
        }
    }
}

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
