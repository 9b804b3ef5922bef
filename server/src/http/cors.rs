//! Which pages of other origins may read our answers; for all others the browser keeps them to itself.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::http::{HeaderName, Method, header};
use axum::middleware::Next;
use axum::response::Response;
use tower_http::cors::{AllowCredentials, AllowOrigin, CorsLayer};

use super::{access, request};
use crate::node::Node;

/// How long a browser may remember what it may ask from another origin.
const MAX_AGE: Duration = Duration::from_secs(600);

/// Tells pages of allowed origins that they may read what they asked for.
pub(super) fn allow(node: &Arc<Node>) -> CorsLayer {
    // Where anybody may ask, nobody's cookie is sent along.
    let asked = node.clone();
    let with_cookies = AllowCredentials::predicate(move |_, _| {
        let current = asked.current();
        let origins = &current.config.http.allowed_origins;
        !origins.iter().any(|origin| origin == "*")
    });
    let node = node.clone();
    let allowed = AllowOrigin::predicate(move |_, request| node.origin_allowed(&request.headers));
    CorsLayer::new()
        .allow_origin(allowed)
        .allow_credentials(with_cookies)
        .allow_methods([
            Method::GET,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
        ])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            HeaderName::from_static(access::API_KEY),
            HeaderName::from_static(super::idempotency::KEY),
        ])
        .expose_headers([header::RETRY_AFTER, HeaderName::from_static(request::REQUEST_ID)])
        .max_age(MAX_AGE)
}

/// The layer above tells of methods and headers whoever asks. Without an allowed origin they permit nothing, and a
/// page that may not ask learns nothing either (FAULTS 49).
pub(super) async fn keep_to_ourselves(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    if !headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN) {
        for name in [
            header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            header::ACCESS_CONTROL_ALLOW_METHODS,
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            header::ACCESS_CONTROL_MAX_AGE,
        ] {
            headers.remove(name);
        }
    }
    response
}
