//! A token bucket: so many acts per second on average, so many at once.

/// A bucket that fills by the clock it is given. Counts in thousandths of a token, so that it needs no fractions.
#[derive(Clone, Debug)]
pub struct TokenBucket {
    per_second: u64,
    burst_milli: u64,
    level_milli: u64,
    filled_at_ms: u64,
}

impl TokenBucket {
    /// A full bucket. A rate of 0 never refuses; a burst below one second's worth is raised to it.
    #[must_use]
    pub fn new(per_second: u64, burst: u64, now_ms: u64) -> Self {
        let burst_milli = burst_milli(per_second, burst);
        Self {
            per_second,
            burst_milli,
            level_milli: burst_milli,
            filled_at_ms: now_ms,
        }
    }

    /// Goes on with another rate and burst. What was taken and has not come back stays taken.
    pub fn change_rate(&mut self, per_second: u64, burst: u64, now_ms: u64) {
        if self.per_second == 0 {
            *self = Self::new(per_second, burst, now_ms);
            return;
        }
        self.fill(now_ms);
        let spent_milli = self.burst_milli - self.level_milli;
        self.per_second = per_second;
        self.burst_milli = burst_milli(per_second, burst);
        self.level_milli = self.burst_milli.saturating_sub(spent_milli);
    }

    /// Takes one token.
    ///
    /// # Errors
    /// With the ms after which a token will be there, at least 1, where there is none now.
    pub fn take(&mut self, now_ms: u64) -> Result<(), u64> {
        self.take_many(1, now_ms)
    }

    /// Takes so many tokens, or none. More than the burst are as many as the burst.
    ///
    /// # Errors
    /// With the ms after which they will be there, at least 1, where they are not now.
    pub fn take_many(&mut self, tokens: u64, now_ms: u64) -> Result<(), u64> {
        if self.per_second == 0 {
            return Ok(());
        }
        self.fill(now_ms);
        let wanted_milli = tokens.saturating_mul(1_000).min(self.burst_milli);
        match self.level_milli.checked_sub(wanted_milli) {
            Some(rest) => {
                self.level_milli = rest;
                Ok(())
            }
            None => Err((wanted_milli - self.level_milli).div_ceil(self.per_second)),
        }
    }

    /// Puts a token back that was taken for what did not happen.
    pub fn give_back(&mut self) {
        self.level_milli = self.level_milli.saturating_add(1_000).min(self.burst_milli);
    }

    /// Whether it holds all that it can: then it is as good as a new one.
    pub fn is_full(&mut self, now_ms: u64) -> bool {
        self.fill(now_ms);
        self.level_milli == self.burst_milli
    }

    fn fill(&mut self, now_ms: u64) {
        // One token a second is one thousandth of a token a millisecond.
        let gained = now_ms
            .saturating_sub(self.filled_at_ms)
            .saturating_mul(self.per_second);
        self.level_milli = self.level_milli.saturating_add(gained).min(self.burst_milli);
        self.filled_at_ms = self.filled_at_ms.max(now_ms);
    }
}

fn burst_milli(per_second: u64, burst: u64) -> u64 {
    burst.max(per_second).saturating_mul(1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_let_through_and_then_the_rate_holds() {
        let mut bucket = TokenBucket::new(50, 100, 1_000);
        for n in 0..100 {
            assert_eq!(bucket.take(1_000), Ok(()), "{n}");
        }
        assert_eq!(bucket.take(1_000), Err(20));
        assert_eq!(bucket.take(1_019), Err(1));
        assert_eq!(bucket.take(1_020), Ok(()));
        assert_eq!(bucket.take(1_020), Err(20));
    }

    #[test]
    fn a_clock_that_steps_back_gains_nothing() {
        let mut bucket = TokenBucket::new(1, 1, 10_000);
        assert_eq!(bucket.take(10_000), Ok(()));
        assert_eq!(bucket.take(5_000), Err(1_000));
        assert_eq!(bucket.take(10_500), Err(500));
        assert_eq!(bucket.take(11_000), Ok(()));
    }

    #[test]
    fn another_rate_gives_back_nothing_that_was_taken() {
        let mut bucket = TokenBucket::new(1, 10, 0);
        for _ in 0..6 {
            assert_eq!(bucket.take(0), Ok(()));
        }
        bucket.change_rate(1, 8, 0);
        assert_eq!((bucket.take(0), bucket.take(0)), (Ok(()), Ok(())));
        assert_eq!(bucket.take(0), Err(1_000));
        bucket.change_rate(4, 4, 0);
        assert_eq!(bucket.take(0), Err(250), "eight of four are taken");
        bucket.change_rate(0, 0, 0);
        assert!((0..100).all(|_| bucket.take(0).is_ok()));
        bucket.change_rate(2, 2, 0);
        assert_eq!((bucket.take(0), bucket.take(0)), (Ok(()), Ok(())));
        assert_eq!(bucket.take(0), Err(500));
    }

    #[test]
    fn many_tokens_are_taken_whole_or_not_at_all() {
        let mut bucket = TokenBucket::new(10, 20, 0);
        assert_eq!(bucket.take_many(15, 0), Ok(()));
        assert_eq!(bucket.take_many(6, 0), Err(100));
        assert_eq!(bucket.take_many(5, 0), Ok(()), "the refusal cost nothing");
        assert_eq!(
            bucket.take_many(1_000, 0),
            Err(2_000),
            "no more than the burst is waited for"
        );
        assert_eq!(bucket.take_many(1_000, 2_000), Ok(()));
    }

    #[test]
    fn what_is_given_back_counts_and_a_full_bucket_knows_it() {
        let mut bucket = TokenBucket::new(1, 2, 0);
        assert!(bucket.is_full(0));
        assert_eq!(bucket.take(0), Ok(()));
        assert!(!bucket.is_full(500));
        bucket.give_back();
        assert!(bucket.is_full(500));
        bucket.give_back();
        assert_eq!(bucket.take_many(2, 500), Ok(()));
        assert!(bucket.take(500).is_err(), "no more than it can hold");
    }

    #[test]
    fn zero_is_no_limit() {
        let mut bucket = TokenBucket::new(0, 0, 0);
        assert!((0..10_000).all(|_| bucket.take(0).is_ok()));
    }
}
