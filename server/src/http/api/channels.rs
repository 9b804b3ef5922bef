//! `/api/v1/channels`: the channels that there are, and who is present on one (SPEC §8).

use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use bmt_shared::channel::ChannelName;
use bmt_shared::error::ErrorCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::history::Listing;
use crate::http::body::Query;
use crate::http::control::Control;
use crate::http::paging::{self, PAGE, PAGE_MAX};
use crate::http::{Refusal, reply};
use crate::shards::ChannelDetail;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Wanted {
    /// Only names that begin so.
    prefix: Option<String>,
    /// Only names with this in them; upper and lower case are the same.
    search: Option<String>,
    /// The next page: what the last one named as `nextCursor`.
    cursor: Option<String>,
    /// Most channels, 1–1000; 100 where nothing is said.
    limit: Option<usize>,
}

/// Channels in the order of their names.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct Channels {
    /// Those in use, and those of which messages are kept.
    channels: Vec<ChannelDetail>,
    /// Names the next page, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

pub(super) async fn list(
    State(control): State<Control>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Channels>, Refusal> {
    let limit = paging::limit(wanted.limit, PAGE, PAGE_MAX)?;
    let listing = Listing {
        prefix: wanted.prefix.unwrap_or_default(),
        containing: wanted.search.unwrap_or_default().to_ascii_lowercase(),
        after: wanted.cursor.unwrap_or_default(),
        limit: limit + 1,
    };
    let channels = control.shards.directory(listing).await;
    let mut channels = channels.map_err(|failure| reply::refuse(failure.into()))?;
    let next_cursor = paging::cut(&mut channels, limit, |channel| channel.name.clone());
    Ok(Json(Channels {
        channels,
        next_cursor,
    }))
}

pub(super) async fn presence(
    State(control): State<Control>,
    Path(name): Path<String>,
) -> Result<Response, Refusal> {
    let topic = topic(&control, &name)?;
    let answer = control.ask(|answer| control.shards.presence(topic, answer)).await;
    Ok(reply::respond("", &answer))
}

/// The channel that an address names.
pub(super) fn topic(control: &Control, name: &str) -> Result<ChannelName, Refusal> {
    let topic = ChannelName::parse(name)
        .map_err(|error| Refusal::new(ErrorCode::InvalidMessage, format!("{name:?}: {error}.")))?;
    control.admit_read(&topic).map_err(Refusal::from)?;
    Ok(topic)
}
