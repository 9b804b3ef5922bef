//! The span of an HTTP request, by the semantic conventions for HTTP servers.

use axum::http::{HeaderMap, StatusCode, Version};
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{Span, SpanBuilder, SpanKind, Status, TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::propagation::TraceContextPropagator;

use super::{ERROR_TYPE, Telemetry};

/// The headers of W3C Trace Context, as the library asks for them.
struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(|name| name.as_str()).collect()
    }
}

impl Telemetry {
    /// Begins the span of a request, under the one that its `traceparent` names. `route` is the route's template, none
    /// where there is no route. What goes on in the context that this answers with belongs to the span.
    pub(crate) fn request(
        &self,
        method: &'static str,
        route: Option<&str>,
        version: Version,
        headers: &HeaderMap,
    ) -> Context {
        let parent = TraceContextPropagator::new().extract_with_context(&Context::new(), &Headers(headers));
        let Some(tracer) = self.tracer() else {
            return parent;
        };
        let name = match route {
            Some(route) => format!("{method} {route}"),
            None => method.to_owned(),
        };
        let builder = SpanBuilder::from_name(name).with_kind(SpanKind::Server);
        let mut span = tracer.build_with_context(builder, &parent);
        if span.is_recording() {
            span.set_attribute(KeyValue::new("http.request.method", method));
            span.set_attribute(KeyValue::new("network.protocol.version", spoken(version)));
            if let Some(route) = route {
                span.set_attribute(KeyValue::new("http.route", route.to_owned()));
            }
        }
        parent.with_span(span)
    }

    /// Ends the span of a request.
    pub(crate) fn answered(context: &Context, status: StatusCode) {
        let span = context.span();
        if span.is_recording() {
            let code = status.as_u16();
            span.set_attribute(KeyValue::new("http.response.status_code", i64::from(code)));
            // A request that is refused is no error of the server's.
            if status.is_server_error() {
                span.set_attribute(KeyValue::new(ERROR_TYPE, code.to_string()));
                span.set_status(Status::error(""));
            }
            span.end();
        }
    }
}

fn spoken(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        _ => "1.1",
    }
}
