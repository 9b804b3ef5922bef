//! `POST /api/v1/notify`: a notification is a stored message whose payload says so (SPEC §4). To `users` it goes
//! on each `user:<id>`, to `topic` on that channel, to neither on `system:notifications`; who is offline finds it.

use axum::extract::State;
use axum::response::Response;
use bmt_shared::error::ErrorCode;
use bmt_shared::id::MessageId;
use bmt_shared::payload::Payload;
use bmt_shared::request::Publish;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::broadcast::to_many;
use crate::http::access::{Audited, Operator};
use crate::http::body::Json;
use crate::http::control::Control;
use crate::http::idempotency::IdempotencyKey;
use crate::http::{Refusal, reply};

/// The channel of notifications for everybody.
const EVERYBODY: &str = "system:notifications";

/// How much it matters.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    /// Good to know.
    Info,
    /// Something is to be done.
    Warning,
    /// Something failed.
    Error,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::http) struct Notification {
    level: Level,
    /// The text.
    message: String,
    title: Option<String>,
    /// The ids of the users it is for, at most 200.
    users: Option<Vec<String>>,
    /// The channel it is for.
    topic: Option<String>,
    /// The same one notifies once.
    #[schema(value_type = Option<String>)]
    message_id: Option<MessageId>,
}

/// What subscribers get.
#[derive(Serialize)]
struct Content<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    level: Level,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
    message: &'a str,
}

pub(super) async fn post(
    State(control): State<Control>,
    key: IdempotencyKey,
    operator: Operator,
    Json(notification): Json<Notification>,
) -> Result<Response, Refusal> {
    let Notification { users, topic, .. } = &notification;
    let topics = match (users, topic) {
        (Some(_), Some(_)) => {
            let message = "Give `users` or `topic`, not both.";
            return Err(Refusal::new(ErrorCode::InvalidMessage, message));
        }
        (Some(users), None) => users.iter().map(|user| format!("user:{user}")).collect(),
        (None, Some(topic)) => vec![topic.clone()],
        (None, None) => vec![EVERYBODY.to_owned()],
    };
    if notification.message.trim().is_empty() {
        let message = "`message` must say something.";
        return Err(Refusal::new(ErrorCode::InvalidMessage, message));
    }
    let content = Content {
        kind: "notification",
        level: notification.level,
        title: notification.title.as_deref(),
        message: &notification.message,
    };
    let payload = Payload::encode(&content).expect("texts are JSON");
    let id = key.or(notification.message_id.clone())?;
    let id = id.unwrap_or_else(Control::mint_message_id);
    let publish = |topic| Publish::new(topic, payload.clone());
    let answer = to_many((&control, &operator), "users", &id, &topics, publish).await?;
    Ok(Audited::target(topics.join(" ")).on(reply::respond(id.as_str(), &answer)))
}
