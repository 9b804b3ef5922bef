//! Who somebody is: logging in and out, the own sessions, and tickets for connections (SPEC §2).

mod account;
mod cookies;
mod guest;
pub(super) mod login;
mod logout;
pub(super) mod me;
pub(super) mod password;
mod refresh;
pub(super) mod register;
pub(super) mod session;
pub(super) mod sessions;
pub(super) mod ticket;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{delete, get, post};

use super::control::Control;
use super::{access, pace};
use crate::node::Node;

pub(super) use cookies::REFRESH as REFRESH_COOKIE;

/// The routes. Whatever is tried here is written down, but for tickets, which are asked for with every connection.
pub(super) fn router(control: &Control) -> Router<Arc<Node>> {
    Router::new()
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
        .route_layer(from_fn_with_state(control.clone(), access::watch))
        .route("/ws-ticket", post(ticket::post))
        .route_layer(from_fn_with_state(control.clone(), pace::open))
}
