//! The endpoints of live connections as one part of the server.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::http::StatusCode;
use axum::routing::any;
use bmt_shared::close::CloseCode;
use bmt_shared::error::{ErrorCode, Failure};
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::SizeAbove;

use super::handshake::refusal;
use super::{Context, Follower, Live, Settings, memberships, raw, revocation, socketio};
use crate::node::Node;
use crate::records::Denials;
use crate::shards::Shards;

/// What a poll fetches is compressed from this size on, bytes, as official servers do.
const COMPRESSED_FROM: u64 = 1_024;
/// Why a page was not let in, in the audit log.
const FOREIGN: &str = "foreign_origin";

/// See the [module](self).
pub struct Realtime {
    context: Arc<Context>,
    socketio: Arc<socketio::Endpoint>,
}

impl Realtime {
    /// Opens no socket: that is whoever serves [`Self::router`].
    #[must_use]
    pub fn new(node: Arc<Node>, shards: Shards, denials: Denials) -> Self {
        let (settings, live) = {
            let current = node.current();
            (Settings::of(&current.config), Live::new(current.terms.capacity))
        };
        let context = Arc::new(Context {
            node,
            shards,
            settings,
            live,
            denials,
        });
        revocation::watch(&context);
        memberships::watch(&context);
        let socketio = socketio::Endpoint::new(&context);
        Self { context, socketio }
    }

    /// The routes, without a fallback.
    pub fn router(&self) -> Router {
        let endpoint = self.socketio.clone();
        let socketio = any(async move |request: Request| {
            let address = address(&endpoint.context, &request);
            if endpoint.context.node.origin_allowed(request.headers()) {
                endpoint.handle(address, request).await
            } else {
                endpoint.context.deny(address, FOREIGN, 403);
                socketio::foreign()
            }
        });
        let context = self.context.clone();
        let raw = any(async move |request: Request| {
            let address = address(&context, &request);
            if context.node.origin_allowed(request.headers()) {
                raw::handle(context, address, request)
            } else {
                context.deny(address, FOREIGN, 403);
                let message = "pages of this origin may not connect; add it to `http.allowed_origins`";
                let failure = Failure::new(ErrorCode::PermissionDenied, message);
                refusal(StatusCode::FORBIDDEN, &failure)
            }
        });
        let packed = CompressionLayer::new().compress_when(SizeAbove::new(COMPRESSED_FROM));
        Router::new()
            .route("/socket.io/", socketio.layer(packed))
            .route("/api/v1/ws", raw)
    }

    /// The connections that live now.
    #[must_use]
    pub fn live(&self) -> &Live {
        &self.context.live
    }

    /// For a reload: hands new terms on to every connection.
    #[must_use]
    pub fn follower(&self) -> Follower {
        Follower(self.context.clone())
    }

    /// Lets nobody in any more, answers what is in flight, tells everybody to come back, each at another moment,
    /// and closes their transports. Returns when all are gone, or soon after `limit`.
    pub async fn shutdown(&self, limit: Duration) {
        let live = &self.context.live;
        live.stop();
        // Before anybody is told to go: an ack that is due goes out ahead of the goodbye.
        if tokio::time::timeout(limit, self.context.shards.drain())
            .await
            .is_err()
        {
            tracing::warn!("the message store did not finish in time");
        }
        for connection in live.all() {
            let spread = self.context.settings.retry_spread_ms;
            connection.close(CloseCode::Restart, "restart", Some(spread));
        }
        if tokio::time::timeout(limit, live.emptied()).await.is_err() {
            let (connections, transports) = live.count();
            tracing::warn!(
                connections,
                transports,
                "connections did not close in time; leaving them behind"
            );
        }
        self.socketio.stop();
    }
}

/// Where a request comes from: for the limits per address.
fn address(context: &Context, request: &Request) -> IpAddr {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let peer = peer.map_or(IpAddr::from([0; 4]), |ConnectInfo(peer)| peer.ip());
    context.node.client_address(peer, request.headers())
}
