//! The resources of the HTTP API, a file each (SPEC §8).

pub(super) mod audit;
pub(super) mod broadcast;
pub(super) mod channels;
pub(super) mod connections;
pub(super) mod errors;
pub(super) mod explain;
pub(super) mod files;
pub(super) mod history;
pub(super) mod keys;
pub(super) mod members;
pub(super) mod notify;
mod publish;
pub(super) mod stats;
pub(super) mod user_data;
pub(super) mod users;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::post;

use super::auth::password;
use super::control::Control;
use super::pace;
use super::route::{self, DELETE, GET, Line, PATCH, POST, Route, route};
use crate::config::Config;
use crate::records::Scope::{Admin, Publish, Read};

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
        route(GET, "/users/{id}/data", Admin, "user.export", user_data::get),
        route(DELETE, "/users/{id}/data", Admin, "user.erase", user_data::delete),
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

/// The routes, those of users too.
pub(super) fn router(control: &Control) -> Router<Control> {
    route::mount(guarded(&control.node.current().config), control)
        // Open to every page that may talk to us: the app reports its own crashes.
        .route("/errors", post(errors::report))
        .merge(files::served())
        .merge(
            members::router(control)
                .merge(files::router(control))
                .route_layer(from_fn_with_state(control.clone(), pace::open)),
        )
}
