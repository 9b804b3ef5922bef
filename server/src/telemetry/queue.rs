//! Spans that wait to be sent: a bounded queue that never makes anybody wait.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};
use tokio::sync::mpsc;

use super::Figures;

/// Most spans that wait: about 8 MB, and what a busy server makes while a collector restarts. Beyond it spans are
/// dropped and counted.
pub(super) const QUEUE_SPANS: usize = 8_192;

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Queue {
    waiting: mpsc::Sender<SpanData>,
    figures: Arc<Figures>,
}

impl Queue {
    pub(super) fn new(figures: Arc<Figures>) -> (Self, mpsc::Receiver<SpanData>) {
        let (waiting, spans) = mpsc::channel(QUEUE_SPANS);
        (Self { waiting, figures }, spans)
    }
}

impl SpanProcessor for Queue {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        if self.waiting.try_send(span).is_err() {
            self.figures.dropped.add(1);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    // The exporter ends by `Telemetry::finish`, which need not block a thread.
    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}
