//! Channels, their timelines and the people in them: what one signed-in user sees of the chat.

use std::collections::HashMap;

use bmt_shared::channel::ChannelName;
use bmt_shared::id::{MessageId, ServerMessageId, UserId};
use bmt_shared::identity::User;
use bmt_shared::message::Message;
use bmt_shared::payload::Payload;
use bmt_shared::position::{Epoch, Seq};
use bmt_shared::reply::Present;

use super::body::{Body, claimed_name};
use super::channels::{Channels, LastLine, Remembered, Standing};
use super::people::{People, Source};
use super::row::Row;
use super::timeline::{Page, Timeline};

/// The chat of one user.
#[derive(Clone, Debug)]
pub(crate) struct Chat {
    me: UserId,
    open: Option<ChannelName>,
    timelines: HashMap<ChannelName, Timeline>,
    /// The joined channels.
    pub(crate) channels: Channels,
    /// Names.
    pub(crate) people: People,
}

impl Default for Chat {
    fn default() -> Self {
        Self {
            me: UserId::new(""),
            open: None,
            timelines: HashMap::new(),
            channels: Channels::default(),
            people: People::default(),
        }
    }
}

impl Chat {
    /// The chat of a user who has just signed in, with what this browser remembers of them.
    #[must_use]
    pub(crate) fn begin(user: &User, remembered: Option<Vec<Remembered>>) -> Self {
        let mut chat = Self {
            me: user.user_id.clone(),
            channels: Channels::recall(remembered),
            ..Self::default()
        };
        chat.people.learn(&user.user_id, &user.name, Source::Server);
        chat
    }

    /// Whether it is anybody's.
    #[must_use]
    pub(crate) fn has_begun(&self) -> bool {
        !self.me.as_str().is_empty()
    }

    /// Whose chat it is.
    #[must_use]
    pub(crate) fn me(&self) -> &UserId {
        &self.me
    }

    /// The channel on the screen.
    #[must_use]
    pub(crate) fn open(&self) -> Option<&ChannelName> {
        self.open.as_ref()
    }

    /// A channel's timeline, once it was looked at or something arrived.
    #[must_use]
    pub(crate) fn timeline(&self, topic: &ChannelName) -> Option<&Timeline> {
        self.timelines.get(topic)
    }

    /// A channel's timeline, to change; made if there is none.
    pub(crate) fn timeline_mut(&mut self, topic: &ChannelName) -> &mut Timeline {
        self.timelines
            .entry(topic.clone())
            .or_insert_with(Timeline::at_newest)
    }

    /// Another channel comes on the screen, or none.
    pub(crate) fn show(&mut self, topic: Option<&ChannelName>) {
        if self.open.as_ref() == topic {
            return;
        }
        self.open = topic.cloned();
        if let Some(topic) = topic {
            let read = self.channels.get(topic).and_then(|channel| {
                let read = channel.read?;
                (channel.unread() > 0).then_some(read)
            });
            self.timeline_mut(topic).unread_after = read;
        }
    }

    /// A message came: live, or missed and recovered.
    pub(crate) fn deliver(&mut self, message: &Message<Payload>) {
        self.note(message);
        let me = self.me.clone();
        let Some(timeline) = self.timelines.get_mut(&message.topic) else {
            return;
        };
        if timeline.is_loaded() || !timeline.pending().is_empty() {
            timeline.take(message, &me);
        }
    }

    /// A subscription is in place, and this is its newest number.
    pub(crate) fn joined(&mut self, topic: &ChannelName, newest: Seq) {
        let Some(channel) = self.channels.get_mut(topic) else {
            return;
        };
        channel.joined(newest);
        let open_unread = self.open.as_ref() == Some(topic);
        if open_unread {
            let unread = self.channels.get(topic).filter(|channel| channel.unread() > 0);
            let after = unread.and_then(|channel| channel.read);
            let timeline = self.timeline_mut(topic);
            if timeline.unread_after.is_none() {
                timeline.unread_after = after;
            }
        }
    }

    /// Who is in a channel now.
    pub(crate) fn set_present<'u>(
        &mut self,
        topic: &ChannelName,
        present: impl Iterator<Item = &'u Present>,
    ) {
        if let Some(channel) = self.channels.get_mut(topic) {
            channel.present.clear();
            for user in present {
                channel.present.insert(user.user_id.clone());
                self.people.learn(&user.user_id, &user.name, Source::Server);
            }
        }
    }

    /// A subscription was refused, or taken away.
    pub(crate) fn refused(&mut self, topic: &ChannelName, code: &str) {
        if let Some(channel) = self.channels.get_mut(topic) {
            channel.standing = Standing::Refused(code.into());
            channel.present.clear();
        }
    }

    /// The newest page of a channel, in place of what was held of it.
    pub(crate) fn load_newest(&mut self, topic: &ChannelName, page: Page<'_>, epoch: &Epoch) {
        page.messages.iter().for_each(|message| self.note(message));
        let me = self.me.clone();
        self.timeline_mut(topic).replace(page, epoch, &me);
    }

    /// An older page of a channel.
    pub(crate) fn load_older(&mut self, topic: &ChannelName, page: Page<'_>, epoch: &Epoch) {
        page.messages.iter().for_each(|message| self.note(message));
        let me = self.me.clone();
        self.timeline_mut(topic).prepend(page, epoch, &me);
    }

    /// A newer page of a channel whose window does not reach the live stream.
    pub(crate) fn load_newer(&mut self, topic: &ChannelName, page: Page<'_>, epoch: &Epoch) {
        page.messages.iter().for_each(|message| self.note(message));
        let me = self.me.clone();
        self.timeline_mut(topic).append(page, epoch, &me);
    }

    /// The user wrote something; it waits in the queue now.
    pub(crate) fn write(&mut self, topic: &ChannelName, id: &MessageId, text: &str, now: u64) {
        let row = Row::written(id.clone(), &self.me, text, now);
        let line = LastLine::new(None, &self.me, text, now);
        self.timeline_mut(topic).write(row);
        if let Some(channel) = self.channels.get_mut(topic) {
            channel.show_last(line, false);
        }
    }

    /// The server stored what the user wrote.
    pub(crate) fn settle(&mut self, topic: &ChannelName, own: &MessageId, id: &ServerMessageId, seq: Seq) {
        if let Some(channel) = self.channels.get_mut(topic) {
            channel.note(seq, true);
            channel.settle_last(seq);
        }
        if let Some(timeline) = self.timelines.get_mut(topic) {
            timeline.settle(own, id, seq);
        }
    }

    /// The server, or the queue, refused what the user wrote.
    pub(crate) fn fail(&mut self, topic: &ChannelName, own: &MessageId, code: &str) {
        if let Some(timeline) = self.timelines.get_mut(topic) {
            timeline.fail(own, code);
        }
    }

    /// The reader sees the newest message of the open channel; answers whether anything became read by that.
    pub(crate) fn read_open(&mut self) -> bool {
        let Some(topic) = &self.open else { return false };
        let newest = self.timelines.get(topic).and_then(Timeline::newest);
        match (newest, self.channels.get_mut(topic)) {
            (Some(newest), Some(channel)) => channel.read_to(newest.max(channel.newest)),
            _ => false,
        }
    }

    /// Messages of a channel are missing for good: what is held of it ends at a hole, so it is loaded anew when
    /// it is looked at. What waits to be sent stays.
    pub(crate) fn lose(&mut self, topic: &ChannelName) {
        if let Some(timeline) = self.timelines.get_mut(topic) {
            timeline.lose();
        }
    }

    /// A message waits in the queue, of this page or of one before it.
    pub(crate) fn wait(&mut self, topic: &ChannelName, id: &MessageId, payload: &Payload, at: u64) {
        let known = self
            .timelines
            .get(topic)
            .is_some_and(|timeline| timeline.holds(id));
        if !known && self.channels.get(topic).is_some() {
            let text = Body::read(payload);
            self.write(topic, id, text.as_str(), at);
        }
    }

    /// A message that was refused before this page, kept for the reader to decide about.
    pub(crate) fn recall_refused(
        &mut self,
        topic: &ChannelName,
        id: &MessageId,
        text: &str,
        at: u64,
        code: &str,
    ) {
        if self.channels.get(topic).is_some() {
            let row = Row::written(id.clone(), &self.me, text, at);
            self.timeline_mut(topic).write(row);
            self.fail(topic, id, code);
        }
    }

    /// Leaves a channel: nothing of it is kept.
    pub(crate) fn leave(&mut self, topic: &ChannelName) -> bool {
        self.timelines.remove(topic);
        self.channels.leave(topic)
    }

    /// Counts a message, shows it as the last line, learns its author's name.
    fn note(&mut self, message: &Message<Payload>) {
        if let Some(name) = claimed_name(&message.payload, &message.from) {
            self.people.learn(&message.from, &name, Source::Claimed);
        }
        let Some(channel) = self.channels.get_mut(&message.topic) else {
            return;
        };
        let arrives = message.seq > channel.newest;
        channel.note(message.seq, message.from == self.me);
        let newer = channel
            .last
            .as_ref()
            .is_none_or(|last| last.seq.is_none_or(|seq| seq <= message.seq));
        if newer {
            let body = Body::read(&message.payload);
            let line = LastLine::new(Some(message.seq), &message.from, body.as_str(), message.timestamp);
            channel.show_last(line, arrives);
        }
    }
}

#[cfg(test)]
mod tests {
    use bmt_shared::identity::Role;
    use bmt_shared::message::{MessageKind, Reactions};

    use super::*;

    fn general() -> ChannelName {
        ChannelName::parse("public:general").unwrap()
    }

    fn chat() -> Chat {
        let user = User {
            user_id: UserId::new("me"),
            name: "Alice".to_owned(),
            role: Role::User,
            permissions: Vec::new(),
        };
        Chat::begin(&user, None)
    }

    fn message(seq: Seq, from: &str, own: Option<&str>) -> Message<Payload> {
        Message {
            id: ServerMessageId::new(&format!("s{seq}")),
            topic: general(),
            kind: MessageKind::Event,
            payload: Body::text_payload(&format!("m{seq}"), &UserId::new(from), "Bob"),
            timestamp: 1_000 * seq,
            from: UserId::new(from),
            seq,
            client_message_id: own.map(|id| MessageId::parse(id).unwrap()),
            prev: None,
            edited: None,
            deleted: false,
            reactions: Reactions::default(),
            require_delivery: false,
        }
    }

    fn page(messages: &[Message<Payload>]) -> Page<'_> {
        Page {
            messages,
            has_more: false,
        }
    }

    #[test]
    fn a_message_in_a_channel_that_is_not_open_counts_as_unread_and_is_its_last_line() {
        let mut chat = chat();
        chat.joined(&general(), 0);
        chat.deliver(&message(1, "bob", None));
        let channel = chat.channels.get(&general()).unwrap();
        assert_eq!(channel.unread(), 1);
        assert_eq!(&*channel.last.as_ref().unwrap().text, "m1");
        assert_eq!(chat.people.name(&UserId::new("bob")), "Bob");
    }

    #[test]
    fn coming_back_draws_the_line_behind_what_was_read_and_reading_clears_the_count() {
        let mut chat = chat();
        chat.joined(&general(), 0);
        chat.deliver(&message(1, "bob", None));
        chat.show(Some(&general()));
        assert_eq!(chat.timeline(&general()).unwrap().unread_after, Some(0));
        assert!(!chat.read_open(), "nothing is on the screen yet");
        chat.load_newest(&general(), page(&[message(1, "bob", None)]), &Epoch::new("e"));
        assert!(chat.read_open());
        assert_eq!(chat.channels.unread(), 0);
    }

    #[test]
    fn what_waits_is_settled_by_its_copy_and_stays_one_row() {
        let mut chat = chat();
        chat.joined(&general(), 0);
        chat.show(Some(&general()));
        chat.load_newest(&general(), page(&[]), &Epoch::new("e"));
        let id = MessageId::parse("msg_1").unwrap();
        chat.write(&general(), &id, "hi", 5);
        chat.deliver(&message(1, "me", Some("msg_1")));
        chat.settle(&general(), &id, &ServerMessageId::new("s1"), 1);
        let timeline = chat.timeline(&general()).unwrap();
        assert_eq!((timeline.sent().len(), timeline.pending().len()), (1, 0));
        assert_eq!(chat.channels.unread(), 0);
    }

    #[test]
    fn a_page_that_comes_after_the_live_message_shows_it_once() {
        let mut chat = chat();
        chat.joined(&general(), 2);
        chat.show(Some(&general()));
        chat.deliver(&message(3, "bob", None));
        let both = [message(2, "bob", None), message(3, "bob", None)];
        chat.load_newest(&general(), page(&both), &Epoch::new("e"));
        chat.deliver(&message(3, "bob", None));
        assert_eq!(chat.timeline(&general()).unwrap().sent().len(), 2);
        assert_eq!(chat.channels.unread(), 1);
    }

    #[test]
    fn who_is_there_is_who_the_client_says_is_there_and_nobody_once_it_is_closed() {
        let user = |id: &str, name: &str| Present {
            user_id: UserId::new(id),
            name: name.to_owned(),
            connections: 1,
            since: 0,
        };
        let mut chat = chat();
        let present = |chat: &Chat| {
            let channel = chat.channels.get(&general()).unwrap();
            channel
                .present
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
        };
        chat.set_present(&general(), [user("b", "Bob"), user("c", "Carol")].iter());
        assert_eq!(present(&chat), ["b", "c"]);
        chat.set_present(&general(), [user("c", "Carol")].iter());
        assert_eq!(present(&chat), ["c"]);
        assert_eq!(chat.people.name(&UserId::new("b")), "Bob", "a name is remembered");
        chat.refused(&general(), "permission_denied");
        assert!(present(&chat).is_empty());
    }

    #[test]
    fn a_channel_that_was_left_keeps_nothing() {
        let mut chat = chat();
        chat.show(Some(&general()));
        assert!(chat.leave(&general()));
        chat.deliver(&message(1, "bob", None));
        assert!(chat.timeline(&general()).is_none());
    }
}
