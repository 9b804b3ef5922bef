//! Traces for an OpenTelemetry collector: spans of HTTP requests, of connections that open, of publishes.
//!
//! Where no collector is configured a [`Telemetry`] is nothing, and a publish asks it one question that costs a
//! comparison. Where one is, a span that is sampled is made, handed to a bounded queue without a wait, and sent by one
//! task in batches. A queue that is full drops what comes, and counts it: no request ever waits for a collector.
//!
//! A span tells of templates, sizes, codes and times. It never holds a token, a message, a channel's or a user's name,
//! or an address: whoever runs the collector need not be trusted with them.

mod arrival;
mod collector;
mod exporter;
mod publish;
mod queue;
mod request;

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::trace::{Status, TraceContextExt, TracerProvider};
use opentelemetry::{Context, InstrumentationScope, KeyValue, Value};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::TelemetryConfig;
use crate::random;
use collector::Collector;
use exporter::Exporter;
use queue::Queue;

pub(crate) use arrival::Arriving;
pub(crate) use publish::Publishing;

/// Of the time to the exit, what the last batches may take.
pub const FLUSH_LIMIT: Duration = Duration::from_secs(2);
/// What this server calls itself beside `service.name`, which the operator chooses.
const SCOPE: &str = "bmt-server";
/// Names an incident of the log in a span.
const INCIDENT: &str = "bmt.incident";
/// What went wrong, as one of few words (semantic conventions).
const ERROR_TYPE: &str = "error.type";

/// See the [module](self). A clone is the same.
#[derive(Clone, Default)]
pub struct Telemetry(Option<Arc<On>>);

struct On {
    tracer: SdkTracer,
    figures: Arc<Figures>,
    ending: CancellationToken,
    tasks: TaskTracker,
}

/// What became of spans.
#[derive(Debug, Default)]
struct Figures {
    exported: crate::meters::Counter,
    dropped: crate::meters::Counter,
}

impl Telemetry {
    /// Exports nothing.
    #[must_use]
    pub fn off() -> Self {
        Self(None)
    }

    /// Exports to the collector that is configured, if one is. Needs a running runtime.
    #[must_use]
    pub fn start(config: &TelemetryConfig) -> Self {
        let resource = Resource::builder()
            .with_service_name(config.service_name.clone())
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .with_attribute(KeyValue::new("service.instance.id", random::text::<9>()))
            .build();
        let Some(collector) = Collector::of(config, &resource) else {
            return Self::off();
        };
        let figures = Arc::<Figures>::default();
        let (queue, spans) = Queue::new(figures.clone());
        let provider = SdkTracerProvider::builder()
            .with_span_processor(queue)
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(
                config.sample_ratio,
            ))))
            .with_resource(resource)
            .build();
        let scope = InstrumentationScope::builder(SCOPE)
            .with_version(env!("CARGO_PKG_VERSION"))
            .build();
        let (ending, tasks) = (CancellationToken::new(), TaskTracker::new());
        tasks.spawn(Exporter::new(spans, collector, figures.clone(), ending.clone()).run());
        Self(Some(Arc::new(On {
            tracer: provider.tracer_with_scope(scope),
            figures,
            ending,
            tasks,
        })))
    }

    /// Whether anything is exported.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Spans that a collector took.
    #[must_use]
    pub fn exported(&self) -> u64 {
        self.0.as_ref().map_or(0, |on| on.figures.exported.get())
    }

    /// Spans that were lost: the queue was full, or no collector took them.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.0.as_ref().map_or(0, |on| on.figures.dropped.get())
    }

    /// Sends what is queued, and ends. Returns within `limit`, and within [`FLUSH_LIMIT`].
    pub async fn finish(&self, limit: Duration) {
        if let Some(on) = &self.0 {
            on.ending.cancel();
            on.tasks.close();
            // What does not end in time ends with the process.
            let _ = tokio::time::timeout(limit, on.tasks.wait()).await;
        }
    }

    fn tracer(&self) -> Option<&SdkTracer> {
        self.0.as_ref().map(|on| &on.tracer)
    }
}

/// Names an incident in the span of the request that is being answered, if there is one.
pub(crate) fn note_incident(incident: &str) {
    Context::map_current(|context| {
        let span = context.span();
        if span.is_recording() {
            span.set_attribute(KeyValue::new(INCIDENT, incident.to_owned()));
        }
    });
}

/// Says of a span that what it tells of failed, by a word of few.
fn failed(span: &mut impl opentelemetry::trace::Span, error_type: impl Into<Value>) {
    span.set_attribute(KeyValue::new(ERROR_TYPE, error_type));
    span.set_status(Status::error(""));
}
