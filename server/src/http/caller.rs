//! Who makes a request: `Authorization: Bearer <jwt>`.

use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::header;
use axum::http::request::Parts;
use bmt_shared::error::{AuthReason, ErrorCode};

use super::Refusal;
use crate::auth::Identity;
use crate::clock;
use crate::node::Node;

/// When a request whose token cannot be judged should come again, ms: the keys are asked for about that often.
const KEYS_RETRY_MS: u64 = 15_000;

/// Takes a token, or says that nobody can judge it for the moment.
pub(super) async fn admit(node: &Node, token: &str, now_ms: u64) -> Result<Identity, Refusal> {
    let admitted = node.authenticator.admit(Some(token), now_ms).await;
    admitted.map_err(|reason| {
        if !node.authenticator.cannot_judge(Some(token)) {
            return reason.into();
        }
        let message = "The keys that vouch for this token cannot be read for the moment. Try again; if it stays so, \
                       tell the operator to look at `auth.jwks_url`.";
        Refusal::new(ErrorCode::ServerError, message)
            .unavailable()
            .retry_after(KEYS_RETRY_MS)
    })
}

/// The identity of a request. A request without a token is refused, even where guests may connect: an id that
/// changes with every request is nobody.
pub struct Caller(pub Identity);

impl<S: Sync> FromRequestParts<S> for Caller
where
    Arc<Node>: FromRef<S>,
{
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let node = Arc::<Node>::from_ref(state);
        let mut tokens = parts.headers.get_all(header::AUTHORIZATION).iter();
        let token = tokens.next().ok_or(AuthReason::Missing)?;
        let token = token.to_str().map_err(|_| AuthReason::Malformed)?;
        if tokens.next().is_some() {
            return Err(AuthReason::Malformed.into());
        }
        let identity = admit(&node, token, clock::unix_ms()).await?;
        if identity.expires_at_ms.is_none() {
            return Err(AuthReason::Missing.into());
        }
        Ok(Self(identity))
    }
}
