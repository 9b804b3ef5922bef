//! Requests in figures: how many of which route came to what end, how long they took, how many there are now.
//!
//! A route is told by its template, so that nobody can make up a new series: there are as many as there are lines in
//! the route tables, times a few methods.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;

use crate::meters::{Counter, Latency, Spread};

/// What stands for all addresses without a route: files of the app, and what is not there.
const OTHER: &str = "other";
/// The classes of statuses, as they are told.
pub(super) const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// A route's template and a method.
type Asked = (Box<str>, &'static str);

/// See the [module](self).
#[derive(Default)]
pub(super) struct Traffic {
    // Written when a route is asked for the first time, and read ever after.
    routes: RwLock<HashMap<Asked, Arc<Ended>>>,
    in_flight: AtomicU64,
}

#[derive(Default)]
struct Ended {
    by_class: [Counter; CLASSES.len()],
    took: Latency,
}

/// One route and method at one moment.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// The route's template.
    pub(super) route: String,
    pub(super) method: &'static str,
    /// In the order of [`CLASSES`].
    pub(super) by_class: [u64; CLASSES.len()],
    pub(super) took: Spread,
}

impl Traffic {
    /// Requests that are not answered yet; a poll that waits is one, a connection that was turned over is none.
    pub(super) fn in_flight(&self) -> u64 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// All that were asked for so far, by route and method.
    pub(super) fn lines(&self) -> Vec<Line> {
        let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        let mut lines: Vec<_> = routes
            .iter()
            .map(|((route, method), ended)| Line {
                route: route.to_string(),
                method,
                by_class: ended.by_class.each_ref().map(Counter::get),
                took: ended.took.spread(),
            })
            .collect();
        drop(routes);
        lines.sort_unstable_by(|one, other| (&one.route, one.method).cmp(&(&other.route, other.method)));
        lines
    }

    fn ended(&self, route: &str, method: &'static str) -> Arc<Ended> {
        let key = (Box::from(route), method);
        if let Some(ended) = self
            .routes
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&key)
        {
            return ended.clone();
        }
        let mut routes = self.routes.write().unwrap_or_else(PoisonError::into_inner);
        routes.entry(key).or_default().clone()
    }
}

/// Counts one request, the one that is given up half-way included.
struct InFlight(Arc<Traffic>);

impl InFlight {
    fn begin(traffic: Arc<Traffic>) -> Self {
        traffic.in_flight.fetch_add(1, Ordering::Relaxed);
        Self(traffic)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A layer around all routes.
pub(super) async fn count(State(traffic): State<Arc<Traffic>>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map(MatchedPath::as_str)
        .filter(|template| is_route(template))
        .map_or_else(|| Box::from(OTHER), Box::<str>::from);
    let ended = traffic.ended(&route, name(request.method()));
    let in_flight = InFlight::begin(traffic);
    let response = next.run(request).await;
    drop(in_flight);
    ended.took.note(began.elapsed());
    ended.by_class[class(response.status())].add(1);
    response
}

/// Whether this is a template of the tables, and not what the router itself calls the way to a fallback.
pub(super) fn is_route(template: &str) -> bool {
    !template.contains("__private")
}

/// Anybody can make up a method.
pub(super) fn name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => OTHER,
    }
}

fn class(status: StatusCode) -> usize {
    usize::from(status.as_u16() / 100).clamp(1, CLASSES.len()) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_a_class_and_every_method_a_name_of_a_few() {
        for status in 100..1_000 {
            let status = StatusCode::from_u16(status).unwrap();
            assert!(CLASSES[class(status)].starts_with(['1', '2', '3', '4', '5']));
        }
        assert_eq!(CLASSES[class(StatusCode::NOT_FOUND)], "4xx");
        assert_eq!(name(&Method::from_bytes(b"MADEUP").unwrap()), "other");
    }
}
