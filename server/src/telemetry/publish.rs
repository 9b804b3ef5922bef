//! The span of a publish, from the hand-over to its channel until the ack is handed over, and of its storing in it.

use std::time::SystemTime;

use bmt_shared::channel::ChannelName;
use bmt_shared::error::Failure;
use bmt_shared::reply::Published;
use opentelemetry::trace::{Span as _, SpanBuilder, SpanKind, TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{SdkTracer, Span};

use super::{INCIDENT, Telemetry, failed};

/// A publish that is traced. Its span ends when this is dropped. Boxed, because nearly all publishes are without.
pub(crate) struct Publishing(Box<Inner>);

struct Inner {
    span: Span,
    tracer: SdkTracer,
    /// When the store got it.
    stored_from: Option<SystemTime>,
    is_settled: bool,
}

impl Telemetry {
    /// Begins the span of a publish of so many bytes, where it is sampled: in the request that is being answered, or
    /// on its own. `topic` lies in a namespace that is configured.
    pub(crate) fn publish(&self, topic: &ChannelName, bytes: usize) -> Option<Publishing> {
        let tracer = self.tracer()?;
        let kind = match Context::map_current(TraceContextExt::has_active_span) {
            true => SpanKind::Internal,
            // It came over a connection.
            false => SpanKind::Server,
        };
        let mut span = tracer.build(SpanBuilder::from_name("publish").with_kind(kind));
        if !span.is_recording() {
            return None;
        }
        let size = i64::try_from(bytes).unwrap_or(i64::MAX);
        span.set_attribute(KeyValue::new("messaging.system", "bmt"));
        span.set_attribute(KeyValue::new("messaging.operation.name", "publish"));
        span.set_attribute(KeyValue::new("messaging.message.body.size", size));
        span.set_attribute(KeyValue::new("bmt.namespace", topic.namespace().to_owned()));
        Some(Publishing(Box::new(Inner {
            span,
            tracer: tracer.clone(),
            stored_from: None,
            is_settled: false,
        })))
    }
}

impl Publishing {
    /// It goes to the store with the others of this turn.
    pub(crate) fn handed_over(&mut self) {
        self.0.stored_from = Some(SystemTime::now());
    }

    /// The store has answered, `rows` at once.
    pub(crate) fn stored(&mut self, rows: usize, incident: Option<&str>) {
        let Some(began) = self.0.stored_from.take() else {
            return;
        };
        let parent = Context::new().with_remote_span_context(self.0.span.span_context().clone());
        let builder = SpanBuilder::from_name("store").with_start_time(began);
        let mut span = self.0.tracer.build_with_context(builder, &parent);
        let rows = i64::try_from(rows).unwrap_or(i64::MAX);
        span.set_attribute(KeyValue::new("bmt.batch.rows", rows));
        if let Some(incident) = incident {
            self.0
                .span
                .set_attribute(KeyValue::new(INCIDENT, incident.to_owned()));
            span.set_attribute(KeyValue::new(INCIDENT, incident.to_owned()));
            failed(&mut span, "store");
        }
        span.end();
    }

    /// What became of it.
    pub(crate) fn settled(&mut self, outcome: Result<&Published, &Failure>) {
        self.0.is_settled = true;
        let span = &mut self.0.span;
        match outcome {
            Ok(published) => {
                let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
                let id = published.message_id.as_str().to_owned();
                span.set_attribute(KeyValue::new("messaging.message.id", id));
                span.set_attribute(KeyValue::new("bmt.seq", number(published.seq)));
                span.set_attribute(KeyValue::new("bmt.delivered_to", number(published.delivered_to)));
                if published.duplicate {
                    span.set_attribute(KeyValue::new("bmt.duplicate", true));
                }
            }
            Err(failure) => failed(span, failure.code.as_str().to_owned()),
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Its channel never took it: the shard was full, or is gone.
        if !self.is_settled {
            failed(&mut self.span, "refused");
        }
    }
}
