//! Shapes of what `bmt_shared` reads and writes, which knows nothing of OpenAPI (SPEC §4).
//!
//! Nothing is made of these types. A test sends their examples to a real server, and holds its real answers against
//! them, with no field more and none less.

#![expect(dead_code, reason = "only their shape is asked for")]

use std::collections::BTreeMap;

use serde_json::Value;
use utoipa::ToSchema;

/// One message to publish.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct Publish {
    /// The channel.
    topic: String,
    /// Any JSON, 64 KiB at most by default.
    payload: Value,
    /// 1–64 printable ASCII characters: the same one publishes once within the idempotency window. The header
    /// `Idempotency-Key` says the same.
    message_id: Option<String>,
    /// The caller's clock, ms since the Unix epoch; passed over.
    timestamp: Option<u64>,
    /// Whether a success is answered to a connection; here it always is.
    ack_required: Option<bool>,
    /// `normal` where nothing is said.
    priority: Option<Priority>,
    /// Not delivered after so long, ms; 0 is without end.
    ttl: Option<u64>,
    /// Whether receivers confirm the message.
    require_delivery: Option<bool>,
}

/// Messages to publish in this order, at most 200, each with a key of its own.
#[derive(ToSchema)]
pub(in crate::http) struct PublishMany {
    messages: Vec<Publish>,
}

/// What slow connections get first, and what is dropped first.
#[derive(ToSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::http) enum Priority {
    Low,
    Normal,
    High,
}

/// The `type` of a success.
#[derive(ToSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::http) enum Ack {
    Ack,
}

/// The `status` of a success.
#[derive(ToSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::http) enum Success {
    Success,
}

/// The `type` and the `status` of a failure.
#[derive(ToSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::http) enum Error {
    Error,
}

/// A message is kept.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct Published {
    r#type: Ack,
    /// The caller's `messageId`, or the one that was made.
    id: String,
    status: Success,
    /// The server's id of the message.
    message_id: String,
    topic: String,
    /// The message's number in the channel.
    seq: u64,
    /// Connections it was handed to.
    delivered_to: u64,
    /// Whether it had been published before and this is the first result again.
    #[schema(required = false)]
    duplicate: bool,
}

/// What became of each message or channel, in the order of the request.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct PublishedMany {
    r#type: Ack,
    id: String,
    status: Success,
    results: Vec<PublishResult>,
}

/// What became of one.
#[derive(ToSchema)]
#[serde(untagged)]
pub(in crate::http) enum PublishResult {
    Published(Published),
    Refused(Failure),
}

/// A refused request (SPEC §4).
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct Failure {
    r#type: Error,
    /// The request's id, or the message's.
    id: String,
    status: Error,
    /// For programs; ERROR_CODES.md lists them.
    code: String,
    /// What happened, why, and what to do.
    error: String,
    /// The same text.
    message: String,
    /// When to come again, ms.
    retry_after_ms: Option<u64>,
}

/// A message as its channel keeps it.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct Message {
    /// The server's id.
    id: String,
    topic: String,
    r#type: MessageType,
    payload: Value,
    /// When the server took it, ms since the Unix epoch.
    timestamp: u64,
    /// The user who published it.
    from: String,
    /// Its number in the channel.
    seq: u64,
    /// The publisher's `messageId`.
    client_message_id: Option<String>,
    /// When it was edited or deleted last, ms since the Unix epoch.
    edited: Option<u64>,
    /// Whether it was deleted: its payload is empty.
    #[schema(required = false)]
    deleted: bool,
    /// Who reacted with what: users by emoji.
    #[schema(required = false)]
    reactions: BTreeMap<String, Vec<String>>,
    /// Whether receivers confirm it.
    #[schema(required = false)]
    require_delivery: bool,
}

/// The `type` of a message.
#[derive(ToSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::http) enum MessageType {
    Event,
}

/// A page of messages, ascending.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct History {
    r#type: Ack,
    id: String,
    status: Success,
    messages: Vec<Message>,
    /// The newest number of the channel, not of the page.
    seq: u64,
    /// Changes if the channel's numbering ever begins again.
    epoch: String,
    /// Whether more lie in the direction that was asked for.
    has_more: bool,
}

/// Who is present on a channel.
#[derive(ToSchema)]
pub(in crate::http) struct Presence {
    r#type: Ack,
    id: String,
    status: Success,
    users: Vec<Present>,
    /// Users, not connections.
    count: u64,
}

/// A user who is present.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct Present {
    user_id: String,
    name: String,
    /// How many of the user's connections are subscribed.
    connections: u64,
    /// Since when, ms since the Unix epoch.
    since: u64,
}

/// Who a token speaks for.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct User {
    user_id: String,
    name: String,
    role: Role,
    /// Such as `private_channel_access` or `channel:private:team:*`.
    permissions: Vec<String>,
}

/// What a user may do in general.
#[derive(ToSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::http) enum Role {
    Admin,
    User,
    Guest,
}
