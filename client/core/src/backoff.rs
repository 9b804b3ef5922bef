//! How long to wait before the next attempt.

use crate::config::ReconnectPolicy;
use crate::random::Random;

impl ReconnectPolicy {
    /// The delay before attempt `attempt` (0 for the first), ms.
    pub(crate) fn delay_ms(&self, attempt: u32, random: &mut Random) -> u64 {
        let exponent = i32::try_from(attempt).unwrap_or(i32::MAX);
        let grown = self.base_ms as f64 * self.factor.max(1.0).powi(exponent);
        let capped = grown.min(self.cap_ms as f64);
        let jitter = self.jitter.clamp(0.0, 1.0);
        let spread = 1.0 + jitter * (2.0 * random.unit() - 1.0);
        (capped * spread) as u64
    }

    /// Whether another attempt is allowed after this many.
    pub(crate) fn allows(&self, attempts: u32) -> bool {
        self.enabled && self.max_attempts.is_none_or(|most| attempts < most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_to_the_cap_and_stay_within_the_jitter() {
        let policy = ReconnectPolicy::default();
        let mut random = Random::new(7);
        for (attempt, middle) in [
            (0, 1_000),
            (1, 2_000),
            (4, 16_000),
            (5, 30_000),
            (4_000_000, 30_000),
        ] {
            for _ in 0..50 {
                let delay = policy.delay_ms(attempt, &mut random);
                assert!(
                    (middle * 3 / 4..=middle * 5 / 4).contains(&delay),
                    "{attempt}: {delay}"
                );
            }
        }
    }

    #[test]
    fn attempts_end_where_the_policy_says() {
        let mut policy = ReconnectPolicy::default();
        assert!(policy.allows(1_000_000));
        policy.max_attempts = Some(3);
        assert!(policy.allows(2) && !policy.allows(3));
        policy.enabled = false;
        assert!(!policy.allows(0));
    }
}
