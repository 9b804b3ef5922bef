//! A message on its way into the history, and as the history keeps it.

use bmt_shared::channel::ChannelName;
use bmt_shared::error::Failure;
use bmt_shared::event::{Level, Notification};
use bmt_shared::id::{MessageId, ServerMessageId, UserId};
use bmt_shared::message::{Message, MessageKind, Priority, Reactions};
use bmt_shared::namespace::Namespace;
use bmt_shared::payload::Payload;
use bmt_shared::position::Seq;
use bmt_shared::request::Publish;
use serde::Deserialize;

use super::amendment::{Amendment, Amends};
use super::fingerprint::Fingerprint;

/// The `type` of a payload that notifies people.
const NOTIFICATION: &str = "notification";
/// Bytes a message takes beside its payload, roughly: ids, topic, numbers.
pub const ENVELOPE_BYTES: usize = 256;

/// A publish with its fingerprint. Making it reads the whole payload, which is best done before the one that owns
/// the channel has to wait for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Prepared {
    publish: Publish,
    fingerprint: Fingerprint,
    amendment: Option<Amendment>,
    notifies: bool,
}

impl Prepared {
    /// Reads a publish by the rules of its namespace. `by_admin` says whether an administrator sends it.
    ///
    /// # Errors
    /// `invalid_message` where it is a malformed amendment.
    pub fn new(publish: Publish, namespace: &Namespace, by_admin: bool) -> Result<Self, Failure> {
        let amendment = if namespace.chat {
            Amendment::of(&publish.payload, by_admin)?
        } else {
            None
        };
        Ok(Self {
            amendment,
            // What others write is shown as a message: nobody may put up the server's own notices.
            notifies: by_admin && notification(&publish.payload).is_some(),
            ..Self::from(publish)
        })
    }
}

impl From<Publish> for Prepared {
    fn from(publish: Publish) -> Self {
        Self {
            fingerprint: Fingerprint::of(&publish),
            publish,
            amendment: None,
            notifies: false,
        }
    }
}

/// A message that was taken from its publisher and has no seq yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// The server's id.
    pub id: ServerMessageId,
    /// The channel.
    pub topic: ChannelName,
    /// The content.
    pub payload: Payload,
    /// When it was taken, ms since the Unix epoch.
    pub timestamp: u64,
    /// Who published it.
    pub from: UserId,
    /// The publisher's key: with `from` and `topic` it names this publish within the idempotency window.
    pub key: MessageId,
    /// What the key stands for; the same key with another fingerprint is a conflict.
    pub fingerprint: Fingerprint,
    /// See [`Priority`].
    pub priority: Priority,
    /// From here on it is not delivered any more, ms since the Unix epoch.
    pub expires_at_ms: Option<u64>,
    /// What it does to another message of the channel.
    pub amendment: Option<Amendment>,
    /// Whether subscribers get the event `notification` too.
    pub notifies: bool,
    /// Whether subscribers are to confirm it.
    pub require_delivery: bool,
}

impl Draft {
    /// Takes a publish at `now_ms`. `random` makes the id unguessable and unique.
    #[must_use]
    pub fn new(
        publish: impl Into<Prepared>,
        from: UserId,
        key: MessageId,
        now_ms: u64,
        random: u128,
    ) -> Self {
        let Prepared {
            publish,
            fingerprint,
            amendment,
            notifies,
        } = publish.into();
        Self {
            id: mint(now_ms, random),
            topic: publish.topic,
            payload: publish.payload,
            timestamp: now_ms,
            from,
            key,
            fingerprint,
            priority: publish.priority,
            expires_at_ms: (publish.ttl_ms > 0).then(|| now_ms.saturating_add(publish.ttl_ms)),
            amendment,
            notifies,
            require_delivery: publish.require_delivery,
        }
    }

    /// The message with the seq that the history gave it.
    #[must_use]
    pub fn numbered(self, seq: Seq) -> Entry {
        Entry {
            message: Message {
                id: self.id,
                topic: self.topic,
                kind: MessageKind::Event,
                payload: self.payload,
                timestamp: self.timestamp,
                from: self.from,
                seq,
                client_message_id: Some(self.key),
                prev: None,
                edited: None,
                deleted: false,
                reactions: Reactions::default(),
                require_delivery: self.require_delivery,
            },
            priority: self.priority,
            expires_at_ms: self.expires_at_ms,
            amends: self.amendment.map(|amendment| amendment.amends),
            notifies: self.notifies,
        }
    }
}

/// A message as the history keeps it and as subscribers share it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What subscribers see; its `prev` is empty, each subscription has its own.
    pub message: Message,
    /// See [`Priority`].
    pub priority: Priority,
    /// From here on it is not delivered any more, ms since the Unix epoch.
    pub expires_at_ms: Option<u64>,
    /// Which message it amends.
    pub amends: Option<Amends>,
    /// Whether the subscribers who are there get the event `notification` too: an administrator or the server
    /// published a payload `{type: "notification", …}`. Not kept: who comes later finds the message.
    pub notifies: bool,
}

impl Entry {
    /// Its number in the channel.
    #[must_use]
    pub fn seq(&self) -> Seq {
        self.message.seq
    }

    /// Bytes it is counted with.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.message.payload.size_bytes() + self.message.reactions.size_bytes() + ENVELOPE_BYTES
    }

    /// Whether its publisher's `ttl` is over.
    #[must_use]
    pub fn is_expired(&self, now_ms: u64) -> bool {
        self.expires_at_ms.is_some_and(|end| end <= now_ms)
    }

    /// The event that is made of the message, for the subscribers who are there.
    #[must_use]
    pub fn notification(&self) -> Option<Notification> {
        let content = notification(&self.message.payload).filter(|_| self.notifies)?;
        Some(Notification {
            id: self.message.id.clone(),
            kind: content.kind,
            level: content.level.unwrap_or(Level::Info),
            title: content.title,
            message: content.message,
            timestamp: self.message.timestamp,
        })
    }

    /// The message for one subscription or reply.
    #[must_use]
    pub fn message_after(&self, prev: Option<Seq>) -> Message {
        Message {
            prev,
            ..self.message.clone()
        }
    }
}

/// A payload that notifies people (SPEC §4).
#[derive(Deserialize)]
struct NotificationBody {
    #[serde(rename = "type")]
    kind: String,
    level: Option<Level>,
    title: Option<String>,
    message: String,
}

fn notification(payload: &Payload) -> Option<NotificationBody> {
    // Most payloads have not even the word.
    let json = payload.json();
    let body: NotificationBody = json.contains(NOTIFICATION).then(|| payload.decode().ok())??;
    (body.kind == NOTIFICATION).then_some(body)
}

/// 48 bits of time and 80 of chance in Crockford's base 32: sorts by time, and nobody guesses the next one.
fn mint(now_ms: u64, random: u128) -> ServerMessageId {
    const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let value = (u128::from(now_ms) << 80) | (random & ((1 << 80) - 1));
    let id: String = (0..26)
        .rev()
        .map(|digit| char::from(DIGITS[usize::try_from((value >> (5 * digit)) & 31).expect("below 32")]))
        .collect();
    ServerMessageId::new(&id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bmt_shared::namespace::Access;

    #[test]
    fn ids_sort_by_time_and_differ_by_chance() {
        let early = mint(1_700_000_000_000, u128::MAX);
        let late = mint(1_700_000_000_001, 0);
        assert_eq!(early.as_str().len(), 26);
        assert!(early < late);
        assert_ne!(mint(7, 1), mint(7, 2));
    }

    #[test]
    fn an_administrators_notice_is_an_event_and_nobody_elses() {
        let payload = r#"{"type":"notification","level":"warning","title":"T","message":"M"}"#;
        let entry = |payload: &str, by_admin| {
            let publish = Publish::new(
                ChannelName::parse("user:7").unwrap(),
                Payload::parse(payload).unwrap(),
            );
            let namespace = Namespace::stored(Access::Owner, Access::Owner);
            let prepared = Prepared::new(publish, &namespace, by_admin).unwrap();
            let key = MessageId::parse("k").unwrap();
            Draft::new(prepared, UserId::new("u"), key, 1_000, 0).numbered(1)
        };
        let notice = entry(payload, true);
        let event = notice.notification().unwrap();
        assert_eq!(
            (event.id, event.level),
            (notice.message.id.clone(), Level::Warning)
        );
        assert_eq!((event.title.as_deref(), event.message.as_str()), (Some("T"), "M"));
        assert_eq!(entry(payload, false).notification(), None);
        assert_eq!(entry(r#"{"type":"notification"}"#, true).notification(), None);
        let plain = entry(r#"{"type":"notification","message":"M"}"#, true);
        assert_eq!(plain.notification().unwrap().level, Level::Info);
    }

    #[test]
    fn a_ttl_ends_and_its_absence_does_not() {
        let publish = |ttl_ms| Publish {
            ttl_ms,
            ..Publish::new(
                ChannelName::parse("public:a").unwrap(),
                Payload::parse("1").unwrap(),
            )
        };
        let entry = |ttl_ms| {
            let key = MessageId::parse("k").unwrap();
            Draft::new(publish(ttl_ms), UserId::new("u"), key, 1_000, 0).numbered(1)
        };
        assert!(!entry(50).is_expired(1_049));
        assert!(entry(50).is_expired(1_050));
        assert!(!entry(0).is_expired(u64::MAX));
        assert!(!entry(u64::MAX).is_expired(u64::MAX - 1));
    }
}
