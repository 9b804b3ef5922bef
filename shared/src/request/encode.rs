//! Writing a request: the client's side of the same words, without a JSON library.

use super::{Call, HistoryQuery, HistoryRange, Publish, Request, Subscribe};
use crate::id::MessageId;
use crate::json::Object;
use crate::message::Priority;

impl Call {
    /// Appends the request's body as JSON. `timestamp` is the client's clock, ms since the Unix epoch.
    pub fn write_json(&self, out: &mut String, timestamp: u64) {
        self.request.write_fields(
            Object::open(out)
                .maybe_str("messageId", self.message_id.as_ref().map(MessageId::as_str))
                .number("timestamp", timestamp),
        );
    }
}

impl Request {
    fn write_fields(&self, object: Object<'_>) {
        match self {
            Self::Subscribe(subscribe) => subscribe.fields(object),
            Self::SubscribeBatch(topics) => {
                let valid: Vec<&Subscribe> = topics.iter().filter_map(|topic| topic.as_ref().ok()).collect();
                object.list("topics", &valid, |out, topic| {
                    topic.fields(Object::open(out)).close();
                })
            }
            Self::Unsubscribe(topic) | Self::Presence(topic) => object.str("topic", topic.as_str()),
            Self::Publish(publish) => publish.fields(object),
            Self::PublishBatch(entries) => {
                let valid: Vec<_> = entries
                    .iter()
                    .filter_map(|entry| Some((entry.message_id.as_ref(), entry.publish.as_ref().ok()?)))
                    .collect();
                object.list("messages", &valid, |out, (message_id, publish)| {
                    let entry = Object::open(out).maybe_str("messageId", message_id.map(MessageId::as_str));
                    publish.fields(entry).close();
                })
            }
            Self::Signal(topic, payload) => {
                object.str("topic", topic.as_str()).raw("payload", payload.json())
            }
            Self::History(query) => query.fields(object),
            Self::Read(topic, seq) => object.str("topic", topic.as_str()).number("seq", *seq),
            Self::Heartbeat(_) => object,
            Self::Refresh(token) => object.str("token", token),
            Self::Ack(id) => object.str("id", id.as_str()),
        }
        .close();
    }
}

impl Subscribe {
    fn fields<'a>(&self, object: Object<'a>) -> Object<'a> {
        let mut object = object.str("topic", self.topic.as_str());
        if let Some(since) = &self.since {
            object = object.with("since", |out| {
                Object::open(out)
                    .number("seq", since.seq)
                    .str("epoch", since.epoch.as_str())
                    .close();
            });
        }
        object = object.maybe_number("history", self.history.map(|n| n as u64));
        if !self.params.is_empty() {
            object = object.with("params", |out| {
                let mut params = Object::open(out);
                for (field, value) in self.params.iter() {
                    params = params.raw(field, value.json());
                }
                params.close();
            });
        }
        if self.presence {
            object = object.bool("presence", true);
        }
        if self.readers {
            object = object.bool("readers", true);
        }
        object
    }
}

impl Publish {
    fn fields<'a>(&self, object: Object<'a>) -> Object<'a> {
        let mut object = object
            .str("topic", self.topic.as_str())
            .raw("payload", self.payload.json());
        if !self.ack_required {
            object = object.bool("ackRequired", false);
        }
        match self.priority {
            Priority::Normal => {}
            Priority::Low => object = object.str("priority", "low"),
            Priority::High => object = object.str("priority", "high"),
        }
        if self.ttl_ms > 0 {
            object = object.number("ttl", self.ttl_ms);
        }
        if self.require_delivery {
            object.bool("requireDelivery", true)
        } else {
            object
        }
    }
}

impl HistoryQuery {
    fn fields<'a>(&self, object: Object<'a>) -> Object<'a> {
        let object = object.str("topic", self.topic.as_str());
        match self.range {
            HistoryRange::Newest => object,
            HistoryRange::Before(seq) => object.number("before", seq),
            HistoryRange::After(seq) => object.number("after", seq),
        }
        .number("limit", self.limit as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::ChannelName;
    use crate::payload::Payload;
    use crate::position::{Epoch, Position};
    use crate::request::PublishEntry;

    fn round_trip(request: Request) {
        let call = Call {
            message_id: Some(MessageId::parse("msg_1").unwrap()),
            request,
        };
        let mut body = String::new();
        call.write_json(&mut body, 5);
        assert_eq!(
            Call::parse(call.request.name(), &body, Vec::new()).unwrap(),
            call,
            "{body}"
        );
    }

    #[test]
    fn every_request_reads_back_as_written() {
        let topic = ChannelName::parse("public:chat").unwrap();
        let payload = Payload::parse(r#"{"a":[1,"二"]}"#).unwrap();
        let mut subscribe = Subscribe::to(topic.clone());
        subscribe.since = Some(Position {
            seq: 3,
            epoch: Epoch::new("e"),
        });
        subscribe
            .params
            .insert("orderId".to_owned(), Payload::parse("\"7\"").unwrap());
        subscribe.presence = true;
        let mut publish = Publish::new(topic.clone(), payload.clone());
        publish.priority = Priority::High;
        publish.ttl_ms = 9;
        publish.ack_required = false;
        round_trip(Request::Subscribe(subscribe.clone()));
        round_trip(Request::SubscribeBatch(vec![
            Ok(subscribe),
            Ok(Subscribe::to(topic.clone())),
        ]));
        round_trip(Request::Unsubscribe(topic.clone()));
        round_trip(Request::PublishBatch(vec![PublishEntry {
            message_id: Some(MessageId::parse("k").unwrap()),
            publish: Ok(publish.clone()),
        }]));
        round_trip(Request::Publish(publish));
        round_trip(Request::Signal(topic.clone(), payload));
        round_trip(Request::History(HistoryQuery {
            topic: topic.clone(),
            range: HistoryRange::Before(9),
            limit: 20,
        }));
        round_trip(Request::Presence(topic.clone()));
        round_trip(Request::Read(topic, 4));
        round_trip(Request::Heartbeat(Some(5)));
        round_trip(Request::Refresh("t".to_owned()));
        round_trip(Request::Ack(crate::id::ServerMessageId::new("m")));
    }
}
