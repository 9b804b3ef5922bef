//! The span of a connection in the making: from its handshake to `connected`, or to the refusal.

use std::time::SystemTime;

use opentelemetry::trace::{Span, SpanBuilder, SpanContext, SpanKind, TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue};

use super::{Telemetry, failed};

/// A handshake that was answered: when, and in which request. It lives as long as the connection, so it is small.
#[derive(Debug)]
pub(crate) struct Arriving {
    began: SystemTime,
    request: SpanContext,
}

impl Arriving {
    /// None outside a request that has a span: nothing is exported then.
    pub(crate) fn now() -> Option<Box<Self>> {
        Context::map_current(|context| {
            context.has_active_span().then(|| {
                Box::new(Self {
                    began: SystemTime::now(),
                    request: context.span().span_context().clone(),
                })
            })
        })
    }
}

impl Telemetry {
    /// A connection was let in, or was refused for a reason of few.
    pub(crate) fn arrived(
        &self,
        arriving: Option<&Arriving>,
        transport: &'static str,
        outcome: Result<(), &'static str>,
    ) {
        let (Some(tracer), Some(arriving)) = (self.tracer(), arriving) else {
            return;
        };
        let request = Context::new().with_remote_span_context(arriving.request.clone());
        let builder = SpanBuilder::from_name("connect")
            .with_kind(SpanKind::Internal)
            .with_start_time(arriving.began);
        let mut span = tracer.build_with_context(builder, &request);
        if span.is_recording() {
            span.set_attribute(KeyValue::new("bmt.transport", transport));
            if let Err(reason) = outcome {
                failed(&mut span, reason);
            }
            span.end();
        }
    }
}
