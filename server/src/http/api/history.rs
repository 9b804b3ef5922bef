//! `GET /api/v1/channels/{topic}/history`: a page of a channel's messages (SPEC §4, §8).

use axum::extract::{Path, State};
use axum::response::Response;
use bmt_shared::error::ErrorCode;
use bmt_shared::limits::{HISTORY_PAGE, HISTORY_PAGE_MAX};
use bmt_shared::position::Seq;
use bmt_shared::request::{HistoryQuery, HistoryRange};
use serde::Deserialize;
use utoipa::IntoParams;

use super::channels::topic;
use crate::http::body::Query;
use crate::http::control::Control;
use crate::http::{Refusal, paging, reply};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Wanted {
    /// The newest messages below this seq.
    #[param(value_type = Option<u64>)]
    before: Option<Seq>,
    /// The oldest messages above this seq.
    #[param(value_type = Option<u64>)]
    after: Option<Seq>,
    /// Most messages, 1–200; 50 where nothing is said.
    limit: Option<usize>,
}

pub(super) async fn get(
    State(control): State<Control>,
    Path(name): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Refusal> {
    let topic = topic(&control, &name)?;
    let range = match (wanted.before, wanted.after) {
        (None, None) => HistoryRange::Newest,
        (Some(seq), None) => HistoryRange::Before(seq),
        (None, Some(seq)) => HistoryRange::After(seq),
        (Some(_), Some(_)) => {
            let message = "Give `before` or `after`, not both.";
            return Err(Refusal::new(ErrorCode::InvalidMessage, message));
        }
    };
    let limit = paging::limit(wanted.limit, HISTORY_PAGE, HISTORY_PAGE_MAX)?;
    let query = HistoryQuery { topic, range, limit };
    let answer = control.ask(|answer| control.shards.history(query, answer)).await;
    Ok(reply::respond("", &answer))
}
