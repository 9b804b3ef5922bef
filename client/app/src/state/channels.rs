//! The channels a user has joined: what is unread there, who is there, what was said last.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bmt_shared::channel::ChannelName;
use bmt_shared::id::UserId;
use bmt_shared::position::Seq;
use serde::{Deserialize, Serialize};

/// The channel that everybody finds at first, guests included (SPEC §3).
pub(crate) const FIRST_CHANNEL: &str = "public:general";
/// Own messages above the read position that are remembered for not counting them; more are only counted.
const MAX_OWN: usize = 1_000;
/// Characters of a last line that are kept: more than one line shows.
const LAST_LINE_CHARS: usize = 160;

/// Where the user stands in a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The subscription is not confirmed yet, or waits for the connection.
    Joining,
    /// Messages arrive.
    Joined,
    /// The server refused: a code of SPEC §10.
    Refused(Arc<str>),
}

/// The newest message, as the list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LastLine {
    /// Its number; an own message that waits has none.
    pub(crate) seq: Option<Seq>,
    /// Who wrote it.
    pub(crate) from: UserId,
    /// Its beginning, on one line.
    pub(crate) text: Arc<str>,
    /// When, ms since the Unix epoch.
    pub(crate) at: u64,
}

impl LastLine {
    /// Shortens a text to one line.
    #[must_use]
    pub(crate) fn new(seq: Option<Seq>, from: &UserId, text: &str, at: u64) -> Self {
        let words: Vec<&str> = text.split_whitespace().collect();
        let line: String = words.join(" ").chars().take(LAST_LINE_CHARS).collect();
        Self {
            seq,
            from: from.clone(),
            text: line.into(),
            at,
        }
    }
}

/// One joined channel.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Channel {
    /// Its name.
    pub(crate) name: ChannelName,
    /// Where the user stands in it.
    pub(crate) standing: Standing,
    /// Number of its newest message.
    pub(crate) newest: Seq,
    /// What is read; none until the channel was there for the first time.
    pub(crate) read: Option<Seq>,
    /// The newest message.
    pub(crate) last: Option<LastLine>,
    /// Who is there now.
    pub(crate) present: BTreeSet<UserId>,
    own_above_read: BTreeSet<Seq>,
}

impl Channel {
    fn new(name: ChannelName, read: Option<Seq>) -> Self {
        Self {
            name,
            standing: Standing::Joining,
            newest: 0,
            read,
            last: None,
            present: BTreeSet::new(),
            own_above_read: BTreeSet::new(),
        }
    }

    /// Messages of others above the read position.
    #[must_use]
    pub(crate) fn unread(&self) -> u64 {
        let Some(read) = self.read else { return 0 };
        let own = self.own_above_read.range(read + 1..=self.newest.max(read + 1));
        let own = u64::try_from(own.count()).unwrap_or(u64::MAX);
        self.newest.saturating_sub(read).saturating_sub(own)
    }

    /// A message exists; `own` ones are never unread.
    pub(crate) fn note(&mut self, seq: Seq, own: bool) {
        self.newest = self.newest.max(seq);
        if own && self.read.is_some_and(|read| seq > read) && self.own_above_read.len() < MAX_OWN {
            self.own_above_read.insert(seq);
        }
    }

    /// Shows a line if it is newer than the one that is shown. What `arrives` is newer than all that was there, whatever
    /// a clock made of the line that waits.
    pub(crate) fn show_last(&mut self, line: LastLine, arrives: bool) {
        let newer = match &self.last {
            None => true,
            Some(last) => match (last.seq, line.seq) {
                (Some(old), Some(new)) => new >= old,
                (_, None) => true,
                (None, Some(_)) => arrives || line.at >= last.at,
            },
        };
        if newer {
            self.last = Some(line);
        }
    }

    /// What was shown as waiting is stored under this number.
    pub(crate) fn settle_last(&mut self, seq: Seq) {
        if let Some(last) = &mut self.last {
            last.seq.get_or_insert(seq);
        }
    }

    /// The subscription is in place, and this is the newest number.
    pub(crate) fn joined(&mut self, newest: Seq) {
        self.standing = Standing::Joined;
        self.newest = newest;
        // What was said before the first visit was not said to this reader; a numbering that began again has
        // nothing that was read.
        self.read = Some(self.read.map_or(newest, |read| read.min(newest)));
    }

    /// Everything up to `seq` is read; it never goes back.
    pub(crate) fn read_to(&mut self, seq: Seq) -> bool {
        if self.read.is_some_and(|read| read >= seq) {
            return false;
        }
        self.read = Some(seq);
        self.own_above_read = self.own_above_read.split_off(&(seq + 1));
        true
    }
}

/// What a browser remembers of one joined channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Remembered {
    /// The channel.
    pub(crate) name: ChannelName,
    /// What was read there.
    #[serde(default)]
    pub(crate) read: Option<Seq>,
}

/// All joined channels by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Channels(BTreeMap<ChannelName, Channel>);

impl Channels {
    /// The list as it was remembered; at the first visit [`FIRST_CHANNEL`] alone.
    #[must_use]
    pub(crate) fn recall(remembered: Option<Vec<Remembered>>) -> Self {
        let remembered = remembered.unwrap_or_else(|| {
            let name = ChannelName::parse(FIRST_CHANNEL).expect("the constant is well formed");
            vec![Remembered { name, read: None }]
        });
        Self(
            remembered
                .into_iter()
                .map(|one| (one.name.clone(), Channel::new(one.name, one.read)))
                .collect(),
        )
    }

    /// What to remember.
    #[must_use]
    pub(crate) fn to_remember(&self) -> Vec<Remembered> {
        self.0
            .values()
            .map(|channel| Remembered {
                name: channel.name.clone(),
                read: channel.read,
            })
            .collect()
    }

    /// Adds a channel, or tries a refused one again. Answers whether there is something to subscribe to.
    pub(crate) fn join(&mut self, name: &ChannelName) -> bool {
        let channel = self
            .0
            .entry(name.clone())
            .or_insert_with(|| Channel::new(name.clone(), None));
        let refused = matches!(channel.standing, Standing::Refused(_));
        if refused {
            channel.standing = Standing::Joining;
        }
        refused || channel.standing == Standing::Joining
    }

    /// Takes a channel off the list.
    pub(crate) fn leave(&mut self, name: &ChannelName) -> bool {
        self.0.remove(name).is_some()
    }

    /// One channel.
    #[must_use]
    pub(crate) fn get(&self, name: &ChannelName) -> Option<&Channel> {
        self.0.get(name)
    }

    /// One channel, to change.
    pub(crate) fn get_mut(&mut self, name: &ChannelName) -> Option<&mut Channel> {
        self.0.get_mut(name)
    }

    /// All, by name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Channel> {
        self.0.values()
    }

    /// Unread messages in all of them.
    #[must_use]
    pub(crate) fn unread(&self) -> u64 {
        self.0.values().map(Channel::unread).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel(read: Option<Seq>) -> Channel {
        Channel::new(ChannelName::parse("public:x").unwrap(), read)
    }

    #[test]
    fn what_was_said_before_the_first_visit_is_not_unread() {
        let mut fresh = channel(None);
        fresh.joined(40);
        assert_eq!(fresh.unread(), 0);
        fresh.note(41, false);
        assert_eq!(fresh.unread(), 1);
    }

    #[test]
    fn what_came_while_away_is_unread_and_own_messages_never_are() {
        let mut known = channel(Some(10));
        known.joined(13);
        assert_eq!(known.unread(), 3);
        known.note(12, true);
        known.note(14, true);
        known.note(15, false);
        assert_eq!(known.unread(), 3, "11, 13 and 15");
        assert!(known.read_to(13));
        assert_eq!(known.unread(), 1);
        assert!(!known.read_to(12), "never back");
        known.read_to(15);
        assert_eq!(known.unread(), 0);
    }

    #[test]
    fn a_message_seen_twice_counts_once() {
        let mut known = channel(Some(0));
        known.joined(0);
        known.note(1, false);
        known.note(1, false);
        assert_eq!(known.unread(), 1);
    }

    #[test]
    fn a_numbering_that_began_again_leaves_nothing_wrongly_read() {
        let mut known = channel(Some(500));
        known.joined(2);
        assert_eq!(known.unread(), 0);
        known.note(3, false);
        assert_eq!(known.unread(), 1);
    }

    #[test]
    fn the_list_is_remembered_with_its_read_positions() {
        let mut channels = Channels::recall(None);
        let name = ChannelName::parse("private:team").unwrap();
        assert!(channels.join(&name));
        channels.get_mut(&name).unwrap().joined(7);
        assert!(!channels.join(&name), "joined already");
        let json = serde_json::to_string(&channels.to_remember()).unwrap();
        let again = Channels::recall(Some(serde_json::from_str(&json).unwrap()));
        assert_eq!(again.get(&name).unwrap().read, Some(7));
        assert_eq!(again.iter().count(), 2);
        let mut again = again;
        assert!(again.leave(&name));
        assert_eq!(again.to_remember().len(), 1);
    }

    #[test]
    fn the_last_line_is_one_line_and_never_goes_back() {
        let mut known = channel(None);
        let who = UserId::new("u");
        known.show_last(LastLine::new(Some(5), &who, "a\n\n  b", 50), true);
        assert_eq!(&*known.last.as_ref().unwrap().text, "a b");
        known.show_last(LastLine::new(Some(4), &who, "old", 60), false);
        assert_eq!(known.last.as_ref().unwrap().seq, Some(5));
        known.show_last(LastLine::new(None, &who, &"长".repeat(500), 70), false);
        assert_eq!(known.last.as_ref().unwrap().text.chars().count(), LAST_LINE_CHARS);
    }

    /// FAULTS 99.
    #[test]
    fn a_line_that_waits_under_a_wrong_clock_gives_way_to_what_arrives() {
        let who = UserId::new("u");
        for wrong in [1_000, 9_000] {
            let mut known = channel(None);
            known.show_last(LastLine::new(Some(5), &who, "there", 5_000), false);
            known.show_last(LastLine::new(None, &who, "waits", wrong), false);
            assert_eq!(&*known.last.as_ref().unwrap().text, "waits");
            known.show_last(LastLine::new(Some(6), &who, "arrived", 5_100), true);
            assert_eq!(&*known.last.as_ref().unwrap().text, "arrived");
            known.show_last(LastLine::new(None, &who, "own", wrong), false);
            known.settle_last(7);
            known.show_last(LastLine::new(Some(7), &who, "own, stored", 5_200), false);
            assert_eq!(&*known.last.as_ref().unwrap().text, "own, stored");
        }
    }
}
