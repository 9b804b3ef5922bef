//! Who makes a request that needs no token, and whether its page may make it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRef, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use bmt_shared::error::ErrorCode;

use super::Refusal;
use crate::node::Node;

/// A request from a page that may make one, and by whom.
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
