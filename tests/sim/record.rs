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
    /// A client came back with a refused token more often than it may.
    KnockedAgain(String),
    /// A subscriber was handed a message of a channel that it was told to have lost.
    SentWithoutRight(String),
    /// After everything healed a client has no WebSocket.
    StillPolling(String),
    /// After everything healed a token ended on a connection, although its application has others.
    NotRefreshed(String),
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
    page: Page,
    /// How many were published before it.
    before: usize,
    fate: Fate,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Fate {
    Open,
    Acked(Seq),
    Reported,
    /// Storage refused it, and its page ended before it was acked: memory was all there was.
    Forgotten,
}

/// What happened so far.
#[derive(Debug, Default)]
pub(crate) struct Record {
    published: BTreeMap<MessageId, Published>,
    /// What the disk has of it.
    landed: BTreeMap<MessageId, Seq>,
    /// The latest of one page's on one channel that the disk has, by how many were published before it.
    latest: BTreeMap<(Page, ChannelName), usize>,
    /// Publishes that storage refused, in the page that has them in memory.
    unkept: BTreeMap<MessageId, Page>,
    /// All that storage refused once: another page may date them otherwise.
    misdated: BTreeSet<MessageId>,
    pub(crate) handed_on: u64,
    pub(crate) told_gaps: u64,
    pub(crate) refused_writes: u64,
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
            page,
            before: self.published.len(),
            fate: Fate::Open,
        };
        self.published.insert(id.clone(), published);
    }

    /// The disk has one more message.
    pub(crate) fn landed(&mut self, message: &Message) {
        let id = message.client_message_id.as_ref();
        let id = id.expect("the server keeps the publisher's key");
        let Message { seq, topic, .. } = message;
        if let Some(before) = self.landed.insert(id.clone(), *seq) {
            let what = format!("{id} as {before} and as {seq} on {topic}");
            return self.violated(Violation::PublishedTwice(what));
        }
        // What the server itself says nobody published.
        let Some(known) = self.published.get(id) else {
            return;
        };
        if known.topic != *topic || known.user != message.from {
            let what = format!("{id} is {seq} on {topic}, of {}", message.from);
            return self.violated(Violation::PublishedTwice(what));
        }
        // What storage refused to date anew stands for other pages where it stood before. What was refused to one tab
        // may be sent again by the one that wrote it and has not heard of that, and be taken when the right is back.
        if self.misdated.contains(id) || known.fate == Fate::Reported {
            return;
        }
        let latest = self.latest.entry((known.page, topic.clone())).or_default();
        if *latest > known.before {
            let what = format!("{:?} on {topic}: {id} is {seq}, behind a later one", known.page);
            return self.violated(Violation::Reordered(what));
        }
        *latest = known.before;
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
        let landed = self.landed.get(id);
        if landed != Some(&seq) {
            let what = format!("{id} was acked as {seq}, the disk has {landed:?}");
            self.violated(Violation::AckedAndLost(what));
        }
    }

    /// Storage refused a message.
    pub(crate) fn not_kept(&mut self, page: Page, id: &MessageId) {
        self.refused_writes += 1;
        self.misdated.insert(id.clone());
        self.unkept.insert(id.clone(), page);
    }

    /// Storage has a message, and refused its newer form.
    pub(crate) fn not_redated(&mut self, id: &MessageId) {
        self.refused_writes += 1;
        self.misdated.insert(id.clone());
    }

    /// Storage took it, at last.
    pub(crate) fn kept(&mut self, id: &MessageId) {
        self.unkept.remove(id);
    }

    /// A page is gone, and what it alone had.
    pub(crate) fn ended(&mut self, page: Page) {
        for (id, _) in self.unkept.iter().filter(|(_, of)| **of == page) {
            if let Some(known) = self.published.get_mut(id)
                && known.fate == Fate::Open
            {
                known.fate = Fate::Forgotten;
            }
        }
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
        let mut stored: BTreeMap<&MessageId, Seq> = BTreeMap::new();
        for message in history.values().flatten() {
            let id = message.client_message_id.as_ref();
            stored.insert(id.expect("the server keeps the publisher's key"), message.seq);
        }
        let mut found = Vec::new();
        for (id, one) in &self.published {
            match (stored.get(id), &one.fate) {
                (Some(seq), Fate::Acked(acked)) if seq == acked => {}
                (seq, Fate::Acked(acked)) => found.push(Violation::AckedAndLost(format!(
                    "{id} was acked as {acked} on {}, the history has {seq:?}",
                    one.topic
                ))),
                (None, Fate::Open) => found.push(Violation::Vanished(format!("{id} on {}", one.topic))),
                (_, Fate::Open | Fate::Reported | Fate::Forgotten) => {}
            }
        }
        for violation in found {
            self.violated(violation);
        }
    }
}
