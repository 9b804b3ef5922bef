//! `POST /api/v1/auth/refresh`: a new access token for the refresh cookie (SPEC §2).

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};

use super::session;
use super::session::not_logged_in;
use crate::accounts::RefreshError;
use crate::clock;
use crate::http::Refusal;
use crate::http::visitor::Visitor;
use crate::node::Node;

pub(super) async fn post(State(node): State<Arc<Node>>, visitor: Visitor, headers: HeaderMap) -> Response {
    let token = match session::refresh_token(&headers) {
        Ok(token) => token,
        Err(refusal) => return refusal.into_response(),
    };
    let now_ms = clock::unix_ms();
    match node.accounts.refresh(token, now_ms).await {
        Ok(login) => session::answer(&node, &visitor, &login, now_ms),
        Err(RefreshError::Over) => session::without_cookie(&node, &visitor, not_logged_in()),
        Err(RefreshError::Store(error)) => Refusal::incident("a refresh failed", &error).into_response(),
    }
}
