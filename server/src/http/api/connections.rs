//! `/api/v1/connections`: who is connected to this node, and ending it (SPEC §8).

use axum::Json;
use axum::extract::{Path, State};
use bmt_shared::close::CloseCode;
use bmt_shared::error::ErrorCode;
use bmt_shared::id::{ConnectionId, UserId};
use bmt_shared::identity::Role;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::connection::Connection;
use crate::http::Refusal;
use crate::http::body::Query;
use crate::http::control::Control;
use crate::http::paging::{self, PAGE, PAGE_MAX};

/// What a kicked client is told.
const KICKED: &str = "kicked";

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Wanted {
    /// Only of this user.
    user: Option<String>,
    /// Only where the id, the user's id or name, the address or the agent has this in it; upper and lower case are
    /// the same.
    search: Option<String>,
    /// The next page: what the last one named as `nextCursor`.
    cursor: Option<String>,
    /// Most connections, 1–1000; 100 where nothing is said.
    limit: Option<usize>,
}

/// One connection.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct Connected {
    connection_id: String,
    user_id: String,
    name: String,
    /// `admin`, `user` or `guest`.
    role: &'static str,
    /// Since when, ms since the Unix epoch.
    connected_at: u64,
    /// From where, as far as trusted proxies tell.
    address: String,
    /// `websocket`, `polling` or `raw`.
    transport: &'static str,
    /// What the client calls itself, at most 160 bytes; empty where it does not say.
    user_agent: String,
    /// Channels it is subscribed to.
    subscriptions: usize,
}

/// Connections in the order of their ids.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct Connections {
    connections: Vec<Connected>,
    /// All connections of this node.
    total: usize,
    /// Names the next page, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// How many connections were ended.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct Disconnected {
    /// Of this node.
    disconnected: usize,
}

pub(super) async fn list(
    State(control): State<Control>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Connections>, Refusal> {
    let limit = paging::limit(wanted.limit, PAGE, PAGE_MAX)?;
    let after = wanted.cursor.unwrap_or_default();
    let search = wanted.search.unwrap_or_default().to_lowercase();
    let mut all = control.live.all();
    let total = all.len();
    all.retain(|connection| {
        let user = wanted.user.as_ref();
        connection.id().as_str() > after.as_str()
            && user.is_none_or(|user| connection.user_id().as_str() == user)
    });
    all.sort_unstable_by(|one, other| one.id().cmp(other.id()));
    let mut connections: Vec<_> = all
        .iter()
        .filter_map(|connection| describe(connection))
        .filter(|connection| connection.has(&search))
        .take(limit + 1)
        .collect();
    let next_cursor = paging::cut(&mut connections, limit, |last| last.connection_id.clone());
    Ok(Json(Connections {
        connections,
        total,
        next_cursor,
    }))
}

impl Connected {
    /// Whether `text`, in lower case, is somewhere in it.
    fn has(&self, text: &str) -> bool {
        let fields = [
            &self.connection_id,
            &self.user_id,
            &self.name,
            &self.address,
            &self.user_agent,
        ];
        text.is_empty() || fields.iter().any(|field| field.to_lowercase().contains(text))
    }
}

pub(super) async fn end(
    State(control): State<Control>,
    Path(id): Path<String>,
) -> Result<Json<Disconnected>, Refusal> {
    let Some(connection) = control.live.get(&ConnectionId::new(&id)) else {
        let message = "This connection is gone. `GET /api/v1/connections` lists those that live.";
        return Err(Refusal::new(ErrorCode::ConnectionNotFound, message));
    };
    connection.close(CloseCode::Kicked, KICKED, None);
    Ok(Json(Disconnected { disconnected: 1 }))
}

pub(super) async fn end_of_user(
    State(control): State<Control>,
    Path(id): Path<String>,
) -> Json<Disconnected> {
    let theirs = control.live.of_user(&UserId::new(&id));
    for connection in &theirs {
        connection.close(CloseCode::Kicked, KICKED, None);
    }
    Json(Disconnected {
        disconnected: theirs.len(),
    })
}

/// Nothing of one that has just ended.
fn describe(connection: &Connection) -> Option<Connected> {
    let about = connection.about()?;
    Some(Connected {
        connection_id: connection.id().as_str().to_owned(),
        user_id: about.user.user_id.as_str().to_owned(),
        name: about.user.name.clone(),
        role: Role::as_str(about.user.role),
        connected_at: about.since_ms,
        address: about.address.to_string(),
        transport: about.transport,
        user_agent: about.agent,
        subscriptions: about.subscriptions,
    })
}
