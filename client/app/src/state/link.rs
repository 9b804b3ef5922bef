//! The connection as people see it: five states, a countdown, a queue (SPEC §9, §11).

/// A connection lost for less than this shows nothing: most are back by then, ms (UX "Status").
pub(crate) const BLIP_MS: u64 = 1_500;

/// The states of SPEC §9.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum LinkState {
    /// Not connected, and not about to be.
    #[default]
    Disconnected,
    /// The first attempt.
    Connecting,
    /// Connected.
    Connected,
    /// Lost, and coming back.
    Reconnecting,
    /// Given up: only a person changes it.
    Failed,
}

impl LinkState {
    /// The value of `data-state`.
    #[must_use]
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Disconnected => "disconnected",
            Self::Connecting => "connecting",
            Self::Connected => "connected",
            Self::Reconnecting => "reconnecting",
            Self::Failed => "failed",
        }
    }
}

/// Why the connection is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LinkTrouble {
    /// No answer.
    Unreachable,
    /// The browser says that there is no network.
    Offline,
    /// An administrator closed it; the reason given, or nothing.
    Kicked(String),
    /// The token is not accepted any more.
    SessionOver,
}

/// What the status indicator shows.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Link {
    state: LinkState,
    lost_at: Option<u64>,
    last_connected: Option<u64>,
    /// Attempts since it was lost.
    pub(crate) attempt: u32,
    /// Most attempts, where there is a most.
    pub(crate) most: Option<u32>,
    /// When the next attempt is made, on the page's own clock, ms.
    pub(crate) next_try: Option<u64>,
    /// Why it is not there.
    pub(crate) trouble: Option<LinkTrouble>,
    /// The last measured round trip, ms.
    pub(crate) latency_ms: Option<u64>,
    /// Messages in the queue.
    pub(crate) queued: usize,
}

impl Link {
    /// The state as it is.
    #[must_use]
    pub(crate) fn state(&self) -> LinkState {
        self.state
    }

    /// The state changed at `now`, on the page's own clock, ms.
    pub(crate) fn change(&mut self, to: LinkState, now: u64) {
        match to {
            LinkState::Connected => {
                self.lost_at = None;
                self.last_connected = Some(now);
                self.attempt = 0;
                self.next_try = None;
                self.trouble = None;
            }
            LinkState::Disconnected => self.lost_at = None,
            _ if self.state == LinkState::Connected => self.lost_at = Some(now),
            _ => {}
        }
        if to != LinkState::Connected {
            self.latency_ms = None;
        }
        self.state = to;
    }

    /// The state to show at `now`: a blip is none.
    #[must_use]
    pub(crate) fn shown(&self, now: u64) -> LinkState {
        let coming_back = matches!(self.state, LinkState::Reconnecting | LinkState::Connecting);
        match self.lost_at {
            Some(lost) if coming_back && now < lost + BLIP_MS => LinkState::Connected,
            // A second attempt after a loss is still a reconnect to who watches.
            Some(_) if coming_back => LinkState::Reconnecting,
            _ => self.state,
        }
    }

    /// Whole seconds until the next attempt; none where none is planned.
    #[must_use]
    pub(crate) fn countdown(&self, now: u64) -> Option<u64> {
        let next = self.next_try?;
        (next > now).then(|| (next - now).div_ceil(1_000))
    }

    /// When it was there for the last time, where it is not now.
    #[must_use]
    pub(crate) fn stale_since(&self) -> Option<u64> {
        match self.state {
            LinkState::Connected => None,
            _ => self.lost_at.or(self.last_connected),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blip_shows_nothing_and_a_longer_loss_is_a_reconnect() {
        let mut link = Link::default();
        link.change(LinkState::Connecting, 0);
        assert_eq!(link.shown(0), LinkState::Connecting, "the first attempt is shown");
        link.change(LinkState::Connected, 100);
        link.change(LinkState::Reconnecting, 1_000);
        assert_eq!(link.shown(2_499), LinkState::Connected);
        assert_eq!(link.shown(2_500), LinkState::Reconnecting);
        link.change(LinkState::Connecting, 2_600);
        assert_eq!(link.shown(2_600), LinkState::Reconnecting);
        link.change(LinkState::Connected, 2_700);
        assert_eq!(link.shown(2_700), LinkState::Connected);
        assert_eq!(link.stale_since(), None);
    }

    #[test]
    fn a_failure_is_shown_at_once() {
        let mut link = Link::default();
        link.change(LinkState::Connected, 0);
        link.change(LinkState::Failed, 10);
        assert_eq!(link.shown(10), LinkState::Failed);
        assert_eq!(link.stale_since(), Some(10));
    }

    #[test]
    fn the_countdown_counts_whole_seconds_and_ends() {
        let link = Link {
            next_try: Some(10_000),
            ..Link::default()
        };
        assert_eq!(link.countdown(7_999), Some(3));
        assert_eq!(link.countdown(8_000), Some(2));
        assert_eq!(link.countdown(9_999), Some(1));
        assert_eq!(link.countdown(10_000), None);
    }
}
