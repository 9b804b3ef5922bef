//! Who is on a channel and how far it is read: the reply that made the subscription, and the events after it.

use bmt_shared::event::{PresenceAction, PresenceChange};
use bmt_shared::id::UserId;
use bmt_shared::position::Seq;
use bmt_shared::reply::{Present, ReadTo, Subscribed};
use bmt_shared::sorted::SortedMap;

/// Most users that are listed as present, and as readers: as many as may subscribe to a channel by default
/// (SPEC §3). Whoever comes beyond that is not listed.
const MOST_USERS: usize = 10_000;
/// Most unread messages that are known one by one: of those before them the number is known.
const MOST_UNREAD: usize = 1_000;

/// One subscribed channel's people. Kept for faces that read who comes, goes and reads ([`crate::Face::KEEPS_ROSTERS`]);
/// while the connection is away it is the last that was known, and right again with the next subscription.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roster {
    present: SortedMap<UserId, Present>,
    readers: SortedMap<UserId, Seq>,
    read_seq: Seq,
    /// Unread messages up to `older_top`: their number.
    older: u64,
    older_top: Seq,
    /// Unread messages above it, ascending.
    newer: Vec<Seq>,
}

impl Roster {
    /// Who is present, by user id; nobody unless the subscription asked for `presence`.
    pub fn present(&self) -> impl Iterator<Item = &Present> {
        self.present.values()
    }

    /// How far others have read, by user id: what was told since the subscription, and before it where that asked for
    /// `readers`.
    pub fn readers(&self) -> impl Iterator<Item = (&UserId, Seq)> {
        self.readers.iter().map(|(user, seq)| (user, *seq))
    }

    /// How far the user has read, in this client or another; 0 before the first time.
    #[must_use]
    pub fn read_seq(&self) -> Seq {
        self.read_seq
    }

    /// Messages of others that the user has not read. Where another client of the user reads amid messages from before
    /// this subscription, the numbers between count, also those of the user's own.
    #[must_use]
    pub fn unread(&self) -> u64 {
        self.older + self.newer.len() as u64
    }

    /// The subscription is in place, for the first time or again.
    pub(crate) fn begin<P>(&mut self, reply: &Subscribed<P>, me: Option<&UserId>) {
        let present = reply.presence.iter().flatten().take(MOST_USERS);
        self.present = present.map(|user| (user.user_id.clone(), user.clone())).collect();
        if let Some(listed) = &reply.readers {
            let listed = listed
                .iter()
                .filter(|reader| me != Some(&reader.user_id))
                .take(MOST_USERS);
            self.readers = listed
                .map(|reader| (reader.user_id.clone(), reader.seq))
                .collect();
        }
        self.read_seq = reply.read_seq;
        self.older = reply.unread;
        self.older_top = reply.seq;
        self.newer.retain(|seq| *seq > reply.seq);
    }

    /// A user came or went.
    pub(crate) fn changed(&mut self, change: &PresenceChange) {
        let user = &change.user;
        match change.action {
            PresenceAction::Leave => {
                self.present.remove(&user.user_id);
            }
            PresenceAction::Join if self.present.len() < MOST_USERS => {
                self.present.insert(user.user_id.clone(), user.clone());
            }
            PresenceAction::Join => {}
        }
    }

    /// Somebody read; `is_own` where that is this user, in another client.
    pub(crate) fn read_by(&mut self, user: &UserId, seq: Seq, is_own: bool) {
        if is_own {
            return self.read_up_to(seq);
        }
        let known = self.readers.get(user).copied();
        if known.is_some() || self.readers.len() < MOST_USERS {
            self.readers.insert(user.clone(), seq.max(known.unwrap_or(0)));
        }
    }

    /// The server has kept this user's own position.
    pub(crate) fn kept(&mut self, to: &ReadTo) {
        self.read_up_to(to.seq);
        // Told behind everything that was said before it, so it counts that too.
        if let Some(newest) = self.newer.last() {
            self.older_top = *newest;
        }
        self.newer.clear();
        self.older = to.unread;
    }

    /// A message was handed on that somebody else published.
    pub(crate) fn note_unread(&mut self, seq: Seq) {
        let newest = self.newer.last().copied().unwrap_or(self.older_top);
        if seq <= newest.max(self.read_seq) {
            return;
        }
        if self.newer.len() == MOST_UNREAD {
            self.older_top = self.newer.remove(0);
            self.older += 1;
        }
        self.newer.push(seq);
    }

    fn read_up_to(&mut self, seq: Seq) {
        self.read_seq = self.read_seq.max(seq);
        self.newer.retain(|unread| *unread > seq);
        self.older = self.older.min(self.older_top.saturating_sub(seq));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seq: Seq, read_seq: Seq, unread: u64) -> Roster {
        Roster {
            read_seq,
            older: unread,
            older_top: seq,
            ..Roster::default()
        }
    }

    #[test]
    fn of_many_unread_messages_the_oldest_are_only_counted() {
        let mut roster = at(10, 10, 0);
        for seq in 11..=10 + 2 * MOST_UNREAD as u64 {
            roster.note_unread(seq);
        }
        assert_eq!(roster.unread(), 2 * MOST_UNREAD as u64);
        assert_eq!(roster.newer.len(), MOST_UNREAD);
        roster.read_by(&UserId::new("me"), 2_000, true);
        assert_eq!(roster.unread(), 10);
        roster.read_by(&UserId::new("me"), 11, true);
        assert_eq!(
            (roster.unread(), roster.read_seq()),
            (10, 2_000),
            "nobody reads back"
        );
    }

    #[test]
    fn a_position_amid_what_was_there_before_leaves_no_more_than_the_numbers_between() {
        let mut roster = at(10, 2, 5);
        roster.read_by(&UserId::new("me"), 4, true);
        assert_eq!(roster.unread(), 5);
        roster.read_by(&UserId::new("me"), 8, true);
        assert_eq!(roster.unread(), 2);
        let to = ReadTo {
            topic: bmt_shared::channel::ChannelName::parse("public:a").unwrap(),
            seq: 8,
            unread: 1,
        };
        roster.kept(&to);
        assert_eq!(roster.unread(), 1, "the server knows better");
    }

    #[test]
    fn a_crowd_beyond_the_bound_is_not_listed() {
        let mut roster = Roster::default();
        for n in 0..=MOST_USERS {
            let user = UserId::new(&format!("u{n:05}"));
            roster.read_by(&user, 1, false);
            roster.changed(&PresenceChange {
                topic: bmt_shared::channel::ChannelName::parse("public:a").unwrap(),
                action: PresenceAction::Join,
                user: Present {
                    user_id: user,
                    name: String::new(),
                    connections: 1,
                    since: 0,
                },
            });
        }
        assert_eq!(roster.present().count(), MOST_USERS);
        assert_eq!(roster.readers().count(), MOST_USERS);
    }
}
