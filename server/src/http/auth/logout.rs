//! `POST /api/v1/auth/logout`: ends the login of the refresh cookie or of the access token (SPEC §2).

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::cookies;
use super::session;
use crate::auth::SessionId;
use crate::clock;
use crate::http::Refusal;
use crate::http::visitor::Visitor;
use crate::node::Node;

/// Logging out twice, or without ever having logged in, is a success.
pub(super) async fn post(State(node): State<Arc<Node>>, visitor: Visitor, headers: HeaderMap) -> Response {
    let now_ms = clock::unix_ms();
    for session in sessions_of(&node, &headers, now_ms) {
        if let Err(error) = node.accounts.logout(session, now_ms).await {
            return Refusal::incident("a logout failed", &error).into_response();
        }
    }
    session::without_cookie(&node, &visitor, StatusCode::NO_CONTENT)
}

/// The cookie's login and the token's; usually they are one.
fn sessions_of(node: &Node, headers: &HeaderMap, now_ms: u64) -> Vec<SessionId> {
    let by_cookie = cookies::refresh_token(headers).and_then(|token| node.accounts.session_of(token));
    let by_token = headers
        .get(header::AUTHORIZATION)
        .and_then(|token| token.to_str().ok())
        .and_then(|token| node.authenticator.authenticate(Some(token), now_ms).ok())
        .and_then(|identity| identity.grant.session);
    let mut sessions: Vec<_> = by_cookie.into_iter().chain(by_token).collect();
    sessions.dedup();
    sessions
}
