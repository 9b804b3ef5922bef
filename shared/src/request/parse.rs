//! Reading a request: every refusal names the field that is missing or mistyped.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::{Call, HistoryQuery, HistoryRange, Publish, PublishEntry, Request, Subscribe};
use crate::channel::ChannelName;
use crate::error::{ErrorCode, Failure};
use crate::id::{MessageId, ServerMessageId};
use crate::limits::{BATCH, HISTORY_PAGE, HISTORY_PAGE_MAX};
use crate::message::Priority;
use crate::payload::Payload;
use crate::position::{Position, Seq};
use crate::sorted::SortedMap;

/// A request that cannot be read, with the key under which to answer if that much could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// The request's `messageId`, where it has a valid one.
    pub message_id: Option<MessageId>,
    /// `invalid_message`, and which field is wrong.
    pub failure: Failure,
}

impl std::fmt::Display for ParseError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.failure.fmt(f)
    }
}

impl std::error::Error for ParseError {}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SubscribeBody {
    topic: ChannelName,
    since: Option<Position>,
    history: Option<usize>,
    #[serde(default)]
    params: SortedMap<String, Payload>,
    #[serde(default)]
    presence: bool,
    #[serde(default)]
    readers: bool,
}

#[derive(Deserialize)]
struct TopicsBody {
    topics: Vec<Box<RawValue>>,
}

#[derive(Deserialize)]
struct TopicBody {
    topic: ChannelName,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PublishBody {
    topic: ChannelName,
    payload: Payload,
    #[serde(default = "yes")]
    ack_required: bool,
    #[serde(default)]
    priority: Priority,
    #[serde(default)]
    ttl: u64,
    #[serde(default)]
    require_delivery: bool,
}

fn yes() -> bool {
    true
}

#[derive(Deserialize)]
struct MessagesBody {
    messages: Vec<Box<RawValue>>,
}

#[derive(Deserialize)]
struct SignalBody {
    topic: ChannelName,
    payload: Payload,
}

#[derive(Deserialize)]
struct HistoryBody {
    topic: ChannelName,
    before: Option<Seq>,
    after: Option<Seq>,
    limit: Option<usize>,
}

#[derive(Deserialize)]
struct ReadBody {
    topic: ChannelName,
    seq: Seq,
}

#[derive(Deserialize)]
struct HeartbeatBody {
    timestamp: Option<u64>,
}

#[derive(Deserialize)]
struct RefreshBody {
    token: String,
}

#[derive(Deserialize)]
struct AckBody {
    id: ServerMessageId,
}

/// Which of the two forms a `subscribe` or `publish` has, and its key.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    message_id: Option<MessageId>,
    topics: Option<serde::de::IgnoredAny>,
    messages: Option<serde::de::IgnoredAny>,
}

impl Call {
    /// Reads the request `name` with the JSON text `body`. `attachments` of the packet belong to the payload.
    pub fn parse(name: &str, body: &str, attachments: Vec<bytes::Bytes>) -> Result<Self, ParseError> {
        let head = read::<Head>(body).map_err(|failure| ParseError {
            message_id: None,
            failure,
        })?;
        let request = match name {
            "subscribe" if head.topics.is_some() => subscribe_batch(body),
            "subscribe" => subscribe(body).map(Request::Subscribe),
            "unsubscribe" => read::<TopicBody>(body).map(|b| Request::Unsubscribe(b.topic)),
            "publish" if head.messages.is_some() => publish_batch(body),
            "publish" => publish(body, attachments).map(Request::Publish),
            "signal" => read::<SignalBody>(body)
                .map(|b| Request::Signal(b.topic, b.payload.with_attachments(attachments))),
            "history" => history(body).map(Request::History),
            "presence" => read::<TopicBody>(body).map(|b| Request::Presence(b.topic)),
            "read" => read::<ReadBody>(body).map(|b| Request::Read(b.topic, b.seq)),
            "heartbeat" => read::<HeartbeatBody>(body).map(|b| Request::Heartbeat(b.timestamp)),
            "refresh" => read::<RefreshBody>(body).map(|b| Request::Refresh(b.token)),
            "ack" => read::<AckBody>(body).map(|b| Request::Ack(b.id)),
            unknown => Err(invalid(format!("there is no operation `{unknown}`"))),
        };
        match request {
            Ok(request) => Ok(Self {
                message_id: head.message_id,
                request,
            }),
            Err(failure) => Err(ParseError {
                message_id: head.message_id,
                failure,
            }),
        }
    }
}

fn subscribe(body: &str) -> Result<Subscribe, Failure> {
    let body = read::<SubscribeBody>(body)?;
    Ok(Subscribe {
        topic: body.topic,
        since: body.since,
        history: body.history,
        params: body.params,
        presence: body.presence,
        readers: body.readers,
    })
}

fn subscribe_batch(body: &str) -> Result<Request, Failure> {
    let topics = read::<TopicsBody>(body)?.topics;
    within_batch("topics", topics.len())?;
    Ok(Request::SubscribeBatch(
        topics.iter().map(|topic| subscribe(topic.get())).collect(),
    ))
}

fn publish(body: &str, attachments: Vec<bytes::Bytes>) -> Result<Publish, Failure> {
    let body = read::<PublishBody>(body)?;
    Ok(Publish {
        topic: body.topic,
        payload: body.payload.with_attachments(attachments),
        ack_required: body.ack_required,
        priority: body.priority,
        ttl_ms: body.ttl,
        require_delivery: body.require_delivery,
    })
}

fn publish_batch(body: &str) -> Result<Request, Failure> {
    let messages = read::<MessagesBody>(body)?.messages;
    within_batch("messages", messages.len())?;
    let entry = |message: &RawValue| match read::<Head>(message.get()) {
        Ok(head) => PublishEntry {
            message_id: head.message_id,
            publish: publish(message.get(), Vec::new()),
        },
        Err(failure) => PublishEntry {
            message_id: None,
            publish: Err(failure),
        },
    };
    Ok(Request::PublishBatch(
        messages.iter().map(|message| entry(message)).collect(),
    ))
}

fn history(body: &str) -> Result<HistoryQuery, Failure> {
    let body = read::<HistoryBody>(body)?;
    let range = match (body.before, body.after) {
        (None, None) => HistoryRange::Newest,
        (Some(seq), None) => HistoryRange::Before(seq),
        (None, Some(seq)) => HistoryRange::After(seq),
        (Some(_), Some(_)) => return Err(invalid("give `before` or `after`, not both")),
    };
    let limit = body.limit.unwrap_or(HISTORY_PAGE);
    if !(1..=HISTORY_PAGE_MAX).contains(&limit) {
        return Err(invalid(format!("`limit` must be 1 to {HISTORY_PAGE_MAX}")));
    }
    Ok(HistoryQuery {
        topic: body.topic,
        range,
        limit,
    })
}

fn within_batch(field: &str, items: usize) -> Result<(), Failure> {
    if items <= BATCH {
        return Ok(());
    }
    Err(invalid(format!(
        "`{field}` holds {items} entries; send at most {BATCH} in one request"
    )))
}

fn read<T: DeserializeOwned>(body: &str) -> Result<T, Failure> {
    if !body.trim_start().starts_with('{') {
        return Err(invalid("the request must be a JSON object"));
    }
    let mut deserializer = serde_json::Deserializer::from_str(body);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        let cause = error.into_inner();
        if path == "." {
            invalid(cause.to_string())
        } else {
            invalid(format!("`{path}`: {cause}"))
        }
    })?;
    deserializer.end().map_err(|error| invalid(error.to_string()))?;
    Ok(value)
}

fn invalid(message: impl Into<String>) -> Failure {
    Failure::new(ErrorCode::InvalidMessage, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(name: &str, body: &str) -> Result<Request, String> {
        Call::parse(name, body, Vec::new())
            .map(|call| call.request)
            .map_err(|error| error.failure.message)
    }

    #[test]
    fn the_first_protocol_versions_requests_are_read() {
        let call = Call::parse(
            "publish",
            r#"{"topic":"public:chat","payload":{"type":"text"},"messageId":"msg_1_a","timestamp":1,"ttl":0}"#,
            Vec::new(),
        )
        .unwrap();
        assert_eq!(call.message_id.unwrap().as_str(), "msg_1_a");
        let Request::Publish(publish) = call.request else {
            panic!("not a publish")
        };
        assert_eq!(publish.payload.json(), r#"{"type":"text"}"#);
        assert!(publish.ack_required);
    }

    #[test]
    fn a_refusal_names_the_field() {
        assert!(
            parse("publish", r#"{"topic":"public:x"}"#)
                .unwrap_err()
                .contains("payload")
        );
        assert!(
            parse("subscribe", r#"{"topic":5}"#)
                .unwrap_err()
                .contains("`topic`")
        );
        assert!(
            parse("subscribe", r#"{"topic":"a b"}"#)
                .unwrap_err()
                .contains("`topic`")
        );
        assert!(
            parse("history", r#"{"topic":"a","limit":0}"#)
                .unwrap_err()
                .contains("`limit`")
        );
        assert!(
            parse("history", r#"{"topic":"a","before":1,"after":2}"#)
                .unwrap_err()
                .contains("not both")
        );
        for not_an_object in ["null", "[]", "5", "", "  ", "\"x\""] {
            assert!(
                parse("publish", not_an_object)
                    .unwrap_err()
                    .contains("JSON object"),
                "{not_an_object}"
            );
        }
        assert!(parse("fly", "{}").unwrap_err().contains("fly"));
    }

    #[test]
    fn a_refused_request_still_tells_its_key() {
        let error = Call::parse("publish", r#"{"messageId":"k","topic":7}"#, Vec::new()).unwrap_err();
        assert_eq!(error.message_id.unwrap().as_str(), "k");
        let error = Call::parse(
            "publish",
            r#"{"messageId":"","topic":"a","payload":1}"#,
            Vec::new(),
        );
        assert!(error.unwrap_err().failure.message.contains("messageId"));
    }

    #[test]
    fn one_malformed_entry_of_a_batch_stands_for_itself() {
        let Ok(Request::SubscribeBatch(topics)) = parse(
            "subscribe",
            r#"{"topics":[{"topic":"a"},{"topic":""},{"topic":"b","since":{"seq":3,"epoch":"e"}}]}"#,
        ) else {
            panic!("not a batch")
        };
        assert!(topics[0].is_ok() && topics[1].is_err());
        assert_eq!(topics[2].as_ref().unwrap().since.as_ref().unwrap().seq, 3);
        let too_many = format!(r#"{{"topics":[{}]}}"#, vec!["{}"; 201].join(","));
        assert!(parse("subscribe", &too_many).unwrap_err().contains("200"));
    }
}
