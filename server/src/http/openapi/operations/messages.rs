//! Messages: publishing them, and reading what channels keep.

use bmt_shared::error::ErrorCode::{
    ChannelNotFound, IdempotencyConflict, InvalidOperation, MessageTooLarge, PermissionDenied, RateLimited,
};
use serde_json::{Value, json};
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};

use super::{Content, Operation, on};
use crate::http::api::{broadcast, channels, history, notify};
use crate::http::openapi::body::Body;
use crate::http::openapi::wire;

pub(super) fn operations() -> Vec<Operation> {
    [publishing(), channels()].concat()
}

fn publishing() -> Vec<Operation> {
    vec![
        on(
            "POST",
            "/publish",
            "messages",
            "Publish a message, or up to 200 in order",
        )
        .takes_body(
            Body::of::<wire::Publish>().or::<wire::PublishMany>(),
            vec![
                json!({
                    "topic": "public:orders",
                    "payload": {"type": "order_paid", "id": 4711},
                    "messageId": "order-4711-paid",
                    "priority": "high",
                    "ttl": 60_000,
                }),
                json!({"messages": [
                    {"topic": "public:orders", "payload": 1, "messageId": "o-1"},
                    {"topic": "user:42", "payload": {"type": "text", "content": "hello"}, "messageId": "o-2"},
                ]}),
            ],
        )
        .header(key())
        .given(
            200,
            "Kept; of several, each is answered for itself.",
            Content::Json(
                Body::of::<wire::Published>().or::<wire::PublishedMany>(),
                vec![published("order-4711-paid", "public:orders"), published_many()],
            ),
        )
        .fails(ChannelNotFound)
        .fails(PermissionDenied)
        .fails(MessageTooLarge)
        .fails(IdempotencyConflict)
        .fails(InvalidOperation)
        .fails(RateLimited),
        on(
            "POST",
            "/broadcast",
            "messages",
            "Publish one payload to up to 200 channels",
        )
        .takes::<broadcast::Broadcast>(json!({
            "topics": ["public:orders", "user:42"],
            "payload": {"type": "text", "content": "We close at noon."},
            "messageId": "closing-2026-12-24",
        }))
        .header(key())
        .gives::<wire::PublishedMany>("Each channel is answered for itself.", published_many()),
        on(
            "POST",
            "/notify",
            "messages",
            "Notify users, a channel, or everybody",
        )
        .takes::<notify::Notification>(json!({
            "level": "warning",
            "title": "Maintenance",
            "message": "The shop is down from 2 to 3 o'clock.",
            "users": ["42", "43"],
            "messageId": "maintenance-7",
        }))
        .header(key())
        .gives::<wire::PublishedMany>("Each channel is answered for itself.", published_many()),
    ]
}

fn channels() -> Vec<Operation> {
    vec![
        on(
            "GET",
            "/channels",
            "channels",
            "The channels that there are, in the order of their names",
        )
        .asks::<channels::Wanted>()
        .gives::<channels::Channels>(
            "A page of channels.",
            json!({
                "channels": [{
                    "name": "public:orders",
                    "subscribers": 12,
                    "messageCount": 1_000,
                    "createdAt": 1_790_000_000_000_u64,
                    "seq": 4_711,
                }],
                "nextCursor": "public:orders",
            }),
        ),
        on(
            "GET",
            "/channels/{topic}/history",
            "channels",
            "A page of a channel's messages",
        )
        .asks::<history::Wanted>()
        .gives::<wire::History>("Messages, ascending.", a_page())
        .fails(ChannelNotFound),
        on(
            "GET",
            "/channels/{topic}/presence",
            "channels",
            "Who is present on a channel",
        )
        .gives::<wire::Presence>(
            "The users, and how many they are.",
            json!({
                "type": "ack",
                "id": "",
                "status": "success",
                "users": [{"userId": "42", "name": "Ada", "connections": 2, "since": 1_790_000_000_000_u64}],
                "count": 1,
            }),
        )
        .fails(ChannelNotFound)
        .fails(InvalidOperation),
    ]
}

/// The header that stands for `messageId`.
fn key() -> Parameter {
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .description(Some(
            "The same as `messageId`: the same key publishes once. Of several messages, those without a `messageId` get \
             the key with `.` and their place behind it.",
        ))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String).max_length(Some(64))))
        .build()
}

fn published(id: &str, topic: &str) -> Value {
    json!({
        "type": "ack",
        "id": id,
        "status": "success",
        "messageId": "019a9d0c-8f4e-7c3b-9a51-0d3d1a2b3c4d",
        "topic": topic,
        "seq": 4_711,
        "deliveredTo": 12,
    })
}

fn published_many() -> Value {
    json!({
        "type": "ack",
        "id": "o",
        "status": "success",
        "results": [published("o-1", "public:orders"), {
            "type": "error",
            "id": "o-2",
            "status": "error",
            "code": "idempotency_conflict",
            "error": "This messageId was used for another message.",
            "message": "This messageId was used for another message.",
        }],
    })
}

fn a_page() -> Value {
    json!({
        "type": "ack",
        "id": "",
        "status": "success",
        "messages": [{
            "id": "019a9d0c-8f4e-7c3b-9a51-0d3d1a2b3c4d",
            "topic": "public:orders",
            "type": "event",
            "payload": {"type": "order_paid", "id": 4711},
            "timestamp": 1_790_000_000_000_u64,
            "from": "server",
            "seq": 4_711,
            "clientMessageId": "order-4711-paid",
        }],
        "seq": 4_711,
        "epoch": "e1f9c0",
        "hasMore": true,
    })
}
