//! Options of the package's classes and calls, read field by field.

use bmt_client_web::{
    Auth, Binding, HistoryQuery, HistoryRange, Options, Publish, StorageChoice, Subscribe, Transports,
};
use bmt_shared::channel::ChannelName;
use bmt_shared::id::MessageId;
use bmt_shared::limits::{HISTORY_PAGE, HISTORY_PAGE_MAX};
use bmt_shared::message::Priority;
use bmt_shared::payload::Payload;
use bmt_shared::position::{Epoch, Position};
use bmt_shared::sorted::SortedMap;
use bytes::Bytes;
use js_sys::{Array, Function, Object, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};

use crate::error;
use crate::object::{Body, integer};

/// Options of a client.
pub(crate) fn client(url: &str, given: JsValue) -> Options {
    let mut options = Options::new(url, Auth::guest());
    let Some(given) = Body::of(given) else {
        return options;
    };
    options.auth = auth(given.get("auth"));
    options.storage = match given.get("storage") {
        value if value.is_undefined() => StorageChoice::Local,
        value if value.is_null() => StorageChoice::None,
        value => StorageChoice::Given(value),
    };
    options.web_socket = given.get("webSocket").dyn_into::<Function>().ok();
    let config = &mut options.config;
    take(&mut config.shared, given.flag("shared"));
    take(&mut config.transports, transports(&given));
    if given.text("protocol").as_deref() == Some("raw") {
        config.binding = Binding::Raw;
        config.client_id = given.text("clientId");
    }
    take(
        &mut config.heartbeat_interval_ms,
        given.integer("heartbeatIntervalMs"),
    );
    take(&mut config.dedup_window, size(&given, "dedupSize"));
    take(&mut config.reconnect.base_ms, given.integer("reconnectionDelay"));
    for name in ["maxReconnectAttempts", "reconnectionAttempts"] {
        take(&mut config.reconnect.max_attempts, attempts(&given, name));
    }
    if let Some(reconnect) = given.object("reconnect") {
        let policy = &mut config.reconnect;
        take(&mut policy.enabled, reconnect.flag("enabled"));
        take(&mut policy.max_attempts, attempts(&reconnect, "maxAttempts"));
        take(&mut policy.base_ms, reconnect.integer("baseMs"));
        take(&mut policy.cap_ms, reconnect.integer("capMs"));
        take(&mut policy.factor, reconnect.float("factor"));
        take(&mut policy.jitter, reconnect.float("jitter"));
    }
    if let Some(queue) = given.object("queue") {
        take(&mut config.queue.max_entries, size(&queue, "size"));
        take(&mut config.queue.expiry_ms, queue.integer("expiryMs"));
    }
    options
}

/// `["websocket"]`, `["polling"]`, or both in any order, which is the default.
fn transports(given: &Body) -> Option<Transports> {
    let names = given.get("transports").dyn_into::<Array>().ok()?;
    let has = |name: &str| names.includes(&JsValue::from_str(name), 0);
    match (has("websocket"), has("polling")) {
        (true, false) => Some(Transports::WebSocket),
        (false, true) => Some(Transports::Polling),
        _ => Some(Transports::Any),
    }
}

fn take<T>(option: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *option = given;
    }
}

fn size(body: &Body, name: &'static str) -> Option<usize> {
    body.integer(name).and_then(|size| usize::try_from(size).ok())
}

/// −1 and `Infinity` are "no end".
fn attempts(body: &Body, name: &'static str) -> Option<Option<u32>> {
    body.float(name)?;
    Some(body.integer(name).and_then(|most| u32::try_from(most).ok()))
}

/// A token, a function that is asked for one, or nothing.
pub(crate) fn auth(value: JsValue) -> Auth {
    match value.dyn_into::<Function>() {
        Ok(ask) => Auth::function(ask),
        Err(value) => value
            .as_string()
            .map_or_else(Auth::guest, |token| Auth::token(&token)),
    }
}

/// A channel's name, or the error that says why it is none.
pub(crate) fn topic(name: &str) -> Result<ChannelName, JsValue> {
    ChannelName::parse(name).map_err(|why| error::invalid(&why.to_string(), Some(name)))
}

/// A payload, written by the host's own `JSON`.
fn json(value: &JsValue, topic: &str) -> Result<Payload, JsValue> {
    let json = js_sys::JSON::stringify(value)
        .ok()
        .and_then(|json| json.as_string());
    let refused = "a payload is what JSON can say: no `undefined`, no function, no circle, no BigInt";
    json.map(|json| Payload::from_json(&json))
        .ok_or_else(|| error::invalid(refused, Some(topic)))
}

/// A payload and the binary parts beside it, which stand in the options as `parts` where there are any: each a
/// `Uint8Array`.
pub(crate) fn payload(value: &JsValue, given: &JsValue, topic: &str) -> Result<Payload, JsValue> {
    let payload = json(value, topic)?;
    let parts = Body::of(given.clone()).and_then(|given| given.parts().dyn_into::<Array>().ok());
    let Some(parts) = parts else {
        return Ok(payload);
    };
    let parts = parts.iter();
    let parts = parts.map(|part| Bytes::from(part.unchecked_into::<Uint8Array>().to_vec()));
    Ok(payload.with_attachments(parts.collect()))
}

/// A message and the key of its publish.
pub(crate) fn publish(
    name: &str,
    value: &JsValue,
    given: JsValue,
) -> Result<(Publish, Option<MessageId>), JsValue> {
    let mut publish = Publish::new(topic(name)?, payload(value, &given, name)?);
    let Some(given) = Body::of(given) else {
        return Ok((publish, None));
    };
    take(&mut publish.ttl_ms, integer(&given.ttl()));
    take(&mut publish.require_delivery, given.require_delivery().as_bool());
    publish.priority = match given.priority().as_string().as_deref() {
        Some("low") => Priority::Low,
        Some("high") => Priority::High,
        _ => Priority::Normal,
    };
    let message_id = given.message_id().as_string();
    let message_id = message_id.map(|id| MessageId::parse(&id)).transpose();
    let message_id = message_id.map_err(|why| error::invalid(&why.to_string(), Some(name)))?;
    Ok((publish, message_id))
}

/// A subscription.
pub(crate) fn subscribe(name: &str, given: JsValue) -> Result<Subscribe, JsValue> {
    let mut subscribe = Subscribe::to(topic(name)?);
    let Some(given) = Body::of(given) else {
        return Ok(subscribe);
    };
    if let Some(since) = given.object("since") {
        let position = since.integer("seq").zip(since.text("epoch"));
        let (seq, epoch) = position
            .ok_or_else(|| error::invalid("`since` is `{seq, epoch}`: a number and a string", Some(name)))?;
        subscribe.since = Some(Position {
            seq,
            epoch: Epoch::new(&epoch),
        });
    }
    subscribe.history = size(&given, "history");
    take(&mut subscribe.presence, given.flag("presence"));
    take(&mut subscribe.readers, given.flag("readers"));
    if let Some(params) = given.object("params") {
        subscribe.params = fields(&params, name)?;
    }
    Ok(subscribe)
}

fn fields(params: &Body, topic: &str) -> Result<SortedMap<String, Payload>, JsValue> {
    let mut fields = SortedMap::new();
    for key in Object::keys(params.unchecked_ref::<Object>()) {
        let name = key.as_string().unwrap_or_default();
        let value = json(&params.at(&key), topic)?;
        fields.insert(name, value);
    }
    Ok(fields)
}

/// A page of history.
pub(crate) fn history(name: &str, given: JsValue) -> Result<HistoryQuery, JsValue> {
    let mut query = HistoryQuery {
        topic: topic(name)?,
        range: HistoryRange::Newest,
        limit: HISTORY_PAGE,
    };
    if let Some(given) = Body::of(given) {
        query.range = match (given.integer("before"), given.integer("after")) {
            (Some(_), Some(_)) => {
                return Err(error::invalid(
                    "`before` and `after` exclude each other",
                    Some(name),
                ));
            }
            (Some(seq), None) => HistoryRange::Before(seq),
            (None, Some(seq)) => HistoryRange::After(seq),
            (None, None) => HistoryRange::Newest,
        };
        take(&mut query.limit, size(&given, "limit"));
        query.limit = query.limit.clamp(1, HISTORY_PAGE_MAX);
    }
    Ok(query)
}
