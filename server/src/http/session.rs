//! What the routes of a login share: the answer, and the checks against other sites.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, FromRef, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Response};
use bmt_shared::error::ErrorCode;
use bmt_shared::identity::User;
use serde::Serialize;
use std::net::IpAddr;
use std::sync::Arc;

use super::access::Audited;
use super::{Refusal, cookies};
use crate::accounts::Login;
use crate::auth::AccessToken;
use crate::node::Node;
use crate::records::Actor;

/// A request to the login routes from a page that may make one.
pub(super) struct Visitor {
    /// The person's address.
    pub(super) address: IpAddr,
    /// Whether the cookie must travel over https only.
    pub(super) secure: bool,
    /// What the browser or program calls itself; may be empty.
    pub(super) agent: String,
}

impl<S: Send + Sync> FromRequestParts<S> for Visitor
where
    Arc<Node>: FromRef<S>,
{
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let node = Arc::<Node>::from_ref(state);
        if !node.origin_allowed(&parts.headers) {
            return Err(Refusal::new(
                ErrorCode::PermissionDenied,
                "Pages of this origin may not log in here. Its operator can name the origin in `http.allowed_origins`.",
            ));
        }
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let peer = peer.ok_or_else(|| Refusal::incident("a request has no peer", &"no ConnectInfo"))?;
        let peer = peer.0.ip();
        Ok(Self {
            address: node.client_address(peer, &parts.headers),
            secure: node.is_https(peer, &parts.headers),
            agent: agent(&parts.headers),
        })
    }
}

fn agent(headers: &HeaderMap) -> String {
    let agent = headers
        .get(header::USER_AGENT)
        .and_then(|agent| agent.to_str().ok());
    agent.unwrap_or_default().to_owned()
}

/// The body of SPEC §2.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    access_token: &'a str,
    expires_in: u64,
    user: &'a User,
}

/// Tells the browser of a login that holds.
pub(super) fn answer(node: &Node, visitor: &Visitor, login: &Login, now_ms: u64) -> Response {
    let access = node.authenticator.issue(&login.user, &login.session, now_ms);
    let base = node.config.http.base();
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
    let gone = cookies::clear(node.config.http.base(), visitor.secure);
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
