//! `/api/v1/keys`: the API keys of programs (SPEC §8). A key's text is shown once, when it is made.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use bmt_shared::error::ErrorCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::clock;
use crate::http::Refusal;
use crate::http::access::{Audited, Operator};
use crate::http::body;
use crate::http::control::Control;
use crate::records::{ApiKey, KeyError, NewKey, Scope};

/// A key that was just made.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct Made {
    /// Names it in lists and in the audit log.
    id: String,
    name: String,
    scopes: Vec<Scope>,
    /// The user or key that made it.
    created_by: String,
    /// When, ms since the Unix epoch.
    created_at: u64,
    /// When it ends, ms since the Unix epoch; none where it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<u64>,
    /// The key itself. It is not shown again.
    key: String,
}

impl Made {
    fn of(about: ApiKey, key: String) -> Self {
        Self {
            id: about.id,
            name: about.name,
            scopes: about.scopes,
            created_by: about.created_by,
            created_at: about.created_at,
            expires_at: about.expires_at,
            key,
        }
    }
}

/// All keys.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct Keys {
    keys: Vec<ApiKey>,
}

pub(super) async fn list(State(control): State<Control>) -> Result<Json<Keys>, Refusal> {
    let keys = control.records.list_keys().await;
    let keys = keys.map_err(|error| Refusal::incident("API keys could not be read", &error))?;
    Ok(Json(Keys { keys }))
}

pub(super) async fn create(
    State(control): State<Control>,
    operator: Operator,
    body::Json(new): body::Json<NewKey>,
) -> Result<Response, Refusal> {
    let made = control
        .records
        .create_key(new, &operator.name(), clock::unix_ms())
        .await;
    let (about, key) = made.map_err(|error| match error {
        KeyError::Wrong(what) => Refusal::new(ErrorCode::InvalidMessage, what),
        KeyError::TooMany => Refusal::new(ErrorCode::InvalidOperation, error.to_string()),
        KeyError::Store(error) => Refusal::incident("an API key could not be made", &error),
    })?;
    let audited = Audited::target(about.id.clone());
    Ok(audited.on((
        StatusCode::CREATED,
        crate::http::body::unstored(Json(Made::of(about, key))),
    )))
}

pub(super) async fn revoke(
    State(control): State<Control>,
    Path(id): Path<String>,
) -> Result<StatusCode, Refusal> {
    match control.records.revoke_key(&id).await {
        Ok(true) => Ok(StatusCode::NO_CONTENT),
        Ok(false) => Err(Refusal::not_found(
            "There is no API key of this id. `GET /api/v1/keys` lists them.",
        )),
        Err(error) => Err(Refusal::incident("an API key could not be revoked", &error)),
    }
}
