//! What the routes of a login share: the answer and its cookie.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Response};
use bmt_shared::error::ErrorCode;
use bmt_shared::identity::User;
use serde::Serialize;
use utoipa::ToSchema;

use super::cookies;
use crate::accounts::Login;
use crate::auth::AccessToken;
use crate::http::Refusal;
use crate::http::access::Audited;
use crate::http::openapi::wire;
use crate::http::visitor::Visitor;
use crate::node::Node;
use crate::records::Actor;

/// The body of SPEC §2.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = LoggedIn)]
pub(in crate::http) struct Answer<'a> {
    access_token: &'a str,
    /// Seconds.
    expires_in: u64,
    #[schema(value_type = wire::User)]
    user: &'a User,
}

/// Tells the browser of a login that holds.
pub(super) fn answer(node: &Node, visitor: &Visitor, login: &Login, now_ms: u64) -> Response {
    let access = node.authenticator.issue(&login.user, &login.session, now_ms);
    let base = node.base_path();
    let cookie = cookies::set(&login.refresh_token, login.lives_ms, base, visitor.secure);
    with_cookie(&access, &login.user, cookie)
}

/// Tells the browser who it speaks for, and what to keep.
pub(super) fn with_cookie(access: &AccessToken, user: &User, cookie: HeaderValue) -> Response {
    let body = Answer {
        access_token: &access.token,
        expires_in: access.expires_in_s,
        user,
    };
    let audited = Audited {
        actor: Some(Actor::User(user.user_id.as_str().to_owned())),
        target: None,
    };
    let headers = AppendHeaders([
        (header::SET_COOKIE, cookie),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ]);
    audited.on((headers, axum::Json(body)))
}

/// Adds the end of the cookie to an answer.
pub(super) fn without_cookie(node: &Node, visitor: &Visitor, answer: impl IntoResponse) -> Response {
    let mut response = answer.into_response();
    let gone = cookies::clear(node.base_path(), visitor.secure);
    response.headers_mut().append(header::SET_COOKIE, gone);
    response
}

/// The refresh cookie, or the refusal for a browser that has none.
pub(super) fn refresh_token(headers: &HeaderMap) -> Result<&str, Refusal> {
    cookies::refresh_token(headers).ok_or_else(not_logged_in)
}

pub(super) fn not_logged_in() -> Refusal {
    Refusal::new(
        ErrorCode::AuthenticationFailed,
        "You are not logged in, or the login is over. Log in again.",
    )
    .with_status(StatusCode::UNAUTHORIZED)
}
