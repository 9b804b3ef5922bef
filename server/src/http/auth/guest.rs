//! `POST /api/v1/auth/guest`: lets somebody in without an account; the browser keeps who that is (SPEC §2).

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use bmt_shared::error::ErrorCode;

use super::cookies;
use super::session;
use crate::clock;
use crate::http::Refusal;
use crate::http::visitor::Visitor;
use crate::node::Node;

/// How long a browser keeps a guest's id after the last visit, ms: a year. Browsers keep no cookie much longer.
const KEPT_MS: u64 = 365 * 24 * 60 * 60 * 1_000;

pub(super) async fn post(
    State(node): State<Arc<Node>>,
    visitor: Visitor,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let guest = node
        .authenticator
        .let_guest_in(cookies::guest(&headers), clock::unix_ms());
    let guest = guest.ok_or_else(|| {
        Refusal::new(
            ErrorCode::PermissionDenied,
            "Guests are not let in here, or you are not any more. Log in with an account.",
        )
    })?;
    let base = node.base_path();
    let cookie = cookies::keep_guest(&guest.keepsake, KEPT_MS, base, visitor.secure);
    Ok(session::with_cookie(&guest.access, &guest.user, cookie))
}
