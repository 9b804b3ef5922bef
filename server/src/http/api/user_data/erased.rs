//! `DELETE /users/{id}/data`: the account, and what the user left. Messages of chat namespaces are deleted as by their
//! author, so that who is connected sees it at once; all the rest is emptied where it lies. No channel gets a hole.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use bmt_server_core::channel::Traced;
use bmt_shared::channel::ChannelName;
use bmt_shared::error::Failure;
use bmt_shared::namespace::{Access, Namespace};
use bmt_shared::payload::Payload;
use bmt_shared::position::Seq;
use bmt_shared::reply::Reply;
use bmt_shared::request::Publish;
use serde::Serialize;
use serde_json::json;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tracing::{info, warn};
use utoipa::ToSchema;

use super::{PAGE, messages, traced};
use crate::accounts::AccountError;
use crate::clock;
use crate::history::{BATCH_ROWS, Erasure, Trace, Traces};
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
    /// Messages that were emptied: the user's own, with edits and reactions, and those in the user's own channels.
    messages: u64,
    /// Messages of others from which a reaction was taken.
    reactions: u64,
    /// Crash reports that do not tell any more who sent them.
    crash_reports: u64,
    /// What the user typed into documents: they are not whole without it.
    kept_messages: u64,
}

pub(in crate::http::api) async fn delete(
    State(control): State<Control>,
    Path(id): Path<String>,
    operator: Operator,
) -> Result<Response, Refusal> {
    not_oneself(&operator, &id)?;
    let traced = traced(&control, &id);
    let shutdown = control.node.shutdown.clone();
    // It goes on where the administrator hangs up: half an erasure is none.
    let erasing = shutdown.spawn(async move {
        let user = traced.user.clone();
        let erased = Erasing::new(&control, traced).run().await;
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

struct Erasing<'a> {
    control: &'a Control,
    traced: Arc<Traced>,
    erased: Erased,
}

/// What is to be emptied where it lies, by channel, and whether it is the user's own.
type InPlace = BTreeMap<(ChannelName, bool), Vec<Seq>>;

impl<'a> Erasing<'a> {
    fn new(control: &'a Control, traced: Arc<Traced>) -> Self {
        Self {
            control,
            traced,
            erased: Erased::default(),
        }
    }

    /// The account first: from then on nothing new comes. Whatever fails, asking again goes on from there.
    async fn run(mut self) -> Result<Erased, Refusal> {
        let (node, user) = (&self.control.node, &self.traced.user);
        match node.accounts.remove(user).await {
            Ok(()) | Err(AccountError::Unknown) => {}
            Err(error) => return Err(Refusal::incident("an account could not be removed", &error)),
        }
        node.members.forget(user).await?;
        self.erased.files = node.files.forget(user).await?.files;
        let reports = self.control.records.forget_reporter(user.as_str()).await;
        self.erased.crash_reports =
            reports.map_err(|error| Refusal::incident("crash reports could not be changed", &error))?;
        self.empty_stored().await?;
        self.empty_remembered().await?;
        self.erased.done = true;
        Ok(self.erased)
    }

    /// What is on the disk, page by page.
    async fn empty_stored(&mut self) -> Result<(), Refusal> {
        let (path, traced) = (messages(self.control), self.traced.clone());
        let opened = spawn_blocking(move || {
            Traces::forget_positions(&path, &traced.user)?;
            Traces::open(&path, traced)
        });
        let mut traces = opened
            .await
            .map_err(|error| unread(&error))?
            .map_err(|error| unread(&error))?;
        loop {
            let read = spawn_blocking(move || (traces.next_page(PAGE), traces));
            let (page, again) = read.await.map_err(|error| unread(&error))?;
            let page = page.map_err(|error| unread(&error))?;
            traces = again;
            if page.is_empty() {
                return Ok(());
            }
            let in_place = self.delete(&page).await?;
            self.empty(in_place).await?;
        }
    }

    /// What the namespaces have that are kept in memory.
    async fn empty_remembered(&mut self) -> Result<(), Refusal> {
        let mut in_place = InPlace::new();
        for entry in self.control.node.histories.remembered_of(&self.traced) {
            let message = &entry.message;
            let is_own = message.from == self.traced.user || self.traced.owns(message.topic.as_str());
            match is_own && self.is_document(&message.topic) {
                true => self.erased.kept_messages += 1,
                false => in_place
                    .entry((message.topic.clone(), is_own))
                    .or_default()
                    .push(entry.seq()),
            }
        }
        self.empty(in_place).await
    }

    /// Deletes those of a page that can be deleted, all at once: they share their commits. Answers the others, and
    /// those that were too old to be found.
    async fn delete(&mut self, page: &[Trace]) -> Result<InPlace, Refusal> {
        let mut in_place = InPlace::new();
        let mut waiting = Vec::new();
        for trace in page {
            // A name that cannot be one has no channel: nobody can ask for it.
            let Ok(topic) = ChannelName::parse(&trace.topic) else {
                continue;
            };
            let is_from = trace.from == self.traced.user.as_str();
            let is_own = is_from || self.traced.owns(&trace.topic);
            if is_own && self.is_document(&topic) {
                self.erased.kept_messages += 1;
            } else if is_from && self.can_be_deleted(&topic) && !trace.is_deleted && !trace.is_amendment {
                let payload = Payload::encode(&json!({"type": "delete", "target": trace.id}));
                let payload = payload.expect("texts are JSON");
                let publish = Publish::new(topic.clone(), payload);
                let begun = self
                    .control
                    .begin_publish(None, Control::mint_message_id(), publish);
                waiting.push((begun, topic, trace.seq));
            } else {
                in_place.entry((topic, is_own)).or_default().push(trace.seq);
            }
        }
        for (begun, topic, seq) in waiting {
            match self.control.finish(begun).await {
                Reply::Failed(failure) if is_passing(&failure) => return Err(failure.into()),
                Reply::Failed(_) => in_place.entry((topic, true)).or_default().push(seq),
                _ => self.erased.messages += 1,
            }
        }
        Ok(in_place)
    }

    async fn empty(&mut self, in_place: InPlace) -> Result<(), Refusal> {
        for ((topic, is_own), seqs) in in_place {
            for seqs in seqs.chunks(BATCH_ROWS) {
                let erasure = Erasure {
                    traced: self.traced.clone(),
                    topic: topic.clone(),
                    seqs: seqs.to_vec(),
                    now_ms: clock::unix_ms(),
                };
                let changed = self.control.shards.erase(erasure).await?;
                match is_own {
                    true => self.erased.messages += changed,
                    false => self.erased.reactions += changed,
                }
            }
        }
        Ok(())
    }

    /// In the user's own channels nobody is left to see it.
    fn can_be_deleted(&self, topic: &ChannelName) -> bool {
        !self.traced.owns(topic.as_str()) && self.by_namespace(topic, |namespace| namespace.chat)
    }

    fn is_document(&self, topic: &ChannelName) -> bool {
        self.by_namespace(topic, |namespace| namespace.publish == Access::DocumentWriters)
    }

    fn by_namespace(&self, topic: &ChannelName, ask: impl FnOnce(&Namespace) -> bool) -> bool {
        let now = self.control.node.current();
        now.config
            .namespaces
            .of(topic)
            .is_some_and(|namespace| ask(&namespace))
    }
}

fn unread(error: &dyn std::fmt::Display) -> Refusal {
    Refusal::incident("a user's messages could not be read", error)
}

fn is_passing(failure: &Failure) -> bool {
    failure.code.is_retryable()
}
