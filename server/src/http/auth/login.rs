//! `POST /api/v1/auth/login {username, password}` (SPEC §2).

use std::fmt;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use bmt_shared::error::ErrorCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::account::BUSY_RETRY_MS;
use super::session;
use crate::accounts::LoginError;
use crate::clock;
use crate::http::Refusal;
use crate::http::access::Audited;
use crate::http::body::Json;
use crate::http::visitor::Visitor;
use crate::node::Node;

/// What is typed at a login.
#[derive(Deserialize, ToSchema)]
pub(in crate::http) struct Credentials {
    username: String,
    password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(hidden)")
    }
}

pub(super) async fn post(
    State(node): State<Arc<Node>>,
    visitor: Visitor,
    Json(credentials): Json<Credentials>,
) -> Response {
    let now_ms = clock::unix_ms();
    let login = node
        .accounts
        .login_from(
            &credentials.username,
            &credentials.password,
            visitor.address,
            &visitor.agent,
            now_ms,
        )
        .await;
    match login {
        Ok(login) => session::answer(&node, &visitor, &login, now_ms),
        Err(error) => Audited::target(credentials.username).on(refusal(error)),
    }
}

fn refusal(error: LoginError) -> Refusal {
    match error {
        LoginError::Wrong => Refusal::new(
            ErrorCode::AuthenticationFailed,
            "The username or the password is wrong. Check both and try again.",
        ),
        LoginError::Blocked => Refusal::new(
            ErrorCode::AuthenticationFailed,
            "This account is blocked. Ask an administrator to let it in again.",
        )
        // Programs tell it from a wrong password by this.
        .with_status(StatusCode::FORBIDDEN),
        LoginError::TooMany(wait_ms) => Refusal::new(
            ErrorCode::RateLimited,
            format!(
                "Too many failed logins. Wait {} seconds and try again.",
                wait_ms.div_ceil(1_000)
            ),
        )
        .retry_after(wait_ms),
        LoginError::Busy => Refusal::new(
            ErrorCode::RateLimited,
            "Too many people are logging in at this moment. Try again in a few seconds.",
        )
        .retry_after(BUSY_RETRY_MS)
        .with_status(StatusCode::TOO_MANY_REQUESTS),
        LoginError::Store(error) => Refusal::incident("a login failed", &error),
    }
}
