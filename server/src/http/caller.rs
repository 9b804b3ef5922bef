//! Who makes a request: `Authorization: Bearer <jwt>`.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use bmt_shared::error::AuthReason;

use super::Refusal;
use crate::auth::Identity;
use crate::clock;
use crate::node::Node;

/// The identity of a request. A request without a token is refused, even where guests may connect: an id that
/// changes with every request is nobody.
pub struct Caller(pub Identity);

impl FromRequestParts<Arc<Node>> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, node: &Arc<Node>) -> Result<Self, Refusal> {
        let mut tokens = parts.headers.get_all(header::AUTHORIZATION).iter();
        let token = tokens.next().ok_or(AuthReason::Missing)?;
        let token = token.to_str().map_err(|_| AuthReason::Malformed)?;
        if tokens.next().is_some() {
            return Err(AuthReason::Malformed.into());
        }
        let identity = node.authenticator.admit(Some(token), clock::unix_ms()).await?;
        if identity.expires_at_ms.is_none() {
            return Err(AuthReason::Missing.into());
        }
        Ok(Self(identity))
    }
}
