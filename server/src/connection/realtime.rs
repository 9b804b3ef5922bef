//! The endpoints of live connections as one part of the server.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::routing::any;
use bmt_shared::close::CloseCode;

use super::{Context, Live, Settings, raw, socketio};
use crate::auth::Authenticator;
use crate::shards::Shards;

/// How long the library may take to close what is left.
const LIBRARY_CLOSE: Duration = Duration::from_secs(1);

/// See the [module](self).
pub struct Realtime {
    context: Arc<Context>,
    socketio: Arc<socketio::Endpoint>,
}

impl Realtime {
    /// Opens no socket: that is whoever serves [`Self::router`].
    #[must_use]
    pub fn new(shards: Shards, authenticator: Arc<Authenticator>, settings: Settings) -> Self {
        let live = Live::new(settings.capacity);
        let context = Arc::new(Context {
            shards,
            authenticator,
            settings,
            live,
        });
        let socketio = socketio::Endpoint::new(&context);
        Self { context, socketio }
    }

    /// The routes. `address` tells where a request comes from: for the limits per address.
    pub fn router(&self, address: fn(&Request) -> IpAddr) -> Router {
        let endpoint = self.socketio.clone();
        let socketio = any(move |request: Request| endpoint.clone().handle(address(&request), request));
        let context = self.context.clone();
        let raw = any(async move |request: Request| raw::handle(context.clone(), address(&request), request));
        Router::new()
            .route("/socket.io/", socketio)
            .route("/api/v1/ws", raw)
    }

    /// The connections that live now.
    #[must_use]
    pub fn live(&self) -> &Live {
        &self.context.live
    }

    /// Lets nobody in any more, tells everybody to come back, each at another moment, and closes their
    /// transports. Returns when all are gone, or after `limit`.
    pub async fn shutdown(&self, limit: Duration) {
        let live = &self.context.live;
        live.stop();
        for connection in live.all() {
            let spread = self.context.settings.retry_spread_ms;
            connection.close(CloseCode::Restart, "restart", Some(spread));
        }
        if tokio::time::timeout(limit, live.emptied()).await.is_err() {
            let (connections, transports) = live.count();
            tracing::warn!(connections, transports, "connections did not close in time; leaving them behind");
        }
        self.socketio.stop(LIBRARY_CLOSE).await;
    }
}
