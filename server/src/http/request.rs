//! What happens to every request at the edge: an id, a log line, the body of a refusal.
//!
//! The query of an address is never logged: it may hold a token (SPEC §2).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use tracing::{debug, warn};

use super::Refusal;
use crate::node::Node;
use crate::random;

/// The header that names a request in answers and in the log.
pub(super) const REQUEST_ID: &str = "x-request-id";

/// The same, for what is written down while the request is handled.
#[derive(Clone, Debug)]
pub(super) struct RequestId(pub(super) String);

pub(super) async fn observe(
    State(node): State<Arc<Node>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
    next: Next,
) -> Response {
    let began = Instant::now();
    let id = random::text::<9>();
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let address = node.client_address(peer.ip(), request.headers());
    request.extensions_mut().insert(RequestId(id.clone()));
    let mut response = next.run(request).await;
    finish(&mut response, &id);
    let status = response.status().as_u16();
    let ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    if response.status().is_server_error() {
        warn!(id, %method, path, %address, status, ms, "request failed");
    } else {
        debug!(id, %method, path, %address, status, ms, "request");
    }
    response
}

fn finish(response: &mut Response, id: &str) {
    let refusal = match response.status() {
        // Made by the time limit around all routes, which knows nothing of our bodies.
        StatusCode::REQUEST_TIMEOUT => Some(super::refusal::too_slow()),
        _ => response.extensions_mut().remove::<Refusal>(),
    };
    if let Some(refusal) = refusal {
        *response.body_mut() = Body::from(refusal.body(id));
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        response.headers_mut().remove(header::CONTENT_LENGTH);
    }
    let id = HeaderValue::from_str(id).expect("the id is of letters, digits, `-` and `_`");
    response.headers_mut().insert(REQUEST_ID, id);
}
