//! `DELETE /users/{id}/data`: the account, and what the user left. Messages are emptied as by their author, so that
//! who is connected sees it at once and the history has no hole; where messages cannot be deleted they stay.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use bmt_shared::channel::ChannelName;
use bmt_shared::error::Failure;
use bmt_shared::id::UserId;
use bmt_shared::payload::Payload;
use bmt_shared::reply::Reply;
use bmt_shared::request::Publish;
use serde::Serialize;
use serde_json::json;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tracing::{info, warn};
use utoipa::ToSchema;

use super::{PAGE, messages, user};
use crate::accounts::AccountError;
use crate::history::{Authored, Traces};
use crate::http::Refusal;
use crate::http::access::Operator;
use crate::http::api::users::not_oneself;
use crate::http::control::Control;

/// How long the answer waits for the end; the work goes on behind it.
const ANSWER_LIMIT: Duration = Duration::from_secs(20);

/// What became of the data.
#[derive(Clone, Copy, Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct Erased {
    /// Whether that is all; otherwise it goes on, and asking again tells when it is.
    done: bool,
    /// Files that were deleted.
    files: u64,
    /// Messages that were emptied.
    messages: u64,
    /// Messages in channels whose messages cannot be deleted.
    kept_messages: u64,
}

pub(in crate::http::api) async fn delete(
    State(control): State<Control>,
    Path(id): Path<String>,
    operator: Operator,
) -> Result<Response, Refusal> {
    not_oneself(&operator, &id)?;
    let user = user(&id);
    let shutdown = control.node.shutdown.clone();
    // It goes on where the administrator hangs up: half an erasure is none.
    let erasing = shutdown.spawn(async move {
        let erased = erase(&control, &user).await;
        match &erased {
            Ok(erased) => info!(user = user.as_str(), ?erased, "the data of a user was erased"),
            Err(_) => warn!(
                user = user.as_str(),
                "the data of a user was not erased whole; ask again"
            ),
        }
        erased
    });
    match timeout(ANSWER_LIMIT, erasing).await {
        Ok(Ok(erased)) => Ok(Json(erased?).into_response()),
        Ok(Err(error)) => Err(Refusal::incident("an erasure ended badly", &error)),
        Err(_) => Ok((StatusCode::ACCEPTED, Json(Erased::default())).into_response()),
    }
}

/// The account first: from then on nothing new comes. Whatever fails, asking again goes on from there.
async fn erase(control: &Control, user: &UserId) -> Result<Erased, Refusal> {
    let node = &control.node;
    match node.accounts.remove(user).await {
        Ok(()) | Err(AccountError::Unknown) => {}
        Err(error) => return Err(Refusal::incident("an account could not be removed", &error)),
    }
    node.members.forget(user).await?;
    let files = node.files.forget(user).await?.files;
    let (path, owner) = (messages(control), user.clone());
    let opened = spawn_blocking(move || {
        Traces::forget_positions(&path, &owner)?;
        Traces::open(&path, &owner)
    });
    let failed =
        |error: &dyn std::fmt::Display| Refusal::incident("a user's messages could not be read", error);
    let mut traces = opened
        .await
        .map_err(|error| failed(&error))?
        .map_err(|error| failed(&error))?;
    let mut erased = Erased {
        done: true,
        files,
        ..Erased::default()
    };
    loop {
        let read = spawn_blocking(move || (traces.next_page(PAGE), traces));
        let (page, again) = read.await.map_err(|error| failed(&error))?;
        let page = page.map_err(|error| failed(&error))?;
        traces = again;
        if page.is_empty() {
            return Ok(erased);
        }
        empty(control, &page, &mut erased).await?;
    }
}

/// Deletes the messages of a page, all at once: they share their commits.
async fn empty(control: &Control, page: &[Authored], erased: &mut Erased) -> Result<(), Refusal> {
    let mut waiting = Vec::new();
    for message in page
        .iter()
        .filter(|message| !message.is_deleted && !message.is_amendment)
    {
        let topic = ChannelName::parse(&message.topic).ok();
        let chat = topic.filter(|topic| {
            let now = control.node.current();
            let namespace = now.config.namespaces.of(topic);
            namespace.is_some_and(|namespace| namespace.chat)
        });
        let Some(topic) = chat else {
            erased.kept_messages += 1;
            continue;
        };
        let payload = Payload::encode(&json!({"type": "delete", "target": message.id}));
        let payload = payload.expect("texts are JSON");
        waiting.push(control.begin_publish(None, Control::mint_message_id(), Publish::new(topic, payload)));
    }
    for begun in waiting {
        match control.finish(begun).await {
            Reply::Failed(failure) if is_passing(&failure) => return Err(failure.into()),
            // What is too old to be found has no one who reads it.
            Reply::Failed(_) => erased.kept_messages += 1,
            _ => erased.messages += 1,
        }
    }
    Ok(())
}

fn is_passing(failure: &Failure) -> bool {
    failure.code.is_retryable()
}
