//! Writing a reply in the shapes of Socket.IO (an ack's argument) and of raw (a frame's `data`).

use super::{HistoryPage, PresenceList, Present, Published, Reader, Reply, Subscribed};
use crate::error::Failure;
use crate::id::MessageId;
use crate::json::{self, Object};
use crate::message::Message;
use crate::payload::Payload;

impl Reply<Payload> {
    /// Whether the request succeeded. A batch succeeds as a whole; its entries tell of themselves.
    #[must_use]
    pub fn is_success(&self) -> bool {
        !matches!(self, Self::Failed(_))
    }

    /// Appends the object that a Socket.IO callback, the event `ack` or an HTTP body carries.
    pub fn write_socketio(&self, id: &str, out: &mut String) {
        let (kind, status) = if self.is_success() {
            ("ack", "success")
        } else {
            ("error", "error")
        };
        let head = Object::open(out)
            .str("type", kind)
            .str("id", id)
            .str("status", status);
        self.fields(head, "messageId", &|out, id, entry| entry.write_socketio(id, out))
            .close();
    }

    /// Appends the `data` object of a raw frame; the frame's `type` is `ack` or `error` by [`Self::is_success`].
    pub fn write_raw(&self, id: &str, out: &mut String) {
        if let Self::Failed(failure) = self {
            return failure.write_raw(Some(id), out);
        }
        let head = Object::open(out).str("messageId", id);
        self.fields(head, "id", &|out, id, entry| entry.write_raw(id, out))
            .close();
    }

    fn fields<'a>(
        &self,
        object: Object<'a>,
        server_id_key: &str,
        write_entry: &dyn Fn(&mut String, &str, &Self),
    ) -> Object<'a> {
        match self {
            Self::Subscribed(subscribed) => subscribed.fields(object),
            Self::Batch(results) => object.list("results", results, |out, (id, reply)| {
                write_entry(out, id.as_ref().map_or("", MessageId::as_str), reply);
            }),
            Self::Unsubscribed(topic) => object.str("topic", topic.as_str()),
            Self::Published(published) => published.fields(object, server_id_key),
            Self::History(page) => page.fields(object),
            Self::Presence(list) => list.fields(object),
            Self::Read(read) => object
                .str("topic", read.topic.as_str())
                .number("seq", read.seq)
                .number("unread", read.unread),
            Self::Done => object,
            Self::Failed(failure) => failure.fields(object),
        }
    }
}

fn write_messages(out: &mut String, messages: &[Message<Payload>]) {
    json::write_list(out, messages, |out, message| message.write_json(out, None));
}

impl Subscribed<Payload> {
    fn fields<'a>(&self, object: Object<'a>) -> Object<'a> {
        let mut object = object
            .str("topic", self.topic.as_str())
            .number("subscriberCount", self.subscriber_count)
            .number("seq", self.seq)
            .str("epoch", self.epoch.as_str());
        if let Some(recovered) = self.recovered {
            object = object.bool("recovered", recovered);
        }
        object = object.maybe_str("reason", self.reason.map(super::NotRecovered::as_str));
        object = object.maybe_number("oldestSeq", self.oldest_seq);
        if self.recovered.is_some() || !self.messages.is_empty() {
            object = object.with("messages", |out| write_messages(out, &self.messages));
        }
        object = object
            .number("readSeq", self.read_seq)
            .number("unread", self.unread);
        if let Some(readers) = &self.readers {
            object = object.list("readers", readers, |out, one| one.write_json(out));
        }
        match &self.presence {
            Some(present) => object.list("presence", present, |out, one| one.write_json(out)),
            None => object,
        }
    }
}

impl Published {
    fn fields<'a>(&self, object: Object<'a>, server_id_key: &str) -> Object<'a> {
        let object = object
            .str(server_id_key, self.message_id.as_str())
            .str("topic", self.topic.as_str())
            .number("seq", self.seq)
            .number("deliveredTo", self.delivered_to);
        if self.duplicate {
            object.bool("duplicate", true)
        } else {
            object
        }
    }
}

impl HistoryPage<Payload> {
    fn fields<'a>(&self, object: Object<'a>) -> Object<'a> {
        object
            .with("messages", |out| write_messages(out, &self.messages))
            .number("seq", self.seq)
            .str("epoch", self.epoch.as_str())
            .bool("hasMore", self.has_more)
    }
}

impl PresenceList {
    fn fields<'a>(&self, object: Object<'a>) -> Object<'a> {
        object
            .list("users", &self.users, |out, one| one.write_json(out))
            .number("count", self.count)
    }
}

impl Present {
    /// Appends the entry as lists and the `presence` event show it.
    pub fn write_json(&self, out: &mut String) {
        Object::open(out)
            .str("userId", self.user_id.as_str())
            .str("name", &self.name)
            .number("connections", self.connections)
            .number("since", self.since)
            .close();
    }
}

impl Reader {
    fn write_json(&self, out: &mut String) {
        Object::open(out)
            .str("userId", self.user_id.as_str())
            .number("seq", self.seq)
            .close();
    }
}

impl Failure {
    fn fields<'a>(&self, object: Object<'a>) -> Object<'a> {
        object
            .str("code", self.code.as_str())
            .str("error", &self.message)
            .str("message", &self.message)
            .maybe_number("retryAfterMs", self.retry_after_ms)
    }

    /// Appends the failure object of Socket.IO and HTTP.
    pub fn write_socketio(&self, id: Option<&str>, out: &mut String) {
        let head = Object::open(out)
            .str("type", "error")
            .maybe_str("id", id)
            .str("status", "error");
        self.fields(head).close();
    }

    /// Appends the `data` of a raw `error` frame: the number as `code`, the name under `details` (SPEC §7).
    pub fn write_raw(&self, id: Option<&str>, out: &mut String) {
        Object::open(out)
            .maybe_str("messageId", id)
            .number("code", u64::from(self.code.number()))
            .str("message", &self.message)
            .with("details", |out| {
                Object::open(out)
                    .str("code", self.code.as_str())
                    .maybe_number("retryAfterMs", self.retry_after_ms)
                    .close();
            })
            .close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::ChannelName;
    use crate::error::ErrorCode;
    use crate::id::{ServerMessageId, UserId};
    use crate::position::Epoch;
    use crate::reply::NotRecovered;
    use serde_json::{Value, json};

    fn socketio(reply: &Reply) -> Value {
        let mut out = String::new();
        reply.write_socketio("msg_1", &mut out);
        serde_json::from_str(&out).unwrap()
    }

    #[test]
    fn a_publish_ack_tells_the_servers_id_and_the_requests() {
        let reply = Reply::Published(Published {
            message_id: ServerMessageId::new("m1"),
            topic: ChannelName::parse("public:chat").unwrap(),
            seq: 3,
            delivered_to: 2,
            duplicate: false,
        });
        assert_eq!(
            socketio(&reply),
            json!({"type":"ack","id":"msg_1","status":"success","messageId":"m1","topic":"public:chat","seq":3,"deliveredTo":2})
        );
        let mut raw = String::new();
        reply.write_raw("msg_1", &mut raw);
        assert_eq!(
            serde_json::from_str::<Value>(&raw).unwrap(),
            json!({"messageId":"msg_1","id":"m1","topic":"public:chat","seq":3,"deliveredTo":2})
        );
    }

    #[test]
    fn a_failure_has_its_text_under_both_names() {
        let failure = Failure::new(ErrorCode::RateLimited, "slow down").retry_after(40);
        assert_eq!(
            socketio(&Reply::Failed(failure.clone())),
            json!({"type":"error","id":"msg_1","status":"error","code":"rate_limited","error":"slow down","message":"slow down","retryAfterMs":40})
        );
        let mut raw = String::new();
        Reply::<Payload>::Failed(failure).write_raw("msg_1", &mut raw);
        assert_eq!(
            serde_json::from_str::<Value>(&raw).unwrap(),
            json!({"messageId":"msg_1","code":2002,"message":"slow down","details":{"code":"rate_limited","retryAfterMs":40}})
        );
    }

    #[test]
    fn a_failed_recovery_says_why_and_what_is_left() {
        let subscribed = Subscribed {
            topic: ChannelName::parse("a").unwrap(),
            subscriber_count: 1,
            seq: 9,
            epoch: Epoch::new("e"),
            recovered: Some(false),
            reason: Some(NotRecovered::Trimmed),
            oldest_seq: Some(5),
            messages: Vec::new(),
            presence: None,
            read_seq: 4,
            unread: 5,
            readers: Some(Box::new([Reader {
                user_id: UserId::new("u"),
                seq: 9,
            }])),
        };
        let written = socketio(&Reply::Subscribed(subscribed.clone()));
        assert_eq!(written["reason"], "trimmed");
        assert_eq!(serde_json::from_value::<Subscribed>(written).unwrap(), subscribed);
    }
}
