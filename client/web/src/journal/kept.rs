//! One entry as it stands in storage: the first protocol version's format plus `messageId`, `clock`, `user`,
//! `server`, and `order` while it stands under a key of its own.

use bmt_client_core::{Clock, Entry};
use bmt_shared::channel::ChannelName;
use bmt_shared::codec::engineio::Packet;
use bmt_shared::id::{MessageId, UserId};
use bmt_shared::json::{Object, write_str};
use bmt_shared::message::Priority;
use bmt_shared::payload::Payload;
use bmt_shared::request::Publish;
use bytes::Bytes;
use js_sys::Array;
use wasm_bindgen::{JsCast, JsValue};

use crate::clock::unix_ms;
use crate::global::property;
use crate::storage::{integer, own, text, to_json};

/// The word for a `timestamp` by the server's clock; without it, it is by the device's.
const SERVER: &str = "server";

/// `order` tells entries of one ms apart.
pub(super) fn write(entry: &Entry, order: u64) -> String {
    let publish = &entry.publish;
    let mut json = String::with_capacity(publish.payload.json().len() + 256);
    Object::open(&mut json)
        .str("topic", publish.topic.as_str())
        .raw("payload", publish.payload.json())
        .and(|fields| write_parts(fields, publish.payload.attachments()))
        .with("options", |out| write_options(out, publish))
        .number("timestamp", entry.timestamp)
        .maybe_str("clock", (entry.clock == Clock::Server).then_some(SERVER))
        .str("messageId", entry.message_id.as_str())
        .maybe_str("user", entry.user.as_ref().map(UserId::as_str))
        .maybe_str("server", entry.server.as_deref())
        .number("order", order)
        .close();
    json
}

/// Binary parts, each as Engine.IO writes one as text: `b` and base64.
fn write_parts<'a>(fields: Object<'a>, parts: &[Bytes]) -> Object<'a> {
    if parts.is_empty() {
        return fields;
    }
    fields.list("attachments", parts, |out, part| {
        write_str(out, &Packet::Binary((&part[..]).into()).encode());
    })
}

/// `None` where one of them is none.
fn read_parts(value: &JsValue) -> Option<Vec<Bytes>> {
    let Some(parts) = property(value, "attachments") else {
        return Some(Vec::new());
    };
    let part = |part: JsValue| match Packet::decode(&part.as_string()?) {
        Ok(Packet::Binary(bytes)) => Some(Bytes::from(bytes.into_owned())),
        _ => None,
    };
    parts.dyn_into::<Array>().ok()?.iter().map(part).collect()
}

fn write_options(out: &mut String, publish: &Publish) {
    Object::open(out)
        .bool("ackRequired", publish.ack_required)
        .str("priority", priority_word(publish.priority))
        .number("ttl", publish.ttl_ms)
        .bool("requireDelivery", publish.require_delivery)
        .close();
}

/// `None` for what is no entry: no object, no well-formed topic, no payload, a malformed `messageId`.
pub(super) fn read(value: &JsValue) -> Option<Entry> {
    if !value.is_object() {
        return None;
    }
    let topic = ChannelName::parse(&text(value, "topic")?).ok()?;
    let payload = Payload::from_json(&to_json(&own(value, "payload")?)?);
    let payload = payload.with_attachments(read_parts(value)?);
    let mut publish = Publish::new(topic, payload);
    if let Some(options) = property(value, "options") {
        read_options(&options, &mut publish);
    }
    Some(Entry {
        message_id: MessageId::parse(&text(value, "messageId")?).ok()?,
        publish,
        timestamp: integer(value, "timestamp").unwrap_or_else(unix_ms),
        clock: clock(value),
        user: text(value, "user").map(|user| UserId::new(&user)),
        server: text(value, "server"),
    })
}

/// Whose clock its `timestamp` is by.
pub(super) fn clock(value: &JsValue) -> Clock {
    match text(value, "clock").as_deref() {
        Some(SERVER) => Clock::Server,
        _ => Clock::Own,
    }
}

fn read_options(options: &JsValue, publish: &mut Publish) {
    let flag = |name| property(options, name).and_then(|flag| flag.as_bool());
    publish.ack_required = flag("ackRequired").unwrap_or(true);
    publish.require_delivery = flag("requireDelivery").unwrap_or(false);
    publish.ttl_ms = integer(options, "ttl").unwrap_or(0);
    publish.priority = text(options, "priority").map_or(Priority::Normal, |word| priority(&word));
}

/// A priority's word on the wire.
pub(super) fn priority_word(priority: Priority) -> &'static str {
    match priority {
        Priority::Low => "low",
        Priority::Normal => "normal",
        Priority::High => "high",
    }
}

/// Reads a priority's word; an unknown one is normal.
pub(crate) fn priority(word: &str) -> Priority {
    match word {
        "low" => Priority::Low,
        "high" => Priority::High,
        _ => Priority::Normal,
    }
}
