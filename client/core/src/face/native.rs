//! The face of native programs and of the web app: `serde_json`.

use bmt_shared::codec::json;
use bmt_shared::error::{ErrorCode, Failure};
use bmt_shared::event::ServerEvent;
use bmt_shared::id::{MessageId, ServerMessageId};
use bmt_shared::payload::Payload;
use bmt_shared::reply::{Published, Reply};
use bytes::Bytes;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::{Face, FaceError, Parsed, RequestKind};
use crate::config::Binding;

/// Reads envelopes with `serde_json`; payloads stay JSON text ([`Payload`]).
#[derive(Clone, Copy, Debug, Default)]
pub struct Native;

impl Face for Native {
    type Payload = Payload;
    const KEEPS_ROSTERS: bool = true;

    fn parse_event(
        &self,
        name: &str,
        body: &str,
        attachments: &[Bytes],
    ) -> Result<Option<Parsed<Payload>>, FaceError> {
        let parsed: Result<Option<ServerEvent>, _> = ServerEvent::parse(name, body);
        let mut event = parsed.map_err(|error| unreadable(name, &error))?;
        if !attachments.is_empty() {
            let payload = match &mut event {
                Some(ServerEvent::Message(message)) => Some(&mut message.payload),
                Some(ServerEvent::Signal(signal)) => Some(&mut signal.payload),
                _ => None,
            };
            if let Some(payload) = payload {
                *payload = payload.clone().with_attachments(attachments.to_vec());
            }
        }
        Ok(event.map(Parsed::Event))
    }

    fn parse_reply(
        &self,
        binding: Binding,
        kind: RequestKind,
        body: &str,
        _attachments: &[Bytes],
    ) -> Result<Reply, FaceError> {
        let head: Head = serde_json::from_str(body).map_err(|error| unreadable("reply", &error))?;
        if head.is_failure() {
            return Ok(Reply::Failed(head.failure()));
        }
        Ok(match kind {
            RequestKind::Subscribe => told(body, Reply::Subscribed),
            RequestKind::History => told(body, Reply::History),
            RequestKind::Presence => told(body, Reply::Presence),
            RequestKind::Unsubscribe => told(body, |body: TopicBody| Reply::Unsubscribed(body.topic)),
            RequestKind::Publish => head.published(binding).map_or(Reply::Done, Reply::Published),
            RequestKind::SubscribeBatch => self.batch(binding, RequestKind::Subscribe, body)?,
            RequestKind::PublishBatch => self.batch(binding, RequestKind::Publish, body)?,
            RequestKind::Read => told(body, Reply::Read),
            RequestKind::Signal | RequestKind::Refresh => Reply::Done,
        })
    }

    fn parse_payload(&self, _kind: &str, json: &str) -> Result<Payload, FaceError> {
        Payload::parse(json).map_err(|error| unreadable("payload", &error))
    }

    fn is_amendment(&self, payload: &Payload) -> bool {
        let Ok(fields) = json::entries(payload.json()) else {
            return false;
        };
        let (mut amends, mut has_target) = (false, false);
        for (key, value) in fields.filter_map(Result::ok) {
            amends |= key == "\"type\"" && matches!(value, "\"edit\"" | "\"delete\"" | "\"reaction\"");
            has_target |= key == "\"target\"";
        }
        amends && has_target
    }
}

impl Native {
    fn batch(&self, binding: Binding, each: RequestKind, body: &str) -> Result<Reply, FaceError> {
        let body: BatchBody = serde_json::from_str(body).map_err(|error| unreadable("reply", &error))?;
        let read = |result: &RawValue| {
            let head: Head =
                serde_json::from_str(result.get()).map_err(|error| unreadable("reply", &error))?;
            let key = match binding {
                Binding::SocketIo => head.id,
                Binding::Raw => head.message_id,
            };
            let reply = self.parse_reply(binding, each, result.get(), &[])?;
            Ok((key.and_then(|key| MessageId::parse(&key).ok()), reply))
        };
        body.results
            .iter()
            .map(|result| read(result))
            .collect::<Result<_, _>>()
            .map(Reply::Batch)
    }
}

/// A reply of the kind that `body` tells, or a plain success where it does not tell all of it.
fn told<T: DeserializeOwned>(body: &str, reply: impl FnOnce(T) -> Reply) -> Reply {
    serde_json::from_str(body).map_or(Reply::Done, reply)
}

fn unreadable(what: &str, error: &serde_json::Error) -> FaceError {
    FaceError(format!("{what}: {error}"))
}

/// The fields that tell a success from a failure, and those of a publish, whose ids trade places between the
/// bindings: `id` is the request's on Socket.IO and the server's on raw, `messageId` the other way round.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    status: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    id: Option<String>,
    message_id: Option<String>,
    topic: Option<bmt_shared::channel::ChannelName>,
    seq: Option<u64>,
    delivered_to: Option<u64>,
    #[serde(default)]
    duplicate: bool,
    code: Option<Code>,
    message: Option<String>,
    error: Option<String>,
    retry_after_ms: Option<u64>,
    details: Option<Details>,
}

/// A code's name, or on raw its number.
#[derive(Deserialize)]
#[serde(transparent)]
struct Code(serde_json::Value);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Details {
    code: Option<String>,
    retry_after_ms: Option<u64>,
}

#[derive(Deserialize)]
struct TopicBody {
    topic: bmt_shared::channel::ChannelName,
}

#[derive(Deserialize)]
struct BatchBody {
    results: Vec<Box<RawValue>>,
}

impl Head {
    fn is_failure(&self) -> bool {
        self.status.as_deref() == Some("error")
            || self.kind.as_deref() == Some("error")
            || self.code.is_some()
    }

    fn failure(self) -> Failure {
        let details = self.details.as_ref();
        let name = details
            .and_then(|details| details.code.as_deref())
            .or_else(|| self.code.as_ref().and_then(|code| code.0.as_str()));
        Failure {
            code: name.map_or(ErrorCode::ServerError, ErrorCode::parse),
            retry_after_ms: details
                .and_then(|details| details.retry_after_ms)
                .or(self.retry_after_ms),
            message: self.message.or(self.error).unwrap_or_default(),
        }
    }

    fn published(self, binding: Binding) -> Option<Published> {
        let id = match binding {
            Binding::SocketIo => self.message_id,
            Binding::Raw => self.id,
        };
        Some(Published {
            message_id: ServerMessageId::new(&id?),
            topic: self.topic?,
            seq: self.seq?,
            delivered_to: self.delivered_to.unwrap_or(0),
            duplicate: self.duplicate,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn published() -> Reply {
        Reply::Published(Published {
            message_id: ServerMessageId::new("m1"),
            topic: bmt_shared::channel::ChannelName::parse("public:chat").unwrap(),
            seq: 3,
            delivered_to: 2,
            duplicate: true,
        })
    }

    fn failed() -> Reply {
        Reply::Failed(Failure::new(ErrorCode::RateLimited, "slow down").retry_after(40))
    }

    #[test]
    fn replies_read_back_on_both_bindings() {
        let key = || MessageId::parse("k").unwrap();
        let batch = Reply::Batch(vec![(Some(key()), published()), (Some(key()), failed())]);
        for (kind, reply) in [
            (RequestKind::Publish, published()),
            (RequestKind::Publish, failed()),
            (RequestKind::PublishBatch, batch),
            (RequestKind::Read, Reply::Done),
        ] {
            let (mut socketio, mut raw) = (String::new(), String::new());
            reply.write_socketio("k", &mut socketio);
            reply.write_raw("k", &mut raw);
            let read = |binding, body: &str| Native.parse_reply(binding, kind, body, &[]).unwrap();
            assert_eq!(read(Binding::SocketIo, &socketio), reply, "{socketio}");
            assert_eq!(read(Binding::Raw, &raw), reply, "{raw}");
        }
    }

    #[test]
    fn a_seeds_success_is_done_and_its_failure_has_a_text() {
        let read = |kind, body| Native.parse_reply(Binding::SocketIo, kind, body, &[]);
        assert_eq!(
            read(RequestKind::Publish, r#"{"status":"success"}"#),
            Ok(Reply::Done)
        );
        assert_eq!(
            read(RequestKind::Subscribe, r#"{"status":"error","error":"no"}"#),
            Ok(Reply::Failed(Failure::new(ErrorCode::ServerError, "no")))
        );
        assert!(read(RequestKind::Publish, "[").is_err());
    }
}
