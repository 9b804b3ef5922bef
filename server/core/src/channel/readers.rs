//! How far users have read, and how much is left to them (SPEC §4, `read`).
//!
//! A position only moves up, never above the channel's newest message, and is told only after the history keeps
//! it: [`Channel::begin_read`] gives a [`ReadMark`], the owner hands it to the history in the order of the drafts,
//! and what became of it comes back through [`Channel::finish_read`].

use std::collections::BTreeMap;

use bmt_shared::channel::ChannelName;
use bmt_shared::error::Failure;
use bmt_shared::event::Receipt;
use bmt_shared::id::{ConnectionId, UserId};
use bmt_shared::position::Seq;
use bmt_shared::reply::{ReadTo, Reader};

use super::{Channel, Output};

/// Most users of a channel whose position is kept: as many as may subscribe to it by default. Beyond that the
/// lowest position goes, whose reader has been away the longest.
pub const READERS: usize = 10_000;
/// Most positions a reply lists, the highest first chosen: a bound on the reply, far above what a page shows.
pub const READERS_LISTED: usize = 200;
/// In a channel with more subscribers than this a receipt goes to the user's own connections only: where each
/// of n readers tells n others, a message costs n² deliveries.
pub const RECEIPT_SUBSCRIBERS: u64 = 200;

/// A read position on its way into the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadMark {
    /// The channel.
    pub topic: ChannelName,
    /// Who read.
    pub user: UserId,
    /// Up to here.
    pub seq: Seq,
}

/// What a `read` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Marking {
    /// The user had read that far already.
    Known(ReadTo),
    /// The history is to keep it first.
    Keep(ReadMark),
}

/// Positions by user; 0 for whoever has none.
#[derive(Clone, Debug, Default)]
pub(super) struct Readers(BTreeMap<UserId, Seq>);

impl Readers {
    /// What the history knows of a channel whose newest message is `top`.
    pub(super) fn new(known: Vec<(UserId, Seq)>, top: Seq) -> Self {
        // A history that lost messages may know positions above what is left.
        Self(
            known
                .into_iter()
                .map(|(user, seq)| (user, seq.min(top)))
                .collect(),
        )
    }

    pub(super) fn seq(&self, user: &UserId) -> Seq {
        self.0.get(user).copied().unwrap_or(0)
    }

    /// Moves a position up; answers whether it moved.
    pub(super) fn note(&mut self, user: UserId, seq: Seq) -> bool {
        if seq <= self.seq(&user) {
            return false;
        }
        self.0.insert(user, seq);
        if self.0.len() > READERS {
            let lowest = self.0.iter().min_by_key(|(_, seq)| **seq);
            if let Some(user) = lowest.map(|(user, _)| user.clone()) {
                self.0.remove(&user);
            }
        }
        true
    }

    /// The numbering began again.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (UserId, Seq)> {
        self.0.iter().map(|(user, seq)| (user.clone(), *seq))
    }

    /// The highest positions, at most [`READERS_LISTED`], in the order of the users' ids.
    pub(super) fn list(&self) -> Box<[Reader]> {
        let mut all: Vec<(UserId, Seq)> = self.iter().collect();
        all.sort_by_key(|(_, seq)| std::cmp::Reverse(*seq));
        all.truncate(READERS_LISTED);
        all.sort();
        let reader = |(user_id, seq)| Reader { user_id, seq };
        all.into_iter().map(reader).collect()
    }
}

impl<S: Clone> Channel<S> {
    /// Takes a read position; see the [module](self). A position above the newest message means that one.
    pub fn begin_read(&mut self, user: UserId, seq: Seq, now_ms: u64) -> Marking {
        let seq = seq.min(self.top);
        if seq <= self.readers.seq(&user) {
            return Marking::Known(self.read_to(&user, now_ms));
        }
        self.in_flight += 1;
        Marking::Keep(ReadMark {
            topic: self.name.clone(),
            user,
            seq,
        })
    }

    /// Ends a `read` by what its history did with the mark. `by` is the connection that asked: it has the reply.
    ///
    /// # Errors
    /// The history's own refusal.
    pub fn finish_read(
        &mut self,
        mark: ReadMark,
        by: Option<&ConnectionId>,
        outcome: Result<(), Failure>,
        now_ms: u64,
    ) -> Result<ReadTo, Failure> {
        assert!(self.in_flight > 0, "every mark ends once");
        self.in_flight -= 1;
        self.idle_since_ms = now_ms;
        outcome?;
        let ReadMark { user, seq, .. } = mark;
        // The numbering may have begun again since.
        if self.readers.note(user.clone(), seq.min(self.top)) {
            self.tell_receipt(&user, by);
        }
        Ok(self.read_to(&user, now_ms))
    }

    /// Messages of others that the user has not read and that are kept, amendments left out: exact as far as the tail reaches, below
    /// it each number counts.
    pub(super) fn unread(&self, user: &UserId, now_ms: u64) -> u64 {
        let read = self.readers.seq(user).max(self.oldest.saturating_sub(1));
        let Some(first) = self.tail.first() else {
            return self.top.saturating_sub(read);
        };
        let older = (first - 1).saturating_sub(read);
        let newer = self.tail.after(read).filter(|entry| {
            entry.message.from != *user && entry.amends.is_none() && !entry.is_expired(now_ms)
        });
        older + newer.count() as u64
    }

    fn read_to(&self, user: &UserId, now_ms: u64) -> ReadTo {
        ReadTo {
            topic: self.name.clone(),
            seq: self.readers.seq(user),
            unread: self.unread(user, now_ms),
        }
    }

    fn tell_receipt(&mut self, user: &UserId, by: Option<&ConnectionId>) {
        let is_small = self.subscriber_count() <= RECEIPT_SUBSCRIBERS;
        let to = self.receivers(|connection, subscription| {
            Some(connection) != by && (is_small || subscription.who.user.user_id == *user)
        });
        if !to.is_empty() {
            let receipt = Receipt {
                topic: self.name.clone(),
                user_id: user.clone(),
                seq: self.readers.seq(user),
            };
            self.outputs.push_back(Output::Receipt { receipt, to });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_only_moves_up() {
        let mut readers = Readers::new(vec![(UserId::new("a"), 9)], 5);
        assert_eq!(
            readers.seq(&UserId::new("a")),
            5,
            "never above the newest message"
        );
        assert!(!readers.note(UserId::new("a"), 4));
        assert!(readers.note(UserId::new("a"), 6));
        assert_eq!(readers.seq(&UserId::new("a")), 6);
        assert_eq!(readers.seq(&UserId::new("b")), 0);
    }

    #[test]
    fn beyond_its_bound_the_lowest_position_goes() {
        let mut readers = Readers::default();
        for n in 0..READERS {
            readers.note(UserId::new(&format!("u{n}")), n as u64 + 1);
        }
        readers.note(UserId::new("late"), 20_000);
        assert_eq!(readers.iter().count(), READERS);
        assert_eq!(readers.seq(&UserId::new("u0")), 0);
        assert_eq!(readers.seq(&UserId::new("late")), 20_000);
        let listed = readers.list();
        assert_eq!(listed.len(), READERS_LISTED);
        assert!(listed.iter().any(|reader| reader.user_id.as_str() == "late"));
    }
}
