//! What the server says over raw, as frames ready for the socket: header and envelope, encoded once for all.

use bmt_shared::codec::json::{entries, unquote};
use bmt_shared::error::{AuthReason, ErrorCode};
use bmt_shared::event::{Connected, ServerEvent};
use bmt_shared::id::MessageId;
use bmt_shared::json::Object;
use bmt_shared::message::Message;
use bmt_shared::reply::Reply;
use bytes::Bytes;

use super::super::frame::push_text;
use crate::clock;

/// What `details.status` says of a token that is refused (SPEC §7).
const STATUS_UNAUTHENTICATED: u64 = 40_100;

/// The frame of an event that goes to many.
pub(super) fn event(event: &ServerEvent) -> Bytes {
    let mut text = String::new();
    match event {
        ServerEvent::Message(message) => write_message(message, &mut text),
        ServerEvent::HeartbeatAck(ack) => write_timed(&mut text, "heartbeat", ack.timestamp),
        ServerEvent::Error(failure) => write(&mut text, "error", |out| failure.write_raw(None, out)),
        other => write(&mut text, other.name(), |out| other.write_json(out)),
    }
    let mut frame = Vec::new();
    push_text(&mut frame, &text);
    frame.into()
}

/// The envelope of the first event of a connection. `client_id` is the client's own name for itself.
pub(super) fn connect(connected: &Connected, client_id: Option<&str>) -> String {
    let mut text = String::new();
    let user = serde_json::to_string(&connected.user).expect("users are written as JSON");
    write(&mut text, "connect", |out| {
        let mut data = Object::open(out)
            .maybe_str("clientId", client_id)
            .str("connectionId", connected.connection_id.as_str())
            .number("serverTime", connected.server_time.unwrap_or(connected.timestamp))
            .raw("user", &user)
            .maybe_number("heartbeatInterval", connected.heartbeat_interval);
        if let Some(limits) = &connected.limits {
            let limits = serde_json::to_string(limits).expect("limits are written as JSON");
            data = data.raw("limits", &limits);
        }
        data.close();
    });
    text
}

/// The envelope of an answer.
pub(super) fn reply(id: &MessageId, reply: &Reply) -> String {
    let kind = if reply.is_success() { "ack" } else { "error" };
    let mut text = String::new();
    Object::open(&mut text)
        .str("type", kind)
        .with("data", |out| reply.write_raw(id.as_str(), out))
        .number("timestamp", clock::unix_ms())
        .str("messageId", id.as_str())
        .close();
    text
}

/// The answer to a `ping`: the same timestamp.
pub(super) fn pong(timestamp: Option<u64>) -> String {
    let mut text = String::new();
    write_timed(&mut text, "pong", timestamp.unwrap_or_else(clock::unix_ms));
    text
}

/// The refusal of a token (SPEC §7).
pub(super) fn unauthenticated(reason: AuthReason) -> String {
    let mut text = String::new();
    write(&mut text, "error", |out| {
        Object::open(out)
            .number("code", u64::from(ErrorCode::AuthenticationFailed.number()))
            .str("message", &reason.to_string())
            .with("details", |out| {
                Object::open(out)
                    .str("code", ErrorCode::AuthenticationFailed.as_str())
                    .number("status", STATUS_UNAUTHENTICATED)
                    .str("reason", reason.as_str())
                    .close();
            })
            .close();
    });
    text
}

fn write(out: &mut String, kind: &str, data: impl FnOnce(&mut String)) {
    Object::open(out)
        .str("type", kind)
        .with("data", data)
        .number("timestamp", clock::unix_ms())
        .close();
}

fn write_timed(out: &mut String, kind: &str, timestamp: u64) {
    Object::open(out)
        .str("type", kind)
        .with("data", |out| {
            Object::open(out).number("timestamp", timestamp).close();
        })
        .number("timestamp", timestamp)
        .close();
}

fn write_message(message: &Message, out: &mut String) {
    let (kind, data) = kind_and_content(message.payload.json());
    out.reserve(data.len() + 256);
    let mut object = Object::open(out)
        .str("type", kind)
        .raw("data", data)
        .number("timestamp", message.timestamp)
        .str("messageId", message.id.as_str())
        .number("sequence", message.seq)
        .str("topic", message.topic.as_str())
        .str("from", message.from.as_str())
        .maybe_str(
            "clientMessageId",
            message.client_message_id.as_ref().map(MessageId::as_str),
        )
        .maybe_number("prev", message.prev);
    if message.require_delivery {
        object = object.bool("requireDelivery", true);
    }
    object.close();
}

/// What kind of frame a payload makes, and what stands in it as `data`: its `content`, or the whole payload.
fn kind_and_content(payload: &str) -> (&'static str, &str) {
    let (mut kind, mut content) = ("data", payload);
    let (mut amends, mut has_target) = (false, false);
    let Ok(members) = entries(payload) else {
        return (kind, content);
    };
    for (key, value) in members.flatten() {
        match key {
            "\"type\"" => {
                kind = match unquote(value).as_deref() {
                    Ok("notification") => "notification",
                    Ok("status" | "status_change") => "status",
                    _ => "data",
                };
                amends = matches!(value, r#""edit""# | r#""delete""# | r#""reaction""#);
            }
            "\"target\"" => has_target = true,
            "\"content\"" => content = value,
            _ => {}
        }
    }
    // What an edit changes is not a message's content: alone it would look like a new message.
    if amends && has_target {
        content = payload;
    }
    (kind, content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_make_frames_by_their_type() {
        for (payload, kind, data) in [
            (
                r#"{"type":"notification","content":{"title":"x"}}"#,
                "notification",
                r#"{"title":"x"}"#,
            ),
            (r#"{"content":1,"type":"status_change"}"#, "status", "1"),
            (
                r#"{"type":"status","id":"7"}"#,
                "status",
                r#"{"type":"status","id":"7"}"#,
            ),
            (r#"{"type":"text","content":"x"}"#, "data", "\"x\""),
            (
                r#"{"type":"edit","target":"m","content":"x"}"#,
                "data",
                r#"{"type":"edit","target":"m","content":"x"}"#,
            ),
            ("[1,2]", "data", "[1,2]"),
            ("null", "data", "null"),
        ] {
            assert_eq!(kind_and_content(payload), (kind, data), "{payload}");
        }
    }
}
