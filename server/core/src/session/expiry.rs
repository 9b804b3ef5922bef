//! The end of a token's life on a live connection (SPEC §2).

/// How long before its token ends a connection is told, in ms.
pub(super) const NOTICE_MS: u64 = 30_000;

/// What is due when a deadline has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Tell the client that its token ends at this time, ms since the Unix epoch.
    Notice {
        /// When the token ends.
        expires_at_ms: u64,
    },
    /// The token has ended: disconnect.
    Expired,
}

/// When a token ends, and what the client was told about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expiry(State);

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Never,
    Silent { notice_at_ms: u64, expires_at_ms: u64 },
    Noticed { expires_at_ms: u64 },
}

impl Expiry {
    /// For a token that ends then; `None` never ends.
    #[must_use]
    pub fn new(expires_at_ms: Option<u64>) -> Self {
        Self::noticed_before(NOTICE_MS, expires_at_ms)
    }

    /// The same of a token that took another's place: one that lives less than twice the notice is announced after half
    /// its life. Whoever gets short ones would otherwise be asked for the next with the answer to each.
    #[must_use]
    pub fn renewed(expires_at_ms: Option<u64>, now_ms: u64) -> Self {
        let left = expires_at_ms.map_or(0, |end| end.saturating_sub(now_ms));
        Self::noticed_before(NOTICE_MS.min(left / 2), expires_at_ms)
    }

    fn noticed_before(notice_ms: u64, expires_at_ms: Option<u64>) -> Self {
        Self(expires_at_ms.map_or(State::Never, |expires_at_ms| State::Silent {
            notice_at_ms: expires_at_ms.saturating_sub(notice_ms),
            expires_at_ms,
        }))
    }

    /// When [`Self::poll`] has something next, ms since the Unix epoch.
    #[must_use]
    pub fn deadline_ms(&self) -> Option<u64> {
        match self.0 {
            State::Never => None,
            State::Silent { notice_at_ms, .. } => Some(notice_at_ms),
            State::Noticed { expires_at_ms } => Some(expires_at_ms),
        }
    }

    /// What is due now. A notice comes once, and the end comes after it.
    pub fn poll(&mut self, now_ms: u64) -> Option<Due> {
        if now_ms < self.deadline_ms()? {
            return None;
        }
        match self.0 {
            State::Never => None,
            State::Silent { expires_at_ms, .. } => {
                self.0 = State::Noticed { expires_at_ms };
                Some(Due::Notice { expires_at_ms })
            }
            State::Noticed { .. } => Some(Due::Expired),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_comes_thirty_seconds_before_the_end() {
        let mut expiry = Expiry::new(Some(100_000));
        assert_eq!(expiry.deadline_ms(), Some(70_000));
        assert_eq!(expiry.poll(69_999), None);
        assert_eq!(
            expiry.poll(70_000),
            Some(Due::Notice {
                expires_at_ms: 100_000
            })
        );
        assert_eq!(expiry.poll(99_999), None);
        assert_eq!(expiry.poll(100_000), Some(Due::Expired));
    }

    #[test]
    fn a_token_that_ends_within_the_notice_is_announced_at_once() {
        let mut expiry = Expiry::new(Some(5_000));
        assert!(matches!(expiry.poll(1), Some(Due::Notice { .. })));
        assert_eq!(expiry.deadline_ms(), Some(5_000));
    }

    #[test]
    fn a_short_token_in_anothers_place_is_announced_after_half_its_life() {
        let announced = |life: u64| Expiry::renewed(Some(1_000 + life), 1_000).deadline_ms();
        let after = [10_000, 60_000, 100_000_u64].map(announced);
        assert_eq!(after, [Some(6_000), Some(31_000), Some(71_000)]);
        assert_eq!(Expiry::renewed(None, 1_000).deadline_ms(), None);
    }

    #[test]
    fn a_token_without_an_end_never_does() {
        assert_eq!(Expiry::new(None).deadline_ms(), None);
        assert_eq!(Expiry::new(None).poll(u64::MAX), None);
    }
}
