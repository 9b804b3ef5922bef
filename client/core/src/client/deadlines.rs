//! Every deadline in one place: which is next, and what happens when it has come.

use bmt_shared::close::{AfterClose, CloseCode};

use crate::client::Client;
use crate::connection::{AuthTry, Heartbeat, Phase};
use crate::error::ClientError;
use crate::event::Event;
use crate::face::Face;
use crate::lock::Lock;
use crate::now::Now;
use crate::output::{Timeout, TimeoutReason};
use crate::subscription::Standing;

impl<F: Face> Client<F> {
    /// Time has passed. A call too early does nothing, so a timer may be as inexact as it likes.
    pub fn handle_timeout(&mut self, now: Now) {
        self.set_now(now);
        self.connection_deadlines();
        self.upgrade_deadlines();
        self.heartbeat_deadlines();
        self.request_deadlines();
        self.subscription_deadlines();
        self.queue_deadlines();
        self.tab_deadlines();
    }

    /// The next deadline of all.
    pub(super) fn next_timeout(&self) -> Option<Timeout> {
        let mut next = Earliest::default();
        match &self.connection.phase {
            Phase::Token { until } => next.or(TimeoutReason::Token, Some(*until)),
            Phase::Opening { until } => next.or(TimeoutReason::Open, Some(*until)),
            Phase::Greeting { until } => next.or(TimeoutReason::Greeting, Some(*until)),
            Phase::Waiting { retry_at } => next.or(TimeoutReason::Retry, *retry_at),
            Phase::Online(online) => {
                next.or(TimeoutReason::Settled, online.settles_at);
                match online.heartbeat {
                    Heartbeat::Due { at } => next.or(TimeoutReason::Heartbeat, Some(at)),
                    Heartbeat::Awaited { until, .. } => next.or(TimeoutReason::Pong, Some(until)),
                    Heartbeat::Off => {}
                }
            }
            Phase::Idle | Phase::GivenUp => {}
        }
        next.or(TimeoutReason::Upgrade, self.upgrade_deadline());
        next.or(TimeoutReason::Ping, self.connection.ping_due);
        next.or(TimeoutReason::Request, self.requests.next_deadline());
        if let Lock::Asked { patience_ends } = self.lock {
            next.or(TimeoutReason::Lock, Some(patience_ends));
        }
        let is_online = self.online().is_some();
        for subscription in self.subscriptions.values() {
            next.or(TimeoutReason::Gap, subscription.patience_ends);
            if let Standing::Later(at) = subscription.standing {
                next.or(TimeoutReason::Resubscribe, Some(at).filter(|_| is_online));
            }
        }
        let retry = self.queue_retry_at.filter(|_| is_online);
        next.or(TimeoutReason::QueueRetry, retry);
        next.or(TimeoutReason::QueueExpiry, self.next_expiry());
        next.or(TimeoutReason::Tab, self.tabs.leads_at);
        next.or(TimeoutReason::Tab, self.tabs.hub.next_deadline());
        next.0
    }

    pub(super) fn connection_deadlines(&mut self) {
        match &mut self.connection.phase {
            Phase::Token { until } if *until <= self.now.monotonic_ms => {
                let why = "the application gave no token in time";
                self.tell(Event::Error(ClientError::Token(why.to_owned())));
                self.lost(CloseCode::NoStatus.number(), why, AfterClose::Reconnect);
            }
            Phase::Opening { until } if *until <= self.now.monotonic_ms => {
                self.not_spoken("the transport did not open in time");
            }
            // Some proxies let a WebSocket open and nothing through.
            Phase::Greeting { until }
                if *until <= self.now.monotonic_ms && self.connection.ping_budget_ms.is_none() =>
            {
                self.not_spoken("the server said nothing in time");
            }
            Phase::Greeting { until } if *until <= self.now.monotonic_ms => {
                self.give_up(CloseCode::Abnormal, "the server did not greet in time");
            }
            Phase::Waiting {
                retry_at: Some(retry),
            } if *retry <= self.now.monotonic_ms => self.attempt(),
            Phase::Online(online)
                if online
                    .settles_at
                    .is_some_and(|settles| settles <= self.now.monotonic_ms) =>
            {
                online.settles_at = None;
                self.connection.state.reconnect_attempts = 0;
                // Not sooner: a server that greets on a token only to end it would be asked for ever.
                self.connection.auth = AuthTry::First;
            }
            _ => {}
        }
    }

    fn heartbeat_deadlines(&mut self) {
        if self.connection.ping_due.is_some_and(|due| self.is_due(due)) {
            self.connection.ping_due = None;
            return self.give_up(CloseCode::HeartbeatTimeout, "ping timeout");
        }
        match self.online().map(|online| online.heartbeat) {
            Some(Heartbeat::Due { at }) if self.is_due(at) => self.probe(),
            Some(Heartbeat::Awaited { until, .. }) if self.is_due(until) => self.heartbeat_missed(),
            _ => {}
        }
    }
}

/// The first of the deadlines it was told.
#[derive(Default)]
struct Earliest(Option<Timeout>);

impl Earliest {
    fn or(&mut self, reason: TimeoutReason, at_ms: Option<u64>) {
        let timeout = at_ms.map(|at_ms| Timeout { at_ms, reason });
        if let Some(timeout) = timeout
            && self.0.is_none_or(|known| timeout < known)
        {
            self.0 = Some(timeout);
        }
    }
}
