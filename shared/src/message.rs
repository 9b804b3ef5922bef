//! What is published and what is delivered (SPEC §1, §4).

mod reactions;

use serde::{Deserialize, Serialize};

use crate::channel::ChannelName;
use crate::id::{MessageId, ServerMessageId, UserId};
use crate::json::Object;
use crate::payload::Payload;
use crate::position::Seq;

pub use reactions::{EMOJI, EMOJI_BYTES, REACTIONS, Reactions, TooMany};

/// One published item as subscribers and history show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Message<P = Payload> {
    /// The server's id.
    pub id: ServerMessageId,
    /// The channel.
    pub topic: ChannelName,
    /// Always `event` (SPEC §1).
    #[serde(rename = "type", default)]
    pub kind: MessageKind,
    /// What the publisher said.
    pub payload: P,
    /// When the server took it, ms since the Unix epoch.
    pub timestamp: u64,
    /// Who published it.
    pub from: UserId,
    /// Its number in the channel. Reading, 0 stands for a server of the seeds that does not number.
    #[serde(default)]
    pub seq: Seq,
    /// The publisher's own `messageId`: a client that sees its own settles its queue by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_message_id: Option<MessageId>,
    /// The last seq before this one that this subscription was entitled to, where that is not `seq − 1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prev: Option<Seq>,
    /// When it was edited or deleted last, ms since the Unix epoch: this is its current form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited: Option<u64>,
    /// Whether it was deleted: its payload is empty.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
    /// Who reacted with what.
    #[serde(default, skip_serializing_if = "Reactions::is_empty")]
    pub reactions: Reactions,
    /// Whether its publisher waits for the receiver's `ack {id}`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub require_delivery: bool,
}

impl Message<Payload> {
    /// Appends the message as the wire shows it. `prev` is the subscription's own and overrides the message's.
    pub fn write_json(&self, out: &mut String, prev: Option<Seq>) {
        out.reserve(self.payload.json().len() + 256);
        let mut object = Object::open(out)
            .str("id", self.id.as_str())
            .str("topic", self.topic.as_str())
            .str("type", "event")
            .raw("payload", self.payload.json())
            .number("timestamp", self.timestamp)
            .str("from", self.from.as_str())
            .number("seq", self.seq)
            .maybe_str(
                "clientMessageId",
                self.client_message_id.as_ref().map(MessageId::as_str),
            )
            .maybe_number("prev", prev.or(self.prev))
            .maybe_number("edited", self.edited);
        if self.deleted {
            object = object.bool("deleted", true);
        }
        if !self.reactions.is_empty() {
            object = object.with("reactions", |out| self.reactions.write_json(out));
        }
        if self.require_delivery {
            object = object.bool("requireDelivery", true);
        }
        object.close();
    }
}

/// The `type` of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum MessageKind {
    /// A business event: the only kind the seeds know.
    #[default]
    Event,
    /// A kind of a later protocol version.
    #[serde(other)]
    Unknown,
}

/// What a slow connection gets first and loses last (SPEC §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// Dropped first.
    Low,
    /// Where nothing is said.
    #[default]
    Normal,
    /// Sent first.
    High,
}

/// Something said to the present subscribers only: no seq, no history (SPEC §4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signal<P = Payload> {
    /// The channel.
    pub topic: ChannelName,
    /// Who said it.
    pub from: UserId,
    /// What was said.
    pub payload: P,
    /// When the server took it, ms since the Unix epoch.
    pub timestamp: u64,
}

impl Signal<Payload> {
    /// Appends the signal as the wire shows it.
    pub fn write_json(&self, out: &mut String) {
        Object::open(out)
            .str("topic", self.topic.as_str())
            .str("from", self.from.as_str())
            .raw("payload", self.payload.json())
            .number("timestamp", self.timestamp)
            .close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_written_message_reads_back() {
        let message = Message {
            id: ServerMessageId::new("m1"),
            topic: ChannelName::parse("public:chat").unwrap(),
            kind: MessageKind::Event,
            payload: Payload::parse(r#"{"type":"text","content":"你好 \"x\""}"#).unwrap(),
            timestamp: 1_700_000_000_000,
            from: UserId::new("u\"1"),
            seq: 7,
            client_message_id: Some(MessageId::parse("msg_1").unwrap()),
            prev: None,
            edited: Some(1_700_000_000_001),
            deleted: true,
            reactions: serde_json::from_str(r#"{"👍":["u1"]}"#).unwrap(),
            require_delivery: true,
        };
        let mut out = String::new();
        message.write_json(&mut out, Some(4));
        let read: Message = serde_json::from_str(&out).unwrap();
        assert_eq!(
            read,
            Message {
                prev: Some(4),
                ..message
            }
        );
    }
}
