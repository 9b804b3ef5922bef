//! What is counted while messages flow: numbers that many threads add to, without a lock.
//!
//! A message costs three additions, whatever the number of its receivers. Adding is relaxed: figures are looked at
//! seconds later, and none decides anything.

use std::array;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// One number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Counts some more.
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// What was counted so far.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// See the [module](self).
#[derive(Debug)]
pub struct Meters {
    /// When counting began.
    pub began: Instant,
    /// Messages published and kept.
    pub messages: Counter,
    /// Messages handed to connections.
    pub deliveries: Counter,
    /// Signals published.
    pub signals: Counter,
    /// Publishes that a channel or a store refused.
    pub publish_failures: Counter,
    /// Connections that were opened.
    pub connections: Counter,
    /// Connections that were closed because they read too slowly.
    pub slow_consumers: Counter,
    /// Configurations that were read again and taken over.
    pub reloads: Counter,
    /// Configurations that were read again and had a mistake.
    pub failed_reloads: Counter,
    /// Files that were uploaded and kept.
    pub uploads: Counter,
    /// Bytes of them, as they are kept.
    pub upload_bytes: Counter,
    /// Uploads that were refused or broke off.
    pub upload_failures: Counter,
    /// From a publish being taken to its hand-over to all receivers and its ack.
    pub latency: Latency,
}

impl Default for Meters {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            messages: Counter::default(),
            deliveries: Counter::default(),
            signals: Counter::default(),
            publish_failures: Counter::default(),
            connections: Counter::default(),
            slow_consumers: Counter::default(),
            reloads: Counter::default(),
            failed_reloads: Counter::default(),
            uploads: Counter::default(),
            upload_bytes: Counter::default(),
            upload_failures: Counter::default(),
            latency: Latency::default(),
        }
    }
}

/// Buckets of one power of two: a bucket's bounds lie at most an eighth apart.
const PARTS: u64 = 8;
const PART_BITS: u32 = PARTS.trailing_zeros();
/// Longer than 2^26 µs, 67 s, counts as that.
const TOP_BITS: u32 = 26;
/// Whole microseconds below [`PARTS`], then [`PARTS`] a power of two.
const BUCKETS: usize = (PARTS as usize) * ((TOP_BITS - PART_BITS) as usize + 1);

/// How long things took: a fixed number of buckets, from a microsecond to a minute.
#[derive(Debug)]
pub struct Latency {
    buckets: [Counter; BUCKETS],
    sum_us: Counter,
}

impl Default for Latency {
    fn default() -> Self {
        Self {
            buckets: array::from_fn(|_| Counter::default()),
            sum_us: Counter::default(),
        }
    }
}

/// The buckets at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spread {
    counts: Vec<u64>,
    sum_us: u64,
}

impl Latency {
    /// Notes one.
    pub fn note(&self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let us = us.min((1 << TOP_BITS) - 1);
        self.buckets[bucket(us)].add(1);
        self.sum_us.add(us);
    }

    /// All that were noted so far.
    #[must_use]
    pub fn spread(&self) -> Spread {
        Spread {
            counts: self.buckets.iter().map(Counter::get).collect(),
            sum_us: self.sum_us.get(),
        }
    }
}

impl Spread {
    /// What came after an earlier moment.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let counts = self.counts.iter().zip(&earlier.counts);
        Self {
            counts: counts.map(|(now, then)| now.saturating_sub(*then)).collect(),
            sum_us: self.sum_us.saturating_sub(earlier.sum_us),
        }
    }

    /// How many.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// All together, s.
    #[must_use]
    pub fn sum_s(&self) -> f64 {
        self.sum_us as f64 / 1e6
    }

    /// How many took at most so long, µs; exact at powers of two.
    #[must_use]
    pub fn at_most(&self, us: u64) -> u64 {
        let below = self.counts.iter().enumerate();
        below
            .filter(|(at, _)| upper_us(*at) <= us)
            .map(|(_, count)| count)
            .sum()
    }

    /// What the part `quantile` (0–1) of them did not exceed, ms, to an eighth; 0 where there were none.
    #[must_use]
    pub fn quantile_ms(&self, quantile: f64) -> f64 {
        let wanted = (self.count() as f64 * quantile).ceil() as u64;
        let mut seen = 0;
        for (at, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted && *count > 0 {
                return upper_us(at) as f64 / 1_000.0;
            }
        }
        0.0
    }
}

fn bucket(us: u64) -> usize {
    let at = if us < PARTS {
        us
    } else {
        let power = us.ilog2() - PART_BITS;
        u64::from(power) * PARTS + (us >> power)
    };
    usize::try_from(at).expect("a few hundred")
}

/// The first value above a bucket, µs.
fn upper_us(bucket: usize) -> u64 {
    let at = bucket as u64 + 1;
    if at < 2 * PARTS {
        return at;
    }
    let power = at / PARTS - 1;
    (PARTS + at % PARTS) << power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_lies_in_its_bucket() {
        let mut before = 0;
        for us in
            (0..20).chain((5..TOP_BITS).flat_map(|bits| [(1_u64 << bits) - 1, 1 << bits, (1 << bits) + 1]))
        {
            let at = bucket(us);
            assert!(at >= before && at < BUCKETS, "{us}");
            assert!(us < upper_us(at), "{us} in {at}");
            assert!(at == 0 || us >= upper_us(at - 1), "{us} in {at}");
            before = at;
        }
        assert_eq!(bucket((1 << TOP_BITS) - 1), BUCKETS - 1);
    }

    #[test]
    fn percentiles_are_right_to_an_eighth_and_tell_of_a_window() {
        let latency = Latency::default();
        assert_eq!(latency.spread().quantile_ms(0.99), 0.0);
        for us in 1..=1_000 {
            latency.note(Duration::from_micros(us * 10));
        }
        let first = latency.spread();
        for (quantile, ms) in [(0.5, 5.0), (0.95, 9.5), (0.99, 9.9)] {
            let found = first.quantile_ms(quantile);
            assert!(found >= ms && found <= ms * 1.13, "{quantile}: {found}");
        }
        assert_eq!(first.at_most(8_192), 819);
        latency.note(Duration::from_secs(500));
        let window = latency.spread().since(&first);
        assert_eq!(window.count(), 1);
        assert!(window.quantile_ms(0.5) > 60_000.0);
    }
}
