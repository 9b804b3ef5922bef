//! The HTTP API and the web app: the whole route table, and what surrounds every route.
//!
//! A file per resource. Refusals are the failure object of SPEC §4 with the status of SPEC §10.

mod access;
mod account;
pub mod address;
mod app;
mod audit;
mod body;
mod broadcast;
mod caller;
mod channels;
mod connections;
mod control;
mod cookies;
mod errors;
mod explain;
mod guest;
mod health;
mod history;
mod keys;
mod login;
mod logout;
mod me;
mod members;
pub mod metrics;
mod notify;
mod openapi;
pub mod origin;
mod page;
mod password;
mod publish;
mod refresh;
mod refusal;
mod register;
mod reply;
mod request;
mod route;
mod session;
mod sessions;
mod stats;
mod ticket;
mod users;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderName, Method, StatusCode, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{delete, get, post};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{AllowOrigin, CorsLayer};
use tower_http::timeout::TimeoutLayer;

use crate::config::Config;
use crate::node::Node;
use crate::records::Scope::{Admin, Publish, Read};
use route::{DELETE, GET, PATCH, POST, Route, route};

pub use caller::Caller;
pub use control::Control;
pub use refusal::Refusal;
pub use route::Line;

/// Bodies of the API that carry no messages and no files.
const BODY_BYTES: usize = 16 * 1_024;
/// From the first byte of a request to the last of its answer; connections are no requests.
const REQUEST_LIMIT: Duration = Duration::from_secs(30);
/// How long a browser may remember what it may ask from another origin.
const CORS_MAX_AGE: Duration = Duration::from_secs(600);

/// The routes of administrators and of programs with an API key (SPEC §8): method, address, the scope that a key
/// needs, the act's name in the audit log.
#[rustfmt::skip]
fn guarded(config: &Config) -> Vec<Route> {
    let message = config.limits.frame_bytes();
    vec![
        // Messages have their record in the history: only what is refused of the first is written down.
        route(POST, "/publish", Publish, "message.publish", publish::post).body(message).quiet(),
        route(POST, "/broadcast", Publish, "message.broadcast", broadcast::post).body(message),
        route(POST, "/notify", Publish, "message.notify", notify::post).body(message),
        route(GET, "/channels", Read, "channel.list", channels::list),
        route(GET, "/channels/{topic}/history", Read, "channel.history", history::get),
        route(GET, "/channels/{topic}/presence", Read, "channel.presence", channels::presence),
        route(GET, "/permissions/explain", Admin, "permission.explain", explain::get),
        route(GET, "/connections", Read, "connection.list", connections::list),
        route(DELETE, "/connections/{id}", Admin, "connection.end", connections::end),
        route(GET, "/stats", Read, "figures.stats", stats::get),
        route(GET, "/users", Admin, "user.list", users::list),
        route(POST, "/users", Admin, "user.create", users::create),
        route(GET, "/users/{id}", Admin, "user.read", users::get),
        route(PATCH, "/users/{id}", Admin, "user.change", users::change),
        route(DELETE, "/users/{id}", Admin, "user.remove", users::remove),
        route(POST, "/users/{id}/block", Admin, "user.block", users::block),
        route(POST, "/users/{id}/unblock", Admin, "user.unblock", users::unblock),
        route(POST, "/users/{id}/disconnect", Admin, "user.disconnect", connections::end_of_user),
        route(POST, "/users/{id}/password-reset", Admin, "user.password_reset", password::make_reset),
        route(GET, "/keys", Admin, "key.list", keys::list),
        route(POST, "/keys", Admin, "key.create", keys::create),
        route(DELETE, "/keys/{id}", Admin, "key.revoke", keys::revoke),
        route(GET, "/audit", Admin, "audit.list", audit::list),
        route(GET, "/errors", Admin, "error.list", errors::list),
    ]
}

/// The table of guarded routes, for whoever describes or tests it: method, address below `/api/v1`, scope, act.
#[must_use]
pub fn table(config: &Config) -> Vec<Line> {
    guarded(config).iter().map(Route::line).collect()
}

/// Every route. `connections` are the routes of the realtime bindings, layers of theirs included.
pub fn router(control: &Control, connections: Router) -> Router {
    let node = &control.node;
    let open = Router::new()
        .route("/auth/login", post(login::post))
        .route("/auth/refresh", post(refresh::post))
        .route("/auth/logout", post(logout::post))
        .route("/auth/me", get(me::get))
        .route("/auth/guest", post(guest::post))
        .route("/auth/register", post(register::post))
        .route("/auth/password", post(password::post))
        .route("/auth/password/reset", post(password::reset))
        .route("/auth/sessions", get(sessions::list))
        .route("/auth/sessions/{id}", delete(sessions::end))
        .route("/auth/logout-all", post(sessions::end_all))
        // Whatever is tried here is written down.
        .route_layer(from_fn_with_state(control.clone(), access::watch));
    let api = route::mount(guarded(&node.config), control)
        // Open to every page that may talk to us: the app reports its own crashes.
        .route("/errors", post(errors::report))
        .merge(members::router(control))
        .with_state(control.clone())
        .merge(open)
        .route("/openapi.json", get(openapi::document))
        .route("/docs", get(openapi::page))
        .route("/docs.js", get(openapi::script))
        .route("/docs.css", get(openapi::style))
        // Asked for with every connection: an act that is not worth a row.
        .route("/ws-ticket", post(ticket::post))
        .fallback(refusal::no_such_address)
        .method_not_allowed_fallback(refusal::method_not_allowed)
        .layer(DefaultBodyLimit::max(BODY_BYTES));
    let health = Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready));
    let metrics = if node.config.http.open_metrics {
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
    let all = connections.merge(answered).layer(cors(node));
    let all = match node.config.http.base() {
        "" => all,
        base => Router::new().nest(base, all).fallback(refusal::no_such_address),
    };
    all.layer(CatchPanicLayer::custom(refusal::panicked))
        .layer(from_fn(page::secure))
        .layer(from_fn_with_state(node.clone(), request::observe))
}

/// Lets pages of allowed origins read our answers; for all others the browser keeps them to itself.
fn cors(node: &Arc<Node>) -> CorsLayer {
    // Where anybody may ask, nobody's cookie is sent along.
    let with_cookies = !node
        .config
        .http
        .allowed_origins
        .iter()
        .any(|origin| origin == "*");
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
        ])
        .expose_headers([header::RETRY_AFTER, HeaderName::from_static(request::REQUEST_ID)])
        .max_age(CORS_MAX_AGE)
}
