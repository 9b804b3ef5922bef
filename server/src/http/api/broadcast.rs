//! `POST /api/v1/broadcast`: one payload to many channels (SPEC §8).

use axum::extract::State;
use axum::response::Response;
use bmt_shared::channel::ChannelName;
use bmt_shared::error::{ErrorCode, Failure};
use bmt_shared::id::MessageId;
use bmt_shared::limits::BATCH;
use bmt_shared::message::Priority;
use bmt_shared::payload::Payload;
use bmt_shared::reply::Reply;
use bmt_shared::request::Publish;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::http::access::{Audited, Operator};
use crate::http::body::Json;
use crate::http::control::Control;
use crate::http::idempotency::IdempotencyKey;
use crate::http::openapi::wire;
use crate::http::{Refusal, reply};

/// One payload for many channels.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::http) struct Broadcast {
    /// The channels, 1–200.
    topics: Vec<String>,
    /// Any JSON, 64 KiB at most by default.
    #[schema(value_type = serde_json::Value)]
    payload: Payload,
    /// The same one publishes once on each channel.
    #[schema(value_type = Option<String>)]
    message_id: Option<MessageId>,
    /// `normal` where nothing is said.
    #[serde(default)]
    #[schema(value_type = wire::Priority)]
    priority: Priority,
    /// Not delivered after so long, ms; 0 is without end.
    #[serde(default)]
    ttl: u64,
}

pub(super) async fn post(
    State(control): State<Control>,
    key: IdempotencyKey,
    operator: Operator,
    Json(broadcast): Json<Broadcast>,
) -> Result<Response, Refusal> {
    let id = key.or(broadcast.message_id.clone())?;
    let id = id.unwrap_or_else(Control::mint_message_id);
    let publish = |topic| Publish {
        priority: broadcast.priority,
        ttl_ms: broadcast.ttl,
        ..Publish::new(topic, broadcast.payload.clone())
    };
    let target = broadcast.topics.join(" ");
    let answer = to_many((&control, &operator), "topics", &id, &broadcast.topics, publish).await?;
    Ok(Audited::target(target).on(reply::respond(id.as_str(), &answer)))
}

/// Publishes to each channel under the same key and answers in their order; one refusal does not stop the rest.
pub(super) async fn to_many(
    (control, operator): (&Control, &Operator),
    field: &str,
    id: &MessageId,
    topics: &[String],
    publish: impl Fn(ChannelName) -> Publish,
) -> Result<Reply, Refusal> {
    if topics.is_empty() || topics.len() > BATCH {
        let message = format!("`{field}` must hold 1 to {BATCH} entries; send more in several requests.");
        return Err(Refusal::new(ErrorCode::InvalidMessage, message));
    }
    // All are handed over before the first is waited for: they share a commit.
    let waiting: Vec<_> = topics
        .iter()
        .map(|topic| match ChannelName::parse(topic) {
            Ok(topic) => control.begin_publish(Some(operator), id.clone(), publish(topic)),
            Err(error) => Err(Failure::new(
                ErrorCode::InvalidMessage,
                format!("{topic:?}: {error}"),
            )),
        })
        .collect();
    let mut results = Vec::with_capacity(waiting.len());
    for answer in waiting {
        results.push((Some(id.clone()), control.finish(answer).await));
    }
    Ok(Reply::Batch(results))
}
