//! Edits, deletions and reactions: messages that change another message of their channel (SPEC §4).
//!
//! In a `chat` namespace a payload `{type: "edit" | "delete" | "reaction", target, …}` is an [`Amendment`]. It is a
//! message like any other, with a seq of its own, so that whoever is there and whoever recovers sees it. A history
//! carries it out in the step in which it keeps it: it finds the target, asks [`Amendment::apply`] for the target's
//! new form, and keeps both or none.
//!
//! - `edit` puts its other fields in place of the target's; a field that is `null` goes. Author or admin.
//! - `delete` empties the target, and the earlier edits of it, which hold its old contents. Author or admin.
//! - `reaction {emoji, on = true}` sets or takes back the sender's own reaction. Whoever may publish.

use std::fmt;

use bmt_shared::error::{ErrorCode, Failure};
use bmt_shared::id::ServerMessageId;
use bmt_shared::json::Object;
use bmt_shared::message::{EMOJI_BYTES, Reactions};
use bmt_shared::payload::Payload;
use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

use super::entry::{Draft, Entry};

/// Most edits of one message: each stays in the history, and a deletion has to empty them all at once.
pub const EDITS: usize = 100;
/// What an edited payload may grow to by its edits, bytes: the default limit of a payload (SPEC §10). One that was
/// larger to begin with, or whose edit is, may be as large as that.
pub const EDITED_BYTES: usize = 64 * 1_024;

/// What an amendment does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Changes fields.
    Edit,
    /// Empties.
    Delete,
    /// Sets or takes back a reaction.
    Reaction,
}

/// Which message a message amends, and how: what a history keeps of an amendment beside its payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Amends {
    /// How.
    pub act: Act,
    /// Which.
    pub target: ServerMessageId,
}

/// See the [module](self).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Amendment {
    /// Which message, and how.
    pub amends: Amends,
    reaction: Option<(String, bool)>,
    by_admin: bool,
}

#[derive(Deserialize)]
struct Body {
    #[serde(rename = "type")]
    kind: String,
    target: Option<ServerMessageId>,
    emoji: Option<String>,
    on: Option<bool>,
}

impl Act {
    const ALL: [Self; 3] = [Self::Edit, Self::Delete, Self::Reaction];

    /// As it stands in payloads.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Edit => "edit",
            Self::Delete => "delete",
            Self::Reaction => "reaction",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|act| act.as_str() == name)
    }
}

impl Amends {
    /// Takes back what a store kept of its [`Display`](fmt::Display) form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (act, target) = text.split_once(':')?;
        Some(Self {
            act: Act::parse(act)?,
            target: ServerMessageId::new(target),
        })
    }

    /// The edits of a message.
    #[must_use]
    pub fn edit_of(target: &ServerMessageId) -> Self {
        Self {
            act: Act::Edit,
            target: target.clone(),
        }
    }
}

impl fmt::Display for Amends {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.act.as_str(), self.target)
    }
}

impl Amendment {
    /// Reads a payload of a chat namespace; `None` where it amends nothing.
    ///
    /// # Errors
    /// `invalid_message` where it is one and a field is missing or mistyped.
    pub fn of(payload: &Payload, by_admin: bool) -> Result<Option<Self>, Failure> {
        #[derive(Deserialize)]
        struct Head {
            #[serde(rename = "type")]
            kind: String,
        }
        // Most messages have none of the words and are not parsed for them.
        let json = payload.json().trim_start();
        if !json.starts_with('{') || !Act::ALL.iter().any(|act| json.contains(act.as_str())) {
            return Ok(None);
        }
        let Some(act) = payload
            .decode::<Head>()
            .ok()
            .and_then(|head| Act::parse(&head.kind))
        else {
            return Ok(None);
        };
        let body: Body = payload
            .decode()
            .map_err(|error| invalid(&format!("`payload` of a {:?}: {error}", act.as_str())))?;
        let what = &body.kind;
        let Some(target) = body.target else {
            return Err(invalid(&format!(
                "`payload.target` is missing: a {what:?} names the id of the message it changes"
            )));
        };
        if !payload.attachments().is_empty() {
            return Err(invalid(&format!(
                "a {what:?} carries no binary parts; publish a new message"
            )));
        }
        let reaction = match (act, body.emoji) {
            (Act::Reaction, Some(emoji)) if (1..=EMOJI_BYTES).contains(&emoji.len()) => {
                Some((emoji, body.on.unwrap_or(true)))
            }
            (Act::Reaction, _) => {
                return Err(invalid(&format!(
                    "`payload.emoji` of a reaction is a text of 1 to {EMOJI_BYTES} bytes"
                )));
            }
            (Act::Edit | Act::Delete, _) => None,
        };
        Ok(Some(Self {
            amends: Amends { act, target },
            reaction,
            by_admin,
        }))
    }

    /// The target's new form. `draft` is the message that carries this amendment.
    ///
    /// # Errors
    /// `invalid_operation` where the target is gone or cannot be amended, `permission_denied` where it is another
    /// user's.
    pub fn apply(&self, draft: &Draft, target: &Entry) -> Result<Entry, Failure> {
        if target.message.deleted || target.is_expired(draft.timestamp) {
            return Err(self.gone());
        }
        if target.amends.is_some() {
            return Err(impossible(
                "an edit, a deletion or a reaction cannot itself be changed; name the message it is about",
            ));
        }
        let act = self.amends.act;
        if act != Act::Reaction && draft.from != target.message.from && !self.by_admin {
            return Err(Failure::new(
                ErrorCode::PermissionDenied,
                "only its author or an administrator may edit or delete a message",
            ));
        }
        let mut entry = target.clone();
        let message = &mut entry.message;
        match act {
            Act::Edit => {
                message.payload = merge(&message.payload, &draft.payload)?;
                message.edited = Some(draft.timestamp);
            }
            Act::Delete => {
                message.payload = Payload::from_json("{}");
                message.reactions = Reactions::default();
                message.edited = Some(draft.timestamp);
                message.deleted = true;
            }
            Act::Reaction => {
                let (emoji, on) = self
                    .reaction
                    .as_ref()
                    .expect("a reaction was read with its emoji");
                let set = message.reactions.set(emoji, &draft.from, *on);
                set.map_err(|_| impossible("this message has as many reactions as a message may have"))?;
            }
        }
        Ok(entry)
    }

    /// Whether the target's earlier edits are to be [`emptied`].
    #[must_use]
    pub fn empties_edits(&self) -> bool {
        self.amends.act == Act::Delete
    }

    /// Refuses one edit more than [`EDITS`].
    ///
    /// # Errors
    /// `invalid_operation`.
    pub fn admit(&self, edits_before: usize) -> Result<(), Failure> {
        if self.amends.act == Act::Edit && edits_before >= EDITS {
            return Err(impossible(
                "this message was edited as often as a message may be; delete it and write a new one",
            ));
        }
        Ok(())
    }

    /// There is no such message in the channel, or no longer.
    #[must_use]
    pub fn gone(&self) -> Failure {
        let target = &self.amends.target;
        impossible(&format!(
            "there is no message {target} in this channel any more: it was deleted, has expired, or never was here"
        ))
    }
}

/// An edit without its contents: its target was deleted at `now_ms`.
#[must_use]
pub fn emptied(edit: &Entry, now_ms: u64) -> Entry {
    let mut entry = edit.clone();
    let mut json = String::new();
    let target = edit.amends.as_ref().map(|amends| amends.target.as_str());
    Object::open(&mut json)
        .str("type", "edit")
        .maybe_str("target", target)
        .close();
    entry.message.payload = Payload::from_json(&json);
    entry.message.edited = Some(now_ms);
    entry.message.deleted = true;
    entry
}

/// Fields of an object in their order, values as they were written.
struct Fields(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

/// The payload with the edit's fields in place of its own. Its binary parts stay.
fn merge(old: &Payload, edit: &Payload) -> Result<Payload, Failure> {
    let (Ok(Fields(mut fields)), Ok(Fields(changes))) = (old.decode(), edit.decode()) else {
        return Err(impossible(
            "this message is no object with fields, so it cannot be edited; delete it and write a new one",
        ));
    };
    for (name, value) in changes {
        if name == "type" || name == "target" {
            continue;
        }
        let place = fields.iter().position(|(field, _)| *field == name);
        match (place, value.get()) {
            (Some(at), "null") => drop(fields.remove(at)),
            (Some(at), _) => fields[at].1 = value,
            (None, "null") => {}
            (None, _) => fields.push((name, value)),
        }
    }
    let mut json = String::new();
    let mut object = Object::open(&mut json);
    for (name, value) in &fields {
        object = object.raw(name, value.get());
    }
    object.close();
    let merged = Payload::from_json(&json).with_attachments(old.attachments().to_vec());
    let most = EDITED_BYTES.max(old.size_bytes()).max(edit.size_bytes());
    if merged.size_bytes() > most {
        return Err(Failure::new(
            ErrorCode::MessageTooLarge,
            format!(
                "the edited message would have {} bytes and may have {most}",
                merged.size_bytes()
            ),
        ));
    }
    Ok(merged)
}

fn invalid(message: &str) -> Failure {
    Failure::new(ErrorCode::InvalidMessage, message)
}

fn impossible(message: &str) -> Failure {
    Failure::new(ErrorCode::InvalidOperation, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bmt_shared::channel::ChannelName;
    use bmt_shared::id::{MessageId, UserId};
    use bmt_shared::request::Publish;

    fn draft(from: &str, payload: &str) -> Draft {
        let publish = Publish::new(
            ChannelName::parse("public:a").unwrap(),
            Payload::parse(payload).unwrap(),
        );
        Draft::new(
            publish,
            UserId::new(from),
            MessageId::parse("k").unwrap(),
            1_000,
            0,
        )
    }

    fn amend(by: &str, by_admin: bool, payload: &str, target: &Entry) -> Result<Entry, Failure> {
        let draft = draft(by, payload);
        let amendment = Amendment::of(&draft.payload, by_admin)?.expect("it is one");
        amendment.apply(&draft, target)
    }

    fn text() -> Entry {
        draft(
            "ann",
            r#"{"type":"text","content":"hi","n":1.0,"big":12345678901234567890123}"#,
        )
        .numbered(1)
    }

    #[test]
    fn an_edit_changes_the_fields_it_names() {
        let edit = r#"{"type":"edit","target":"t","content":"ho","n":null,"new":[1, 2]}"#;
        let edited = amend("ann", false, edit, &text()).unwrap();
        assert_eq!(
            edited.message.payload.json(),
            r#"{"type":"text","content":"ho","big":12345678901234567890123,"new":[1, 2]}"#
        );
        assert_eq!((edited.message.edited, edited.seq()), (Some(1_000), 1));
    }

    #[test]
    fn only_the_author_or_an_admin_edits_and_deletes() {
        for payload in [
            r#"{"type":"edit","target":"t","content":"x"}"#,
            r#"{"type":"delete","target":"t"}"#,
        ] {
            let refused = amend("bob", false, payload, &text()).unwrap_err();
            assert_eq!(refused.code, ErrorCode::PermissionDenied);
            assert!(amend("bob", true, payload, &text()).is_ok());
            assert!(amend("ann", false, payload, &text()).is_ok());
        }
    }

    #[test]
    fn what_is_deleted_is_empty_and_gone() {
        let deleted = amend("ann", false, r#"{"type":"delete","target":"t"}"#, &text()).unwrap();
        assert_eq!(deleted.message.payload.json(), "{}");
        assert!(deleted.message.deleted);
        for payload in [
            r#"{"type":"edit","target":"t","content":"x"}"#,
            r#"{"type":"delete","target":"t"}"#,
            r#"{"type":"reaction","target":"t","emoji":"👍"}"#,
        ] {
            let refused = amend("ann", false, payload, &deleted).unwrap_err();
            assert_eq!(refused.code, ErrorCode::InvalidOperation);
        }
    }

    #[test]
    fn anybody_reacts_and_takes_it_back() {
        let on = r#"{"type":"reaction","target":"t","emoji":"👍"}"#;
        let liked = amend("bob", false, on, &text()).unwrap();
        assert_eq!(liked.message.reactions.of("👍"), [UserId::new("bob")]);
        assert_eq!(liked.message.edited, None);
        let off = r#"{"type":"reaction","target":"t","emoji":"👍","on":false}"#;
        let back = amend("bob", false, off, &liked).unwrap();
        assert!(back.message.reactions.is_empty());
    }

    #[test]
    fn a_refusal_names_the_field() {
        let refusal = |payload: &str| Amendment::of(&Payload::parse(payload).unwrap(), false).unwrap_err();
        assert!(
            refusal(r#"{"type":"edit","content":"x"}"#)
                .message
                .contains("target")
        );
        assert!(
            refusal(r#"{"type":"delete","target":7}"#)
                .message
                .contains("string")
        );
        assert!(
            refusal(r#"{"type":"reaction","target":"t"}"#)
                .message
                .contains("emoji")
        );
        let long = format!(
            r#"{{"type":"reaction","target":"t","emoji":"{}"}}"#,
            "x".repeat(65)
        );
        assert!(refusal(&long).message.contains("emoji"));
        for plain in [
            "1",
            r#""edit""#,
            r#"{"type":"text","content":"edit"}"#,
            r#"["delete"]"#,
        ] {
            assert_eq!(
                Amendment::of(&Payload::parse(plain).unwrap(), false),
                Ok(None),
                "{plain}"
            );
        }
    }

    #[test]
    fn an_edit_is_no_target_and_a_number_has_no_fields() {
        let mut edit = draft("ann", r#"{"type":"edit","target":"t"}"#).numbered(2);
        edit.amends = Some(Amends::edit_of(&ServerMessageId::new("t")));
        let number = draft("ann", "7").numbered(1);
        for target in [edit, number] {
            let refused = amend("ann", false, r#"{"type":"edit","target":"t","a":1}"#, &target).unwrap_err();
            assert_eq!(refused.code, ErrorCode::InvalidOperation);
        }
    }

    #[test]
    fn edits_do_not_grow_a_message_without_bound() {
        let mut entry = text();
        let mut refused = None;
        for n in 0..4 {
            let edit = format!(
                r#"{{"type":"edit","target":"t","f{n}":"{}"}}"#,
                "x".repeat(EDITED_BYTES / 3)
            );
            match amend("ann", false, &edit, &entry) {
                Ok(edited) => entry = edited,
                Err(failure) => refused = Some((n, failure.code)),
            }
        }
        assert_eq!(refused.map(|(_, code)| code), Some(ErrorCode::MessageTooLarge));
        assert!(entry.message.payload.size_bytes() <= EDITED_BYTES);
    }
}
