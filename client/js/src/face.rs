//! How this face reads what the server sends: by the host's `JSON`, looking only at the envelope.

use std::cell::RefCell;

use bmt_client_web::{Binding, Face, FaceError, Parsed, RequestKind};
use bmt_shared::channel::ChannelName;
use bmt_shared::error::ErrorCode;
use bmt_shared::event::{Closing, Connected, Gap, HeartbeatAck, ServerEvent, TokenExpiring, Unsubscribed};
use bmt_shared::id::{ConnectionId, MessageId, ServerMessageId, UserId};
use bmt_shared::identity::{Role, User};
use bmt_shared::limits::Limits;
use bmt_shared::message::{Message, MessageKind, Reactions, Signal};
use bmt_shared::position::Epoch;
use bmt_shared::reply::{Present, Reply};
use bytes::Bytes;
use js_sys::JsString;
use wasm_bindgen::JsValue;

use crate::object::{Body, integer, message_body, whole};
use crate::{attachments, reply};

/// A message's content, with what it came in.
///
/// The event handed to the application is the very object that `JSON.parse` made, so nothing is copied.
#[derive(Clone)]
pub(crate) struct JsPayload {
    /// The message or signal as it came, or a payload alone.
    pub(crate) whole: JsValue,
    /// Of a payload alone, the type of its frame: on the raw binding the message around it is the frame's. Empty for
    /// all others.
    pub(crate) frame: &'static str,
}

/// The types of the raw binding's frames that are messages.
const FRAMES: [&str; 3] = ["data", "status", "notification"];

/// The face of JavaScript values.
pub(crate) struct JsFace;

impl Face for JsFace {
    type Payload = JsPayload;
    // The package does, in TypeScript, of the events as they came.
    const KEEPS_ROSTERS: bool = false;

    fn parse_event(
        &self,
        name: &str,
        body: &str,
        attachments: &[Bytes],
    ) -> Result<Option<Parsed<JsPayload>>, FaceError> {
        let unreadable = || FaceError(format!("the server's event `{name}` is not what its name says"));
        let body = Body::parse(body).ok_or_else(unreadable)?;
        attachments::put(&body, attachments);
        match event(name, &body) {
            Some(Some(event)) => Ok(Some(event)),
            Some(None) => Err(unreadable()),
            None => Ok(None),
        }
    }

    fn parse_reply(
        &self,
        binding: Binding,
        kind: RequestKind,
        body: &str,
        attachments: &[Bytes],
    ) -> Result<Reply<JsPayload>, FaceError> {
        let body =
            Body::parse(body).ok_or_else(|| FaceError("the server's reply is no object".to_owned()))?;
        attachments::put(&body, attachments);
        Ok(reply::read(binding, kind, &body))
    }

    fn parse_payload(&self, kind: &str, json: &str) -> Result<JsPayload, FaceError> {
        let whole = js_sys::JSON::parse(json);
        let whole = whole.map_err(|_| FaceError("the server's payload is no JSON".to_owned()))?;
        Ok(JsPayload {
            whole,
            frame: FRAMES.into_iter().find(|known| *known == kind).unwrap_or("data"),
        })
    }

    fn is_amendment(&self, _payload: &JsPayload) -> bool {
        false
    }
}

/// The message that a frame is, alone.
pub(crate) fn read_message(frame: &JsString) -> Option<Message<JsPayload>> {
    message(&message_body(frame)?)
}

/// `None` for a name this version does not know, `Some(None)` for a body that is not what the name promises.
fn event(name: &str, body: &Body) -> Option<Option<Parsed<JsPayload>>> {
    let whole = |name| Some(Some(Parsed::Whole(name, payload(body))));
    let event = match name {
        "message" => message(body).map(ServerEvent::Message),
        "connected" => connected(body).map(ServerEvent::Connected),
        "signal" => signal(body).map(ServerEvent::Signal),
        "presence" => return whole("presence"),
        "receipt" => return whole("receipt"),
        "delivery" => return whole("delivery"),
        "notification" => return whole("notification"),
        "heartbeat_ack" => {
            integer(&body.timestamp()).map(|timestamp| ServerEvent::HeartbeatAck(HeartbeatAck { timestamp }))
        }
        "token_expiring" => body
            .integer("expiresAt")
            .map(|expires_at| ServerEvent::TokenExpiring(TokenExpiring { expires_at })),
        "gap" => gap(body).map(ServerEvent::Gap),
        "unsubscribed" => unsubscribed(body).map(ServerEvent::Unsubscribed),
        "closing" => closing(body).map(ServerEvent::Closing),
        "error" => Some(ServerEvent::Error(reply::failure(body))),
        _ => return None,
    };
    Some(event.map(Parsed::Event))
}

fn payload(body: &Body) -> JsPayload {
    JsPayload {
        whole: body.clone().into(),
        frame: "",
    }
}

pub(crate) fn topic(body: &Body) -> Option<ChannelName> {
    channel_name(&body.topic())
}

fn channel_name(value: &JsValue) -> Option<ChannelName> {
    ChannelName::parse(&value.as_string()?).ok()
}

thread_local! {
    static TOPIC: RefCell<Last<ChannelName>> = const { RefCell::new(Last(None)) };
    static FROM: RefCell<Last<UserId>> = const { RefCell::new(Last(None)) };
}

/// What the message before said in some place, which most messages say again: to compare two of the host's texts costs
/// less than to bring one in.
struct Last<T>(Option<(JsValue, T)>);

impl<T: Clone> Last<T> {
    fn read(&mut self, value: JsValue, read: impl FnOnce(&JsValue) -> Option<T>) -> Option<T> {
        if let Some((last, known)) = &self.0
            && *last == value
        {
            return Some(known.clone());
        }
        let known = read(&value)?;
        self.0 = Some((value, known.clone()));
        Some(known)
    }
}

fn user_id(value: &JsValue) -> Option<UserId> {
    value.as_string().map(|id| UserId::new(&id))
}

/// A message; `None` where a field is missing that every message has.
pub(crate) fn message(body: &Body) -> Option<Message<JsPayload>> {
    let client_message_id = body.client_message_id().as_string();
    Some(Message {
        id: ServerMessageId::new(&body.id().as_string()?),
        topic: TOPIC.with_borrow_mut(|last| last.read(body.topic(), channel_name))?,
        kind: MessageKind::Event,
        timestamp: whole(body.timestamp_number())?,
        from: FROM.with_borrow_mut(|last| last.read(body.from(), user_id))?,
        seq: whole(body.seq_number())?,
        client_message_id: client_message_id.and_then(|id| MessageId::parse(&id).ok()),
        prev: whole(body.prev_number()),
        edited: None,
        deleted: false,
        reactions: Reactions::default(),
        require_delivery: body.require_delivery().is_truthy(),
        payload: payload(body),
    })
}

fn signal(body: &Body) -> Option<Signal<JsPayload>> {
    Some(Signal {
        topic: topic(body)?,
        from: user_id(&body.from())?,
        timestamp: integer(&body.timestamp())?,
        payload: payload(body),
    })
}

fn connected(body: &Body) -> Option<Connected> {
    Some(Connected {
        connection_id: ConnectionId::new(&body.text("connectionId")?),
        timestamp: integer(&body.timestamp())?,
        user: user(&body.object("user")?)?,
        server_time: body.integer("serverTime"),
        heartbeat_interval: body.integer("heartbeatInterval"),
        limits: body.object("limits").map(|limits| read_limits(&limits)),
    })
}

fn user(body: &Body) -> Option<User> {
    let user_id = user_id(&body.get("userId"))?;
    let role = body.text("role").and_then(|role| Role::parse(&role));
    let permissions = body.list("permissions");
    Some(User {
        name: body.text("name").unwrap_or_else(|| user_id.to_string()),
        user_id,
        role: role.unwrap_or_default(),
        permissions: permissions.iter().filter_map(JsValue::as_string).collect(),
    })
}

fn read_limits(body: &Body) -> Limits {
    let mut limits = Limits::default();
    let read = |name, limit: &mut u64| {
        if let Some(told) = body.integer(name) {
            *limit = told;
        }
    };
    read("messageBytes", &mut limits.message_bytes);
    read("frameBytes", &mut limits.frame_bytes);
    read("idempotencyWindowMs", &mut limits.idempotency_window_ms);
    read("batch", &mut limits.batch);
    read("subscriptions", &mut limits.subscriptions);
    read("publishPerSecond", &mut limits.publish_per_second);
    read("publishBurst", &mut limits.publish_burst);
    read("signalPerSecond", &mut limits.signal_per_second);
    limits
}

pub(crate) fn present(body: &Body) -> Option<Present> {
    Some(Present {
        user_id: user_id(&body.get("userId"))?,
        name: body.text("name").unwrap_or_default(),
        connections: body.integer("connections").unwrap_or(1),
        since: body.integer("since").unwrap_or(0),
    })
}

fn gap(body: &Body) -> Option<Gap> {
    Some(Gap {
        topic: topic(body)?,
        reason: body.text("reason")?,
        seq: integer(&body.seq())?,
        epoch: Epoch::new(&body.text("epoch")?),
        oldest_seq: body.integer("oldestSeq"),
    })
}

fn unsubscribed(body: &Body) -> Option<Unsubscribed> {
    Some(Unsubscribed {
        topic: topic(body)?,
        code: ErrorCode::parse(&body.text("code")?),
        message: body.text("message").unwrap_or_default(),
    })
}

fn closing(body: &Body) -> Option<Closing> {
    Some(Closing {
        code: u16::try_from(body.integer("code")?).ok()?,
        reason: body.text("reason").unwrap_or_default(),
        retry_after_ms: body.integer("retryAfterMs"),
    })
}
