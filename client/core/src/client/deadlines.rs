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
    }

    /// The next deadline of all.
    pub(super) fn next_timeout(&self) -> Option<Timeout> {
        let at = |at_ms: u64, reason| Some(Timeout { at_ms, reason });
        let connection = match &self.connection.phase {
            Phase::Token { until } => at(*until, TimeoutReason::Token),
            Phase::Opening { until } => at(*until, TimeoutReason::Open),
            Phase::Greeting { until } => at(*until, TimeoutReason::Greeting),
            Phase::Waiting {
                retry_at: Some(retry),
            } => at(*retry, TimeoutReason::Retry),
            Phase::Online(online) => online
                .settles_at
                .and_then(|settles| at(settles, TimeoutReason::Settled)),
            Phase::Waiting { retry_at: None } | Phase::Idle | Phase::GivenUp => None,
        };
        let heartbeat = match self.online().map(|online| online.heartbeat) {
            Some(Heartbeat::Due { at: due }) => at(due, TimeoutReason::Heartbeat),
            Some(Heartbeat::Awaited { until, .. }) => at(until, TimeoutReason::Pong),
            Some(Heartbeat::Off) | None => None,
        };
        let ping = self
            .connection
            .ping_due
            .and_then(|due| at(due, TimeoutReason::Ping));
        let request = self
            .requests
            .next_deadline()
            .and_then(|due| at(due, TimeoutReason::Request));
        let upgrade = self
            .upgrade_deadline()
            .and_then(|due| at(due, TimeoutReason::Upgrade));
        let lock = match self.lock {
            Lock::Asked { patience_ends } => at(patience_ends, TimeoutReason::Lock),
            Lock::None | Lock::Overdue | Lock::Held => None,
        };
        [connection, upgrade, heartbeat, ping, request, lock]
            .into_iter()
            .chain([self.subscription_deadline(), self.queue_deadline()])
            .flatten()
            .min()
    }

    fn subscription_deadline(&self) -> Option<Timeout> {
        let is_online = self.online().is_some();
        let each = self.subscriptions.values().flat_map(|subscription| {
            let patience = subscription.patience_ends.map(|at_ms| Timeout {
                at_ms,
                reason: TimeoutReason::Gap,
            });
            let later = match subscription.standing {
                Standing::Later(at_ms) if is_online => Some(Timeout {
                    at_ms,
                    reason: TimeoutReason::Resubscribe,
                }),
                _ => None,
            };
            [patience, later]
        });
        each.flatten().min()
    }

    fn queue_deadline(&self) -> Option<Timeout> {
        let retry = self.queue_retry_at.filter(|_| self.online().is_some());
        let retry = retry.map(|at_ms| Timeout {
            at_ms,
            reason: TimeoutReason::QueueRetry,
        });
        let expiry = self.next_expiry().map(|at_ms| Timeout {
            at_ms,
            reason: TimeoutReason::QueueExpiry,
        });
        [retry, expiry].into_iter().flatten().min()
    }

    fn connection_deadlines(&mut self) {
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
