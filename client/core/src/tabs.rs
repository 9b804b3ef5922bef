//! Tabs that share one connection (SPEC §9): what they say to each other, and how a tab stands among them.
//!
//! One tab **leads**: it holds the lock of the group and the real connection. Its hub greets the others over posts as a
//! server would, forwards what they ask, and hands every event of the server to all. Everything else each tab has for
//! itself: subscriptions, de-duplication, recovery, its part of the queue. So a change of leaders is to a tab what any
//! lost connection is, only quicker.
//!
//! Posts are said to every tab of the group; the header names for whom they are. A post that this version does not
//! understand, from a leader of the past, or for somebody else is nothing.

mod hub;

use bmt_shared::codec::json;
use bmt_shared::json::write_number;
use bytes::Bytes;

pub(crate) use hub::{Forwarded, Hub, KeptSignal, Unshared, field, topic_of};

/// How often a tab asks whether the leader lives, at most this far apart, ms: nobody else would tell it that the tab
/// hangs. As often as the server's own pings.
pub(crate) const TAB_HEARTBEAT_MS: u64 = 10_000;
/// The tabs that find a leader silent together do not take its place at the same time: they differ by up to this, ms.
pub(crate) const TAKE_OVER_SPREAD_MS: u64 = 1_000;

/// The lock of a leader that leaves may come before its last posts, which say why it left: so long they are waited for,
/// ms. After a kick nobody may lead.
pub(crate) const LAST_WORDS_MS: u64 = 50;

/// A tab that is robbed so often by leaders that it knows nothing of shares no more for a while: where the lock is none,
/// two that lead would rob each other for ever.
pub(crate) const ROBBERIES_MAX: u32 = 3;
/// Robberies that lie further apart than this, ms, have nothing to do with each other; and after so long a tab that
/// shares no more may do so again, with its next attempt.
pub(crate) const ROBBERY_CALM_MS: u64 = 60_000;

/// What one tab says to the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Post {
    /// One line of header, then the content.
    pub text: String,
    /// Binary parts of the content.
    pub attachments: Vec<Bytes>,
}

/// What to do about the tabs that share a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupChange {
    /// Join the tabs of this user (`None`: of guests) and this server: hear their posts
    /// ([`crate::Client::handle_post`]), and stand in line for their lock ([`crate::Client::handle_leading`]).
    Join(Option<bmt_shared::id::UserId>),
    /// Leave them: hear no more of them, give the lock back, or stop asking.
    Leave,
    /// Take the lock from whoever holds it: that tab says nothing any more.
    TakeOver,
    /// Say this to every other tab of the group.
    Post(Post),
}

/// What a post is about. The first group is said by followers, the second by the leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Who leads? Greet me.
    Hello,
    /// A frame for the server.
    Up,
    /// I am gone.
    Bye,

    /// I lead; the content says whether I am connected.
    Lead,
    /// You are connected: the server's time, and its greeting.
    Welcome,
    /// I lead and am not connected yet.
    Patience,
    /// A frame of the server's.
    Down,
    /// The connection is over.
    Ended,
    /// There is no room for you here: connect by yourself.
    NoRoom,
    /// I do not know you: greet me again.
    Unknown,
    /// I lead no more.
    Gone,
}

const KINDS: [(Kind, &str); 11] = [
    (Kind::Hello, "hello"),
    (Kind::Up, "up"),
    (Kind::Bye, "bye"),
    (Kind::Lead, "lead"),
    (Kind::Welcome, "welcome"),
    (Kind::Patience, "patience"),
    (Kind::Down, "down"),
    (Kind::Ended, "ended"),
    (Kind::NoRoom, "noroom"),
    (Kind::Unknown, "unknown"),
    (Kind::Gone, "gone"),
];

impl Kind {
    /// Whether a leader says it.
    pub(crate) fn is_leaders(self) -> bool {
        !matches!(self, Self::Hello | Self::Up | Self::Bye)
    }
}

/// A post taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Said<'t> {
    pub(crate) kind: Kind,
    pub(crate) from: u64,
    /// Whom it is for; [`ALL`] is everybody.
    pub(crate) to: u64,
    /// A leader's own term, or the highest that a follower knows of.
    pub(crate) term: u64,
    pub(crate) content: &'t str,
}

/// For every tab.
pub(crate) const ALL: u64 = 0;

impl<'t> Said<'t> {
    /// `None` for what is none of this version's posts.
    pub(crate) fn read(text: &'t str) -> Option<Self> {
        let (header, content) = text.split_once('\n')?;
        let mut fields = header.split(' ');
        let name = fields.next()?;
        let (kind, _) = KINDS.iter().find(|(_, known)| *known == name)?;
        let mut number = || json::integer(fields.next()?);
        Some(Self {
            kind: *kind,
            from: number()?,
            to: number()?,
            term: number()?,
            content,
        })
    }

    pub(crate) fn write(&self) -> String {
        let mut text = String::with_capacity(self.content.len() + 64);
        for (kind, name) in KINDS {
            if kind == self.kind {
                text.push_str(name);
            }
        }
        for number in [self.from, self.to, self.term] {
            text.push(' ');
            write_number(&mut text, number);
        }
        text.push('\n');
        text.push_str(self.content);
        text
    }
}

/// How a tab stands among those that share its connection.
#[derive(Debug, Default)]
pub(crate) struct Tabs {
    /// This tab's name among them; 0 before it has joined any.
    pub(crate) id: u64,
    pub(crate) standing: GroupStanding,
    /// The highest term that was heard of: leaders of lower ones are of the past.
    pub(crate) seen: u64,
    /// The server's greeting, as it came.
    pub(crate) greeting: String,
    pub(crate) hub: Hub,
    /// The lock is had, and this monotonic time waited for: the leader's last words may be on their way.
    pub(crate) leads_at: Option<u64>,
    /// Answers of the hub to this tab's own requests.
    pub(crate) answers: Vec<(u64, String)>,
    /// How often another leader took this tab's place, each time soon after the time before.
    pub(crate) robberies: u32,
    /// Until this monotonic time the next one is soon.
    pub(crate) robbed_until: u64,
}

/// Whether a tab is in a group, and whether it leads it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) enum GroupStanding {
    #[default]
    Out,
    /// In the group of this user.
    Follows(Option<bmt_shared::id::UserId>),
    /// The same, with its lock.
    Leads(Option<bmt_shared::id::UserId>),
}

impl Tabs {
    pub(crate) fn leads(&self) -> bool {
        matches!(self.standing, GroupStanding::Leads(_))
    }
}

/// A follower's way to the server.
#[derive(Debug, Default)]
pub(crate) struct TabLink {
    /// Who greeted.
    pub(crate) leader: u64,
    /// A leader asked for patience since the last hello.
    pub(crate) is_patient: bool,
    /// The server's time at the greeting, ms since the Unix epoch.
    pub(crate) server_ms: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn posts_read_back_and_anything_else_is_nothing() {
        for (kind, _) in KINDS {
            let said = Said {
                kind,
                from: u64::MAX,
                to: ALL,
                term: 7,
                content: "a\nb c",
            };
            assert_eq!(Said::read(&said.write()).as_ref(), Some(&said));
        }
        for none in [
            "",
            "\n",
            "up 1 2\n",
            "up 1 2 x\n",
            "up 1 2 3",
            "down -1 2 3\n",
            "42[\"message\",{}]",
        ] {
            assert_eq!(Said::read(none), None, "{none}");
        }
    }
}
