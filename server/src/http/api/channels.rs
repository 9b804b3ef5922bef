//! `/api/v1/channels`: the channels that are in use, and who is present on one (SPEC §8).

use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use bmt_shared::channel::ChannelName;
use bmt_shared::error::ErrorCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::http::body::{self, Query};
use crate::http::control::Control;
use crate::http::{Refusal, reply};
use crate::shards::ChannelDetail;

/// Channels of a page where nothing is said.
const PAGE: usize = 100;
/// Most channels of a page.
const PAGE_MAX: usize = 1_000;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Wanted {
    /// Only names that begin so.
    prefix: Option<String>,
    /// Only names behind this one: the next page.
    after: Option<String>,
    /// Most channels, 1–1000; 100 where nothing is said.
    limit: Option<usize>,
}

/// Channels in the order of their names.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct Channels {
    /// Channels with subscribers, or used within the last minutes.
    channels: Vec<ChannelDetail>,
    /// Whether more follow: ask with `after` = the last name.
    has_more: bool,
}

pub(super) async fn list(
    State(control): State<Control>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Channels>, Refusal> {
    let limit = body::limit(wanted.limit, PAGE, PAGE_MAX)?;
    let after = wanted.after.unwrap_or_default();
    let prefix = wanted.prefix.unwrap_or_default();
    let mut channels = control.shards.channels(prefix, after, limit + 1).await;
    let has_more = channels.len() > limit;
    channels.truncate(limit);
    Ok(Json(Channels { channels, has_more }))
}

pub(super) async fn presence(
    State(control): State<Control>,
    Path(name): Path<String>,
) -> Result<Response, Refusal> {
    let topic = topic(&control, &name)?;
    let answer = Control::ask(|answer| control.shards.presence(topic, answer)).await;
    Ok(reply::respond("", &answer))
}

/// The channel that an address names.
pub(super) fn topic(control: &Control, name: &str) -> Result<ChannelName, Refusal> {
    let topic = ChannelName::parse(name)
        .map_err(|error| Refusal::new(ErrorCode::InvalidMessage, format!("{name:?}: {error}.")))?;
    control.admit_read(&topic).map_err(Refusal::from)?;
    Ok(topic)
}
