//! `POST /api/v1/auth/register {username, password, name?}`, where registration is open (SPEC §2).

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;

use super::session;
use crate::clock;
use crate::config::Secret;
use crate::http::Refusal;
use crate::http::access::Audited;
use crate::http::body::Json;
use crate::http::visitor::Visitor;
use crate::node::Node;

/// An account that somebody makes for themselves.
#[derive(Debug, Deserialize, ToSchema)]
pub(in crate::http) struct Registration {
    username: String,
    #[schema(value_type = String)]
    password: Secret,
    /// What is shown; the username where nothing is said.
    #[serde(default)]
    name: String,
}

/// Makes the account and logs it in.
pub(super) async fn post(
    State(node): State<Arc<Node>>,
    visitor: Visitor,
    Json(asked): Json<Registration>,
) -> Response {
    let now_ms = clock::unix_ms();
    let Registration {
        username,
        password,
        name,
    } = asked;
    let (address, agent) = (visitor.address, &visitor.agent);
    let registered = node
        .accounts
        .register(&username, &name, password, address, agent, now_ms);
    match registered.await {
        Ok(login) => session::answer(&node, &visitor, &login, now_ms),
        Err(error) => Audited::target(username).on(Refusal::from(error)),
    }
}
