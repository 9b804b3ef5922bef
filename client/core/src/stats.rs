//! Counts since the client was made.

/// Round trips that the percentiles are taken over.
const LATENCY_WINDOW: usize = 128;

/// What the client has done. All counts are since it was made.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Stats {
    /// Channel messages handed to the application.
    pub messages_received: u64,
    /// Messages that the server has acked.
    pub messages_published: u64,
    /// Repetitions that were dropped.
    pub duplicates_dropped: u64,
    /// Gaps that a recovery was asked for.
    pub recoveries: u64,
    /// Gaps that stayed.
    pub gaps: u64,
    /// Connections after the first.
    pub reconnects: u64,
    /// Frames received.
    pub frames_received: u64,
    /// Frames sent.
    pub frames_sent: u64,
    /// Bytes received in frames; of messages that the driver read, as many as it told.
    pub bytes_received: u64,
    /// Bytes sent in frames.
    pub bytes_sent: u64,
    /// Messages of the present user that wait to be acked.
    pub queue_size: usize,
    /// Channels subscribed, or wanted while there is no connection.
    pub subscriptions: usize,
    /// The last round trip, ms.
    pub latency_last_ms: Option<u64>,
    /// Median of the last round trips, ms.
    pub latency_p50_ms: Option<u64>,
    /// 95th percentile, ms.
    pub latency_p95_ms: Option<u64>,
    /// 99th percentile, ms.
    pub latency_p99_ms: Option<u64>,
}

/// Counts as they grow.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) counts: Stats,
    /// In the order they came.
    latencies: Vec<u64>,
}

impl Counters {
    pub(crate) fn latency(&mut self, ms: u64) {
        if self.latencies.len() == LATENCY_WINDOW {
            self.latencies.remove(0);
        }
        self.latencies.push(ms);
    }

    pub(crate) fn snapshot(&self) -> Stats {
        let mut sorted = Vec::with_capacity(self.latencies.len());
        for ms in &self.latencies {
            let at = sorted.partition_point(|known| known < ms);
            sorted.insert(at, *ms);
        }
        let percentile = |percent: usize| {
            let last = sorted.len().checked_sub(1)?;
            sorted.get((last * percent).div_ceil(100)).copied()
        };
        Stats {
            latency_last_ms: self.latencies.last().copied(),
            latency_p50_ms: percentile(50),
            latency_p95_ms: percentile(95),
            latency_p99_ms: percentile(99),
            ..self.counts.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_last_round_trips() {
        let mut counters = Counters::default();
        assert_eq!(counters.snapshot().latency_p50_ms, None);
        for ms in 0..=200 {
            counters.latency(ms);
        }
        let stats = counters.snapshot();
        assert_eq!(stats.latency_last_ms, Some(200));
        assert_eq!(stats.latency_p50_ms, Some(137));
        assert_eq!(stats.latency_p99_ms, Some(199));
    }
}
