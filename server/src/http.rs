//! The HTTP API and the web app: the whole route table, and what surrounds every route.
//!
//! `auth` is who somebody is, `api` the resources. Refusals are the failure object of SPEC §4 with the status of SPEC §10.

mod access;
pub mod address;
mod api;
mod app;
mod auth;
mod body;
mod caller;
mod control;
mod cors;
mod health;
mod idempotency;
pub mod metrics;
mod openapi;
pub mod origin;
mod pace;
mod page;
mod paging;
mod refusal;
mod reply;
mod request;
mod route;
mod traced;
mod traffic;
mod visitor;

use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::TimeoutLayer;

use crate::records::Scope::Read;
use route::{GET, route};

pub use api::table;
pub use caller::Caller;
pub use control::Control;
pub use refusal::Refusal;
pub use route::Line;

/// Bodies of the API that carry no messages and no files.
const BODY_BYTES: usize = 16 * 1_024;
/// From the first byte of a request to the last of its answer; connections are no requests.
const REQUEST_LIMIT: Duration = Duration::from_secs(30);

/// Every route. `connections` are the routes of the realtime bindings, layers of theirs included.
pub fn router(control: &Control, connections: Router) -> Router {
    let node = &control.node;
    let api = api::router(control)
        .with_state(control.clone())
        .merge(auth::router(control))
        .route("/openapi.json", get(openapi::document))
        .route("/docs", get(openapi::page))
        .route("/docs.js", get(openapi::script))
        .route("/docs.css", get(openapi::style))
        .fallback(refusal::no_such_address)
        .method_not_allowed_fallback(refusal::method_not_allowed)
        .layer(DefaultBodyLimit::max(BODY_BYTES));
    let health = Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready));
    let metrics = if node.current().config.http.open_metrics {
        Router::new().route("/metrics", get(metrics::get))
    } else {
        // Asked every few seconds: only what is refused is written down.
        let guarded = route(GET, "/metrics", Read, "figures.metrics", metrics::get).quiet();
        route::mount(vec![guarded], control)
    };
    let answered = Router::new()
        .nest("/api/v1", api)
        .merge(health)
        .merge(metrics.with_state(control.clone()))
        .merge(app::router())
        .fallback(app::file)
        .method_not_allowed_fallback(refusal::method_not_allowed)
        .with_state(node.clone())
        .layer(TimeoutLayer::with_status_code(
            StatusCode::REQUEST_TIMEOUT,
            REQUEST_LIMIT,
        ));
    let uploads = Router::new().nest("/api/v1", api::files::uploads(control));
    let all = connections
        .merge(answered)
        .merge(uploads)
        .layer(cors::allow(node))
        .layer(from_fn(cors::keep_to_ourselves));
    let all = match node.base_path() {
        "" => all,
        base => Router::new()
            .nest(base, all)
            .merge(app::home(base).with_state(node.clone()))
            .fallback(refusal::no_such_address),
    };
    let all = all
        .layer(CatchPanicLayer::custom(refusal::panicked))
        .layer(from_fn(page::secure))
        .layer(from_fn_with_state(node.clone(), request::observe))
        .layer(from_fn_with_state(control.traffic.clone(), traffic::count));
    match node.telemetry.is_on() {
        true => all.layer(from_fn_with_state(node.telemetry.clone(), traced::trace)),
        false => all,
    }
}
