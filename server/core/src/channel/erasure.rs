//! What is left in a channel's messages of a user who is erased (SPEC §8): their places, so that no seq is missing,
//! and nothing that the user wrote or chose.

use std::collections::BTreeSet;

use bmt_shared::id::UserId;
use bmt_shared::json::Object;
use bmt_shared::message::Reactions;
use bmt_shared::payload::Payload;

use super::amendment::Act;
use super::entry::Entry;

/// Whose traces they are: in messages of the user, in reactions to messages of others, and in the channels that are
/// the user's alone, whoever published there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traced {
    /// The user.
    pub user: UserId,
    /// Names of channels such as `user:<id>`. Those below them are the user's too.
    pub inboxes: BTreeSet<String>,
}

impl Traced {
    /// Whether a channel of this name is the user's alone.
    #[must_use]
    pub fn owns(&self, topic: &str) -> bool {
        // An inbox has two segments.
        let end = topic.match_indices(':').nth(1).map_or(topic.len(), |(at, _)| at);
        self.inboxes.contains(&topic[..end])
    }

    /// Whether there is something of the user in a message.
    #[must_use]
    pub fn is_in(&self, entry: &Entry) -> bool {
        let message = &entry.message;
        message.from == self.user
            || message.reactions.include(&self.user)
            || self.owns(message.topic.as_str())
    }

    /// What is left of a message; [`None`] where nothing of the user is in it (any more).
    #[must_use]
    pub fn left_of(&self, entry: &Entry, now_ms: u64) -> Option<Entry> {
        let mut left = entry.clone();
        let message = &mut left.message;
        message.reactions.forget(&self.user);
        if message.from == self.user || self.owns(message.topic.as_str()) {
            message.payload = bare(entry);
            let deletes = entry
                .amends
                .as_ref()
                .is_some_and(|amends| amends.act == Act::Delete);
            // A deletion goes on to be one: who recovers it has to carry it out.
            if !deletes && !message.deleted {
                message.reactions = Reactions::default();
                message.edited = Some(now_ms);
                message.deleted = true;
            }
        }
        (left != *entry).then_some(left)
    }
}

/// A payload that says no more than which message it was about.
fn bare(entry: &Entry) -> Payload {
    let mut json = String::new();
    let object = Object::open(&mut json);
    match &entry.amends {
        Some(amends) => object
            .str("type", amends.act.as_str())
            .str("target", amends.target.as_str())
            .close(),
        None => object.close(),
    }
    Payload::from_json(&json)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::{Amends, Draft};
    use bmt_shared::channel::ChannelName;
    use bmt_shared::id::{MessageId, ServerMessageId};
    use bmt_shared::request::Publish;

    const NOW_MS: u64 = 5_000;

    fn erased() -> Traced {
        Traced {
            user: UserId::new("7"),
            inboxes: ["user:7".to_owned()].into(),
        }
    }

    fn entry(topic: &str, from: &str, payload: &str) -> Entry {
        let publish = Publish::new(
            ChannelName::parse(topic).unwrap(),
            Payload::parse(payload).unwrap(),
        );
        let key = MessageId::parse("k").unwrap();
        Draft::new(publish, UserId::new(from), key, 1_000, 0).numbered(3)
    }

    fn amending(act: Act, payload: &str) -> Entry {
        let mut entry = entry("public:a", "7", payload);
        entry.amends = Some(Amends {
            act,
            target: ServerMessageId::new("m"),
        });
        entry
    }

    #[test]
    fn a_message_keeps_its_place_and_loses_what_its_author_put_into_it() {
        let mut before = entry("public:a", "7", r#"{"text":"a secret"}"#);
        before
            .message
            .reactions
            .set("👍", &UserId::new("8"), true)
            .unwrap();
        let left = erased().left_of(&before, NOW_MS).unwrap();
        assert_eq!((left.message.payload.json(), left.seq()), ("{}", 3));
        assert!(left.message.deleted && left.message.reactions.is_empty());
        assert_eq!(left.message.edited, Some(NOW_MS));
        assert_eq!(
            erased().left_of(&left, NOW_MS + 1),
            None,
            "doing it twice changes nothing"
        );
    }

    #[test]
    fn of_edits_and_reactions_it_is_left_which_message_they_were_about() {
        for (act, payload, expected) in [
            (
                Act::Edit,
                r#"{"type":"edit","target":"m","text":"a secret"}"#,
                r#"{"type":"edit","target":"m"}"#,
            ),
            (
                Act::Reaction,
                r#"{"type":"reaction","target":"m","emoji":"👍"}"#,
                r#"{"type":"reaction","target":"m"}"#,
            ),
        ] {
            let left = erased().left_of(&amending(act, payload), NOW_MS).unwrap();
            assert_eq!(left.message.payload.json(), expected);
            assert!(left.message.deleted);
        }
        let deletion = amending(Act::Delete, r#"{"type":"delete","target":"m","why":"a secret"}"#);
        let left = erased().left_of(&deletion, NOW_MS).unwrap();
        assert_eq!(left.message.payload.json(), r#"{"type":"delete","target":"m"}"#);
        assert!(!left.message.deleted, "who recovers it carries it out");
        assert_eq!(erased().left_of(&left, NOW_MS), None);
    }

    #[test]
    fn of_a_message_of_another_only_the_reactions_go() {
        let mut before = entry("public:a", "8", r#"{"text":"of another"}"#);
        assert_eq!(erased().left_of(&before, NOW_MS), None);
        for user in ["7", "9"] {
            before
                .message
                .reactions
                .set("👍", &UserId::new(user), true)
                .unwrap();
        }
        assert!(erased().is_in(&before));
        let left = erased().left_of(&before, NOW_MS).unwrap();
        assert_eq!(left.message.payload, before.message.payload);
        assert_eq!(left.message.reactions.of("👍"), [UserId::new("9")]);
        assert!(!left.message.deleted && left.message.edited.is_none());
    }

    #[test]
    fn what_others_wrote_into_the_channels_of_the_user_goes_too_and_into_no_others() {
        for (topic, goes) in [
            ("user:7", true),
            ("user:7:orders", true),
            ("user:7:orders:new", true),
            ("user:77", false),
            ("user:77:orders", false),
            ("private:user", false),
        ] {
            let notice = entry(topic, "server", r#"{"text":"your order"}"#);
            assert_eq!(erased().left_of(&notice, NOW_MS).is_some(), goes, "{topic}");
            assert_eq!(erased().is_in(&notice), goes, "{topic}");
        }
    }
}
