//! One line of the table of guarded routes.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;
use axum::http::Method;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodFilter, MethodRouter, on};

use super::access::{self, Guard};
use super::control::Control;
use crate::records::Scope;

pub(super) const GET: Method = Method::GET;
pub(super) const POST: Method = Method::POST;
pub(super) const PATCH: Method = Method::PATCH;
pub(super) const DELETE: Method = Method::DELETE;

/// A guarded route as it can be told to others.
#[derive(Clone, Debug)]
pub struct Line {
    /// The method.
    pub method: Method,
    /// The address below `/api/v1`, with `{names}` for what varies.
    pub path: &'static str,
    /// What an API key needs; an administrator's token has all.
    pub scope: Scope,
    /// The name in the audit log.
    pub act: &'static str,
    /// Whether successes are written down too.
    pub notes_success: bool,
}

/// A method on an address, who may use it, and what it is called in the audit log.
pub(super) struct Route {
    pub(super) method: Method,
    pub(super) path: &'static str,
    pub(super) guard: Guard,
    handler: MethodRouter<Control>,
}

impl Route {
    /// Most bytes of the body, where it is not the usual.
    pub(super) fn body(mut self, bytes: usize) -> Self {
        self.handler = self.handler.layer(DefaultBodyLimit::max(bytes));
        self
    }

    pub(super) fn line(&self) -> Line {
        Line {
            method: self.method.clone(),
            path: self.path,
            scope: self.guard.scope,
            act: self.guard.act,
            notes_success: self.guard.notes_success,
        }
    }

    /// Only refused and failed attempts are written down.
    pub(super) fn quiet(mut self) -> Self {
        self.guard.notes_success = false;
        self
    }
}

/// A guarded route.
pub(super) fn route<H: Handler<T, Control>, T: 'static>(
    method: Method,
    path: &'static str,
    scope: Scope,
    act: &'static str,
    handler: H,
) -> Route {
    let filter = MethodFilter::try_from(method.clone()).expect("the table has standard methods");
    Route {
        method,
        path,
        guard: Guard {
            scope,
            act,
            notes_success: true,
        },
        handler: on(filter, handler),
    }
}

/// The routes, each behind its guard.
pub(super) fn mount(routes: Vec<Route>, control: &Control) -> Router<Control> {
    let mut router = Router::new();
    for Route {
        path, guard, handler, ..
    } in routes
    {
        let guarded = handler.layer(from_fn_with_state((control.clone(), guard), access::guard));
        router = router.route(path, guarded);
    }
    router
}
