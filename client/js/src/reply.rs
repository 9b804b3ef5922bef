//! Replies: read from what the server answers, and written for the package's promises.

use bmt_client_web::{Binding, RequestKind};
use bmt_shared::error::{ErrorCode, Failure};
use bmt_shared::id::{MessageId, ServerMessageId, UserId};
use bmt_shared::message::Message;
use bmt_shared::position::Epoch;
use bmt_shared::reply::{
    HistoryPage, NotRecovered, PresenceList, Present, Published, ReadTo, Reader, Reply, Subscribed,
};
use js_sys::Array;
use wasm_bindgen::JsValue;

use crate::face::{JsPayload, message, present, topic};
use crate::object::{Body, Fields, integer};

/// A success that tells not all of its kind is a plain one: servers of the seeds answer so.
pub(crate) fn read(binding: Binding, kind: RequestKind, body: &Body) -> Reply<JsPayload> {
    if body.text("status").as_deref() == Some("error") || !body.get("code").is_undefined() {
        return Reply::Failed(failure(body));
    }
    let reply = match kind {
        RequestKind::Subscribe => subscribed(body).map(Reply::Subscribed),
        RequestKind::Unsubscribe => topic(body).map(Reply::Unsubscribed),
        RequestKind::Publish => published(binding, body).map(Reply::Published),
        RequestKind::History => history(body).map(Reply::History),
        RequestKind::Presence => Some(Reply::Presence(presence(body))),
        RequestKind::SubscribeBatch => Some(batch(binding, RequestKind::Subscribe, body)),
        RequestKind::PublishBatch => Some(batch(binding, RequestKind::Publish, body)),
        RequestKind::Read => read_to(body).map(Reply::Read),
        RequestKind::Signal | RequestKind::Refresh => None,
    };
    reply.unwrap_or(Reply::Done)
}

/// A failure's body; the text stands under two names, and servers of the seeds leave out the code. On the raw
/// binding the code is a number, and its name stands in the details.
pub(crate) fn failure(body: &Body) -> Failure {
    let details = body.object("details");
    let details = details.as_ref().unwrap_or(body);
    let code = details.text("code").or_else(|| body.text("code"));
    let message = body.text("message").or_else(|| body.text("error"));
    Failure {
        code: code.map_or(ErrorCode::ServerError, |code| ErrorCode::parse(&code)),
        message: message.unwrap_or_default(),
        retry_after_ms: details.integer("retryAfterMs"),
    }
}

fn batch(binding: Binding, each: RequestKind, body: &Body) -> Reply<JsPayload> {
    let results = body
        .list("results")
        .into_iter()
        .map(|result| match Body::of(result) {
            Some(result) => {
                let key = match binding {
                    Binding::SocketIo => result.id().as_string(),
                    Binding::Raw => result.text("messageId"),
                };
                let key = key.and_then(|id| MessageId::parse(&id).ok());
                (key, read(binding, each, &result))
            }
            None => (None, Reply::Done),
        });
    Reply::Batch(results.collect())
}

fn messages(body: &Body) -> Vec<Message<JsPayload>> {
    let values = body.list("messages").into_iter();
    values.filter_map(|value| message(&Body::of(value)?)).collect()
}

fn present_users(values: Vec<JsValue>) -> Vec<Present> {
    let values = values.into_iter();
    values.filter_map(|value| present(&Body::of(value)?)).collect()
}

fn subscribed(body: &Body) -> Option<Subscribed<JsPayload>> {
    let presence = body.list("presence");
    Some(Subscribed {
        topic: topic(body)?,
        subscriber_count: body.integer("subscriberCount").unwrap_or(0),
        seq: integer(&body.seq())?,
        epoch: Epoch::new(&body.text("epoch")?),
        recovered: body.flag("recovered"),
        reason: body.text("reason").map(|reason| match reason.as_str() {
            "epoch_changed" => NotRecovered::EpochChanged,
            "trimmed" => NotRecovered::Trimmed,
            "position_ahead" => NotRecovered::PositionAhead,
            "limit" => NotRecovered::Limit,
            _ => NotRecovered::Unknown,
        }),
        oldest_seq: body.integer("oldestSeq"),
        messages: messages(body),
        presence: body.get("presence").is_object().then(|| present_users(presence)),
        read_seq: body.integer("readSeq").unwrap_or(0),
        unread: body.integer("unread").unwrap_or(0),
        readers: body.get("readers").is_object().then(|| readers(body)),
    })
}

fn readers(body: &Body) -> Box<[Reader]> {
    let values = body.list("readers").into_iter();
    let reader = |value| {
        let body = Body::of(value)?;
        Some(Reader {
            user_id: UserId::new(&body.text("userId")?),
            seq: integer(&body.seq())?,
        })
    };
    values.filter_map(reader).collect()
}

fn read_to(body: &Body) -> Option<ReadTo> {
    Some(ReadTo {
        topic: topic(body)?,
        seq: integer(&body.seq())?,
        unread: body.integer("unread").unwrap_or(0),
    })
}

/// The server's id of the message stands where the request's own does not.
fn published(binding: Binding, body: &Body) -> Option<Published> {
    let id = match binding {
        Binding::SocketIo => body.text("messageId"),
        Binding::Raw => body.id().as_string(),
    };
    Some(Published {
        message_id: ServerMessageId::new(&id?),
        topic: topic(body)?,
        seq: integer(&body.seq())?,
        delivered_to: body.integer("deliveredTo").unwrap_or(0),
        duplicate: body.flag("duplicate").unwrap_or(false),
    })
}

fn history(body: &Body) -> Option<HistoryPage<JsPayload>> {
    Some(HistoryPage {
        messages: messages(body),
        seq: integer(&body.seq())?,
        epoch: Epoch::new(&body.text("epoch")?),
        has_more: body.flag("hasMore").unwrap_or(false),
    })
}

fn presence(body: &Body) -> PresenceList {
    let users = present_users(body.list("users"));
    PresenceList {
        count: body.integer("count").unwrap_or(users.len() as u64),
        users,
    }
}

/// A reply as the package's types describe it.
pub(crate) fn write(reply: &Reply<JsPayload>) -> JsValue {
    match reply {
        Reply::Subscribed(subscribed) => write_subscribed(subscribed).done(),
        Reply::Published(published) => write_published(published).done(),
        Reply::History(page) => Fields::new()
            .set("messages", write_messages(&page.messages))
            .number("seq", page.seq)
            .set("epoch", page.epoch.as_str())
            .set("hasMore", page.has_more)
            .done(),
        Reply::Presence(list) => Fields::new()
            .set("users", write_users(&list.users))
            .number("count", list.count)
            .done(),
        Reply::Read(read) => Fields::new()
            .set("topic", read.topic.as_str())
            .number("seq", read.seq)
            .number("unread", read.unread)
            .done(),
        Reply::Batch(_) | Reply::Unsubscribed(_) | Reply::Done | Reply::Failed(_) => JsValue::UNDEFINED,
    }
}

pub(crate) fn write_subscribed(subscribed: &Subscribed<JsPayload>) -> Fields {
    let readers = subscribed.readers.as_deref().map(|readers| {
        let readers = readers.iter().map(|reader| {
            let fields = Fields::new().set("userId", reader.user_id.as_str());
            fields.number("seq", reader.seq).done()
        });
        readers.collect::<Array>()
    });
    Fields::new()
        .set("topic", subscribed.topic.as_str())
        .number("seq", subscribed.seq)
        .set("epoch", subscribed.epoch.as_str())
        .number("subscriberCount", subscribed.subscriber_count)
        .maybe("recovered", subscribed.recovered)
        .number("readSeq", subscribed.read_seq)
        .number("unread", subscribed.unread)
        .maybe("presence", subscribed.presence.as_deref().map(write_users))
        .maybe("readers", readers)
}

pub(crate) fn write_published(published: &Published) -> Fields {
    // Where the message's own copy came before its ack, nobody has said how many it went to.
    let delivered_to = (published.delivered_to > 0).then_some(published.delivered_to);
    Fields::new()
        .set("messageId", published.message_id.as_str())
        .set("topic", published.topic.as_str())
        .number("seq", published.seq)
        .maybe_number("deliveredTo", delivered_to)
        .set("duplicate", published.duplicate)
}

pub(crate) fn write_user(user: &Present) -> JsValue {
    Fields::new()
        .set("userId", user.user_id.as_str())
        .set("name", user.name.as_str())
        .number("connections", user.connections)
        .number("since", user.since)
        .done()
}

fn write_users(users: &[Present]) -> Array {
    users.iter().map(write_user).collect()
}

fn write_messages(messages: &[Message<JsPayload>]) -> Array {
    messages
        .iter()
        .map(|message| message.payload.whole.clone())
        .collect()
}
