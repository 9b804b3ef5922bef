//! `GET /api/v1/stats`, and the same on `system:metrics` while somebody listens (SPEC §8).

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use bmt_shared::channel::ChannelName;
use bmt_shared::payload::Payload;
use bmt_shared::reply::Reply;
use bmt_shared::request::Publish;
use serde::Deserialize;
use tokio::time::MissedTickBehavior;
use tracing::debug;
use utoipa::IntoParams;

use crate::figures::{METRICS_CHANNEL, Stats};
use crate::http::Refusal;
use crate::http::body::Query;
use crate::http::control::Control;
use crate::http::paging;

/// How often listeners are told.
const TELL_EVERY: Duration = Duration::from_secs(5);
/// Channels that are told of, where nothing is said and to listeners: with the longest names some 20 KB.
const DETAILS: usize = 50;
/// Most channels that are told of.
const DETAILS_MAX: usize = 1_000;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Wanted {
    /// Most channels in `channelDetails`, 1–1000; 50 where nothing is said.
    channels: Option<usize>,
}

pub(super) async fn get(
    State(control): State<Control>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Stats>, Refusal> {
    let details = paging::limit(wanted.channels, DETAILS, DETAILS_MAX)?;
    Ok(Json(control.figures.stats(details).await))
}

/// Publishes the figures until the server stops.
pub(in crate::http) fn tell(control: &Control) {
    let control = control.clone();
    let shutdown = control.node.shutdown.clone();
    let end = shutdown.clone();
    shutdown.spawn(async move {
        let mut ticks = tokio::time::interval(TELL_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => tell_once(&control).await,
                () = end.begun() => return,
            }
        }
    });
}

async fn tell_once(control: &Control) {
    if !control.figures.are_listened_to().await {
        return;
    }
    let stats = control.figures.stats(DETAILS).await;
    let topic = ChannelName::parse(METRICS_CHANNEL).expect("a name of our own");
    let payload = Payload::encode(&stats).expect("numbers and names are JSON");
    let told = control.publish(None, Control::mint_message_id(), Publish::new(topic, payload));
    if let Reply::Failed(failure) = told.await {
        debug!(%failure, "the figures could not be told");
    }
}
