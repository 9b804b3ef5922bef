//! New passwords: for the old one, or by an administrator's link (SPEC §2).

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Response};
use bmt_shared::id::UserId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::sessions::login_of;
use crate::clock;
use crate::config::Secret;
use crate::http::body::Json;
use crate::http::visitor::Visitor;
use crate::http::{Caller, Refusal};
use crate::node::Node;

/// The own password, old and new.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = PasswordChange)]
pub(in crate::http) struct Change {
    #[schema(value_type = String)]
    old: Secret,
    #[schema(value_type = String)]
    new: Secret,
}

/// `POST /auth/password {old, new}`: the caller's login goes on, the account's others end.
pub(super) async fn post(
    State(node): State<Arc<Node>>,
    Caller(identity): Caller,
    visitor: Visitor,
    Json(Change { old, new }): Json<Change>,
) -> Result<StatusCode, Refusal> {
    let session = login_of(&identity)?;
    let user = &identity.user.user_id;
    let changed = node
        .accounts
        .change_password(user, session, &old, &new, visitor.address, clock::unix_ms());
    changed.await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A new password, by a link.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = PasswordReset)]
pub(in crate::http) struct Reset {
    /// What the link carries.
    #[schema(value_type = String)]
    token: Secret,
    #[schema(value_type = String)]
    new: Secret,
}

/// `POST /auth/password/reset {token, new}`: the link's code is used up and all logins of the account end.
pub(super) async fn reset(
    State(node): State<Arc<Node>>,
    visitor: Visitor,
    Json(Reset { token, new }): Json<Reset>,
) -> Result<StatusCode, Refusal> {
    let address = visitor.address;
    let done = node
        .accounts
        .reset_password(&token, &new, address, clock::unix_ms());
    done.await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What an administrator hands on.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PasswordLink)]
pub(in crate::http) struct Link<'a> {
    token: &'a str,
    /// Seconds.
    expires_in: u64,
}

/// `POST /users/{id}/password-reset`: the code of a single-use link, for administrators.
pub(in crate::http) async fn make_reset(
    State(node): State<Arc<Node>>,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    let reset = node
        .accounts
        .make_reset(&UserId::new(&id), clock::unix_ms())
        .await?;
    let body = Link {
        token: reset.code.reveal(),
        expires_in: reset.lives_ms / 1_000,
    };
    let headers = AppendHeaders([(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))]);
    Ok((headers, axum::Json(body)).into_response())
}
