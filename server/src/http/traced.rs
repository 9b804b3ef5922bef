//! Each request as a span, where traces are exported.

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use opentelemetry::trace::FutureExt;

use super::traffic;
use crate::telemetry::Telemetry;

/// Asked every few seconds by machines.
const UNTRACED: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// A layer around all routes.
pub(super) async fn trace(State(telemetry): State<Telemetry>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let route = route.filter(|template| traffic::is_route(template));
    let is_probe = route.is_some_and(|route| UNTRACED.iter().any(|probe| route.ends_with(probe)));
    if is_probe || continues_session(&request) {
        return next.run(request).await;
    }
    let method = traffic::name(request.method());
    let context = telemetry.request(method, route, request.version(), request.headers());
    let response = next.run(request).with_context(context.clone()).await;
    Telemetry::answered(&context, response.status());
    response
}

/// The polls of a Socket.IO session are its frames, and wait as long as there are none.
fn continues_session(request: &Request) -> bool {
    let query = request.uri().query().unwrap_or_default();
    request.uri().path().ends_with("/socket.io/") && query.split('&').any(|part| part.starts_with("sid="))
}
