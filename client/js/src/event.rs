//! Events: their names and bodies as the package's types describe them.

use bmt_client_web::{
    Acked, ConnectionState, Disconnected, Entry, Event, GapNotice, Reconnecting, StateChange, Stats, Status,
};
use bmt_shared::error::Failure;
use bmt_shared::event::{Closing, Connected, Unsubscribed};
use bmt_shared::id::MessageId;
use bmt_shared::identity::User;
use bmt_shared::message::Message;
use js_sys::Array;
use wasm_bindgen::JsValue;

use crate::face::JsPayload;
use crate::object::Fields;
use crate::{error, reply};

/// Name and body; `None` for what only Rust applications are told.
pub(crate) fn write(event: &Event<JsPayload>) -> Option<(&'static str, JsValue)> {
    let (name, body) = match event {
        Event::Message(received) => return Some(("message", message(&received.message))),
        Event::Signal(signal) => return Some(("signal", signal.payload.whole.clone())),
        Event::Whole { name, body } => return Some((*name, body.whole.clone())),
        // The face leaves those whole.
        Event::Presence(_) | Event::Receipt(_) | Event::Delivery(_) | Event::Notification(_) => return None,
        Event::Reply { .. } => return None,
        Event::Error(body) => return Some(("error", error::write(body, None))),
        Event::SubscribeFailed { topic, failure } => {
            return Some(("error", error::refusal(failure, Some(topic.as_str()))));
        }
        Event::Connected(body) => ("connected", connected(body)),
        Event::StateChange(change) => ("stateChange", state_change(change)),
        Event::Disconnected(body) => ("disconnected", disconnected(body)),
        Event::Reconnecting(body) => ("reconnecting", reconnecting(body)),
        Event::Reconnected { attempts } => ("reconnected", number("attempts", u64::from(*attempts))),
        Event::ReconnectFailed { attempts } => ("reconnectFailed", number("attempts", u64::from(*attempts))),
        Event::TokenExpired => ("tokenExpired", Fields::new()),
        Event::TokenExpiring(body) => ("tokenExpiring", number("expiresAt", body.expires_at)),
        Event::Subscribed(body) => ("subscribed", reply::write_subscribed(body)),
        Event::Gap(gap) => ("gap", gap_notice(gap)),
        Event::Unsubscribed(body) => ("unsubscribed", unsubscribed(body)),
        Event::Closing(body) => ("closing", closing(body)),
        Event::Ack(acked) => ("ack", ack(acked)),
        Event::QueueOverflow(entry) => ("queueOverflow", loss(entry)),
        Event::QueueExpired(entry) => ("queueExpired", loss(entry)),
        Event::QueueRejected { entry, failure } => ("queueRejected", rejected(entry, failure)),
        Event::QueueSize(size) => ("queueSize", number("size", *size as u64)),
        Event::Latency(ms) => ("latency", number("ms", *ms)),
    };
    Some((name, body.done()))
}

fn number(name: &'static str, value: u64) -> Fields {
    Fields::new().number(name, value)
}

fn disconnected(body: &Disconnected) -> Fields {
    Fields::new()
        .number("code", u64::from(body.code))
        .set("reason", body.reason.as_str())
        .set("willReconnect", body.will_reconnect)
}

fn reconnecting(body: &Reconnecting) -> Fields {
    Fields::new()
        .number("attempt", u64::from(body.attempt))
        .maybe_number("delayMs", body.delay_ms)
}

fn unsubscribed(body: &Unsubscribed) -> Fields {
    Fields::new()
        .set("topic", body.topic.as_str())
        .set("code", body.code.as_str())
        .set("message", body.message.as_str())
}

fn closing(body: &Closing) -> Fields {
    Fields::new()
        .number("code", u64::from(body.code))
        .set("reason", body.reason.as_str())
        .maybe_number("retryAfterMs", body.retry_after_ms)
}

fn rejected(entry: &Entry, failure: &Failure) -> Fields {
    let error = error::refusal(failure, Some(entry.publish.topic.as_str()));
    loss(entry).set("error", error)
}

/// The object that came is the object that goes, where the message was one.
fn message(message: &Message<JsPayload>) -> JsValue {
    let payload = &message.payload;
    if payload.frame.is_empty() {
        return payload.whole.clone();
    }
    let client_message_id = message.client_message_id.as_ref();
    Fields::new()
        .set("id", message.id.as_str())
        .set("topic", message.topic.as_str())
        .set("type", "event")
        .set("payload", payload.whole.clone())
        .number("timestamp", message.timestamp)
        .set("from", message.from.as_str())
        .number("seq", message.seq)
        .maybe("clientMessageId", client_message_id.map(MessageId::as_str))
        .set("frame", payload.frame)
        .done()
}

fn connected(body: &Connected) -> Fields {
    Fields::new()
        .set("connectionId", body.connection_id.as_str())
        .number("timestamp", body.timestamp)
        .set("user", user(&body.user))
}

fn user(user: &User) -> JsValue {
    let permissions: Array = user
        .permissions
        .iter()
        .map(|name| JsValue::from_str(name))
        .collect();
    Fields::new()
        .set("userId", user.user_id.as_str())
        .set("name", user.name.as_str())
        .set("role", user.role.as_str())
        .set("permissions", permissions)
        .done()
}

fn state_change(change: &StateChange) -> Fields {
    Fields::new()
        .set("from", change.from.as_str())
        .set("to", change.to.as_str())
        .number("at", change.at)
        .maybe("reason", change.reason.as_deref())
}

fn gap_notice(gap: &GapNotice) -> Fields {
    Fields::new()
        .set("topic", gap.topic.as_str())
        .set("reason", gap.reason.as_str())
        .number("seq", gap.since.seq)
        .set("epoch", gap.since.epoch.as_str())
        .maybe_number("oldestSeq", gap.oldest_seq)
}

fn ack(acked: &Acked) -> Fields {
    let published = match &acked.published {
        Some(published) => reply::write_published(published),
        // Servers of the seeds do not say where it stands.
        None => Fields::new()
            .set("messageId", acked.message_id.as_str())
            .set("topic", acked.topic.as_str())
            .set("duplicate", false),
    };
    published.set("clientMessageId", acked.message_id.as_str())
}

fn loss(entry: &Entry) -> Fields {
    Fields::new()
        .set("messageId", entry.message_id.as_str())
        .set("topic", entry.publish.topic.as_str())
}

/// The link's state as `getState()` returns it.
pub(crate) fn state(state: &ConnectionState) -> JsValue {
    Fields::new()
        .set("status", state.status.as_str())
        .maybe_number("lastConnected", state.last_connected)
        .maybe_number("lastDisconnected", state.last_disconnected)
        .number("reconnectAttempts", u64::from(state.reconnect_attempts))
        .maybe_number("nextRetryAt", state.next_retry_at)
        .maybe("error", state.error.as_deref())
        .done()
}

/// The counts as `getStats()` returns them.
pub(crate) fn stats(status: Status, stats: &Stats) -> JsValue {
    Fields::new()
        .set("status", status.as_str())
        .number("subscriptions", stats.subscriptions as u64)
        .number("queueSize", stats.queue_size as u64)
        .number("reconnectCount", stats.reconnects)
        .number("messagesReceived", stats.messages_received)
        .number("messagesPublished", stats.messages_published)
        .number("duplicatesDropped", stats.duplicates_dropped)
        .number("recoveries", stats.recoveries)
        .number("gaps", stats.gaps)
        .number("framesReceived", stats.frames_received)
        .number("framesSent", stats.frames_sent)
        .number("bytesReceived", stats.bytes_received)
        .number("bytesSent", stats.bytes_sent)
        .maybe_number("latencyMs", stats.latency_last_ms)
        .maybe_number("latencyP50Ms", stats.latency_p50_ms)
        .maybe_number("latencyP95Ms", stats.latency_p95_ms)
        .maybe_number("latencyP99Ms", stats.latency_p99_ms)
        .done()
}
