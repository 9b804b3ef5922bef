//! The task that sends spans: in batches, a few attempts each, and within a time limit at the end.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry_sdk::trace::SpanData;
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::collector::{Again, Collector, Failure};
use super::{FLUSH_LIMIT, Figures};

/// Most spans of one export, as other exporters send them.
const BATCH_SPANS: usize = 512;
/// How long a span waits for others to be sent with it.
const BATCH_DELAY: Duration = Duration::from_secs(1);
/// How often a batch is sent before it is given up: long enough for a collector to start anew.
const ATTEMPTS: u32 = 5;
/// The pause before the second attempt; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// See the [module](self).
pub(super) struct Exporter {
    spans: mpsc::Receiver<SpanData>,
    collector: Collector,
    figures: Arc<Figures>,
    ending: CancellationToken,
    /// Spans of the batch that is being sent.
    in_hand: usize,
    /// Whether the last batch was not taken: told once, not for each.
    is_failing: bool,
}

impl Exporter {
    pub(super) fn new(
        spans: mpsc::Receiver<SpanData>,
        collector: Collector,
        figures: Arc<Figures>,
        ending: CancellationToken,
    ) -> Self {
        Self {
            spans,
            collector,
            figures,
            ending,
            in_hand: 0,
            is_failing: false,
        }
    }

    /// Runs until it is told to end, then sends what waits, for [`FLUSH_LIMIT`] at most.
    pub(super) async fn run(mut self) {
        info!(collector = self.collector.name(), "traces are exported");
        let ending = self.ending.clone();
        let out_of_time = async {
            ending.cancelled().await;
            sleep(FLUSH_LIMIT).await;
        };
        tokio::select! {
            () = self.export_all() => {}
            () = out_of_time => {}
        }
        self.spans.close();
        let left = self.in_hand + self.spans.len();
        if left > 0 {
            self.figures.dropped.add(left as u64);
            warn!(spans = left, "the last traces could not be exported in time");
        }
    }

    async fn export_all(&mut self) {
        loop {
            let mut batch = Vec::new();
            if !self.gather(&mut batch).await {
                return;
            }
            let delay = sleep(BATCH_DELAY);
            tokio::pin!(delay);
            while batch.len() < BATCH_SPANS {
                tokio::select! {
                    more = self.gather(&mut batch) => if !more { break },
                    () = &mut delay => break,
                }
            }
            self.export(batch).await;
        }
    }

    /// Waits for more spans of a batch. Answers false when there will be none: the end has begun, and all are taken.
    async fn gather(&mut self, batch: &mut Vec<SpanData>) -> bool {
        let room = BATCH_SPANS - batch.len();
        tokio::select! {
            taken = self.spans.recv_many(batch, room) => return taken > 0,
            () = self.ending.cancelled() => {}
        }
        // What was queued before this is still taken.
        self.spans.close();
        self.spans.recv_many(batch, room).await > 0
    }

    async fn export(&mut self, batch: Vec<SpanData>) {
        self.in_hand = batch.len();
        let body = self.collector.encode(batch);
        let mut pause = FIRST_PAUSE;
        for attempt in 1..=ATTEMPTS {
            match self.collector.send(body.clone()).await {
                Ok(rejected) => {
                    self.taken(rejected);
                    break;
                }
                Err(failure) => {
                    self.warn_of(&failure);
                    let wait = match failure.again {
                        Again::Later => pause,
                        Again::After(told) => told,
                        Again::Never => Duration::ZERO,
                    };
                    if failure.again == Again::Never || attempt == ATTEMPTS || self.ending.is_cancelled() {
                        self.figures.dropped.add(self.in_hand as u64);
                        break;
                    }
                    tokio::select! {
                        () = sleep(wait) => {}
                        () = self.ending.cancelled() => {}
                    }
                    pause *= 2;
                }
            }
        }
        self.in_hand = 0;
    }

    fn taken(&mut self, rejected: u64) {
        let sent = self.in_hand as u64;
        let rejected = rejected.min(sent);
        self.figures.exported.add(sent - rejected);
        self.figures.dropped.add(rejected);
        if rejected > 0 {
            warn!(rejected, "the collector did not want some spans");
        }
        if std::mem::take(&mut self.is_failing) {
            info!("traces are exported again");
        }
    }

    fn warn_of(&mut self, failure: &Failure) {
        if !std::mem::replace(&mut self.is_failing, true) {
            let (collector, why) = (self.collector.name(), &failure.why);
            warn!(
                collector,
                why,
                "traces cannot be exported: some wait, then they are dropped and counted (bmt_trace_spans_dropped_total)"
            );
        }
    }
}
