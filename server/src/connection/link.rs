//! One live connection, whatever its transport: its session, its requests in flight, its way out.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bmt_server_core::session::{Due, Session, Strike};
use bmt_shared::channel::ChannelName;
use bmt_shared::close::CloseCode;
use bmt_shared::error::{ErrorCode, Failure};
use bmt_shared::event::{Closing, Connected, ServerEvent, TokenExpiring, Unsubscribed};
use bmt_shared::id::{ConnectionId, MessageId, UserId};
use bmt_shared::identity::User;
use bmt_shared::reply::Reply;

use tokio::sync::Notify;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::CancellationToken;

use super::Context;
use super::arrival::Arrival;
use super::calls::{Calls, Pending, Speak};
use super::patience::Patience;
use crate::auth::{Grant, Identity};
use crate::budgets::Act;
use crate::outbox::{Encoded, Outbox, Outgoing, ReplyTo};
use crate::random;
use crate::records::Denied;
use crate::shards::{Publisher, Shards, Subscriber};

/// See the [module](self). A transport makes one when it knows who is there, hands it every frame that comes,
/// and writes what its [`Connection::outbox`] holds.
pub struct Connection {
    id: ConnectionId,
    user_id: UserId,
    pub(super) context: Arc<Context>,
    pub(super) outbox: Outbox,
    /// When [`Self::handle_deadline`] has something to do next, ms since the Unix epoch. Beside the session, so
    /// that the writer looks at it without the lock.
    deadline_ms: AtomicU64,
    /// Told when that is another.
    deadline_moved: Notify,
    over: CancellationToken,
    pub(super) began_ms: u64,
    patience: Patience,
    /// When something last came or went, ms since the Unix epoch; kept only where [`super::Settings::stale_ms`] is.
    traffic_ms: AtomicU64,
    // One short critical section per frame; reader, writer and timers of the connection share it.
    state: Mutex<State>,
    pub(super) arrival: Arc<Arrival>,
}

/// What a connection is while it lives. Dropped as a whole when it ends.
pub(super) struct Open {
    pub(super) session: Session,
    pub(super) calls: Calls,
    /// What the token said that it was begun or last refreshed with.
    pub(super) grant: Grant,
}

enum State {
    Open(Box<Open>),
    /// The transport is gone: nothing is taken any more.
    Ended,
}

/// A reply that may go out: which callback it answers, if any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Callback(pub(super) Option<i64>);

impl Connection {
    /// Begins a connection. The event `connected` is already the first thing in its outbox.
    pub(super) fn begin(context: &Arc<Context>, identity: Identity, arrival: Arc<Arrival>) -> Arc<Self> {
        let now_ms = context.now_ms();
        let Identity {
            user,
            expires_at_ms,
            grant,
        } = identity;
        let user = Arc::new(user);
        let settings = &context.settings;
        let terms = context.node.current().terms.clone();
        let connection = Arc::new(Self {
            id: mint_connection_id(),
            user_id: user.user_id.clone(),
            context: context.clone(),
            outbox: Outbox::new(terms.outbox),
            deadline_ms: AtomicU64::new(Alarm::NEVER),
            deadline_moved: Notify::new(),
            over: CancellationToken::new(),
            began_ms: now_ms,
            patience: Patience::default(),
            traffic_ms: AtomicU64::new(now_ms),
            state: Mutex::new(State::Open(Box::new(Open {
                session: Session::new(user.clone(), terms.rules.clone(), expires_at_ms, now_ms),
                calls: Calls::default(),
                grant,
            }))),
            arrival,
        });
        connection.say(ServerEvent::Connected(Connected {
            connection_id: connection.id.clone(),
            timestamp: now_ms,
            user: User::clone(&user),
            server_time: Some(now_ms),
            heartbeat_interval: Some(settings.heartbeat.interval_ms),
            limits: Some(terms.rules.limits.clone()),
        }));
        connection.with(|open| connection.note_deadline(open));
        context.shards.meters().connections.add(1);
        let is_in = context.live.enter(&connection, &connection.user_id);
        context.arrived(
            &connection.arrival,
            is_in.then_some(()).ok_or("connections_per_user"),
        );
        if !is_in {
            connection.deny_for_its_user();
            connection.close(
                CloseCode::LimitReached,
                "connections_per_user",
                Some(settings.retry_spread_ms),
            );
        }
        // What was revoked or reloaded since the token was checked reached nobody: this one was not among the live
        // yet.
        connection.judge_again();
        connection.follow(&context.node.current().terms);
        connection
    }

    /// Its user has as many connections as one may have.
    fn deny_for_its_user(&self) {
        self.context.denials.note(Denied {
            address: Some(self.arrival.address),
            user: Some(self.user_id.clone()),
            reason: "connections_per_user",
            status: ErrorCode::RateLimited.http_status(),
        });
    }

    /// The connection's public name.
    #[must_use]
    pub fn id(&self) -> &ConnectionId {
        &self.id
    }

    /// Who it speaks for.
    #[must_use]
    pub fn user_id(&self) -> &UserId {
        &self.user_id
    }

    /// Sends an event.
    pub fn say(&self, event: ServerEvent) {
        self.outbox.push(Outgoing::Event(Arc::new(Encoded::new(event))));
    }

    /// Says why, then closes. `retry_spread_ms` tells the client to come back after a random part of it; `None`
    /// where it should not come back by itself.
    pub fn close(&self, code: CloseCode, reason: &str, retry_spread_ms: Option<u64>) {
        self.outbox
            .push(Outgoing::Close(closing(code, reason, retry_spread_ms)));
    }

    /// Ends the connection: its transport is gone. Ending twice is no fault.
    pub(super) fn end(&self) {
        self.end_with(Shards::closed);
    }

    /// The same, of a connection that was silent until its heartbeat ran out.
    pub(super) fn lapse(&self) {
        self.end_with(Shards::lapsed);
    }

    fn end_with(&self, depart: impl FnOnce(&Shards, &ConnectionId, Vec<ChannelName>)) {
        let ended = std::mem::replace(&mut *self.lock(), State::Ended);
        let State::Open(mut open) = ended else { return };
        self.over.cancel();
        depart(&self.context.shards, &self.id, open.session.end());
        self.context.live.leave(&self.id, &self.user_id);
    }

    /// Waits until the connection has ended.
    pub(super) async fn over(&self) {
        self.over.cancelled().await;
    }

    /// Waits until the outbox may have something again; meanwhile does what the clock asks for.
    pub(super) async fn wait_for_more(&self, alarm: &mut Alarm) {
        alarm.set(self.deadline_ms.load(Ordering::Acquire), self.context.now_ms());
        tokio::select! {
            biased;
            () = self.outbox.ready() => {}
            () = alarm.sleep.as_mut() => {
                alarm.at_ms = Alarm::NEVER - 1;
                self.handle_deadline();
            }
        }
    }

    /// Does what the clock asks for, for as long as it is polled. For a writer that does not wait for the outbox.
    pub(super) async fn keep_deadlines(&self) {
        let mut alarm = Alarm::new();
        loop {
            alarm.set(self.deadline_ms.load(Ordering::Acquire), self.context.now_ms());
            tokio::select! {
                () = self.deadline_moved.notified() => {}
                () = alarm.sleep.as_mut() => {
                    alarm.at_ms = Alarm::NEVER - 1;
                    self.handle_deadline();
                }
            }
        }
    }

    /// Notes a frame that could not be read at all, and closes when it was one too many.
    pub(super) fn strike(&self) {
        let strike = self.with(|open| open.session.strike());
        if strike == Some(Strike::Out) {
            self.close(CloseCode::Policy, "malformed_frames", None);
        }
    }

    /// Notes a frame that could be read: earlier ones that could not are forgiven.
    pub(super) fn forgive(&self) {
        self.with(|open| open.session.forgive());
    }

    /// Whether a reply may go out, and to which callback. Each request is answered once; this is where it ends.
    pub(super) fn settle(&self, to: &ReplyTo, reply: &Reply) -> Option<Callback> {
        self.with(|open| {
            let pending = open.calls.close(to.call)?;
            open.session.finish(pending.bytes);
            if let (Some(topic), false) = (&pending.subscribes, reply.is_success()) {
                open.session.refuse_subscription(topic, to.call);
            }
            let Pending { callback, speak, .. } = pending;
            let said = match speak {
                Speak::Always => true,
                Speak::OfFailure => !reply.is_success(),
                Speak::Never => false,
            };
            said.then_some(Callback(callback))
        })
        .flatten()
    }

    /// Notes when the session's next deadline is. Called whenever that moves.
    pub(super) fn note_deadline(&self, open: &mut Open) {
        let deadline_ms = open.session.expiry().deadline_ms();
        let deadline_ms = deadline_ms
            .unwrap_or(Alarm::NEVER)
            .min(self.stale_at_ms().unwrap_or(Alarm::NEVER));
        if self.deadline_ms.swap(deadline_ms, Ordering::AcqRel) != deadline_ms {
            self.deadline_moved.notify_one();
        }
    }

    /// Something came from the peer or went to it.
    pub(super) fn note_traffic(&self) {
        if self.context.settings.stale_ms.is_some() {
            self.traffic_ms.store(self.context.now_ms(), Ordering::Relaxed);
        }
    }

    /// When it will have been without traffic for too long, where that is looked at.
    fn stale_at_ms(&self) -> Option<u64> {
        let stale_ms = self.context.settings.stale_ms?;
        Some(self.traffic_ms.load(Ordering::Relaxed) + stale_ms)
    }

    /// Does what is due: announces the end of the token, or closes because it has come.
    fn handle_deadline(&self) {
        let now_ms = self.context.now_ms();
        if self.stale_at_ms().is_some_and(|at_ms| at_ms <= now_ms) {
            // Said once: what it says is traffic.
            self.note_traffic();
            let spread = self.context.settings.retry_spread_ms;
            self.close(CloseCode::HeartbeatTimeout, "stale", Some(spread));
        }
        let due = self.with(|open| {
            let due = open.session.expiry().poll(now_ms);
            self.note_deadline(open);
            due
        });
        match due.flatten() {
            Some(Due::Notice { expires_at_ms }) => self.say(ServerEvent::TokenExpiring(TokenExpiring {
                expires_at: expires_at_ms,
            })),
            Some(Due::Expired) => self.close(CloseCode::TokenExpired, "token_expired", None),
            None => {}
        }
    }

    /// Takes subscriptions away that the user has no right to any more.
    pub(super) fn drop_subscriptions(&self, topics: Vec<ChannelName>, why: &str) {
        self.context.shards.closed(&self.id, topics.iter().cloned());
        for topic in topics {
            let message = format!("{why}: {topic} is not open to you any more");
            self.say(ServerEvent::Unsubscribed(Unsubscribed {
                topic,
                code: ErrorCode::PermissionDenied,
                message,
            }));
        }
    }

    /// Runs `act` on the open connection; `None` where it has ended.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut Open) -> T) -> Option<T> {
        match &mut *self.lock() {
            State::Open(open) => Some(act(open)),
            State::Ended => None,
        }
    }

    /// The connection as channels see it.
    pub(super) fn subscriber(&self, user: Arc<User>) -> Subscriber {
        Subscriber {
            connection: self.id.clone(),
            user,
            outbox: self.outbox.clone(),
        }
    }

    /// The connection as the author of messages.
    pub(super) fn publisher(&self, user: Arc<User>) -> Publisher {
        Publisher {
            user,
            connection: Some(self.id.clone()),
            outbox: Some(self.outbox.clone()),
        }
    }

    /// Answers a request now.
    pub(super) fn reply(&self, to: ReplyTo, reply: Reply) {
        self.outbox.push(Outgoing::Reply(to, reply));
    }

    /// Spends of what the user and the address may do.
    pub(super) fn spend(&self, act: Act, now_ms: u64) -> Result<(), Failure> {
        let budgets = &self.context.node.budgets;
        budgets.spend(act, &self.user_id, self.arrival.address, now_ms)
    }

    /// For how long nothing is to be read from the peer.
    pub(super) fn pause(&self) -> Option<Duration> {
        self.patience.pause(self.context.now_ms())
    }

    /// Refuses a request now.
    pub(super) fn refuse(&self, to: ReplyTo, failure: Failure) {
        self.patience.lose(self.context.now_ms());
        self.reply(to, Reply::Failed(failure));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .expect("no code panics while it holds the session")
    }
}

/// The clock's next question to a connection, kept by its writer from one wait to the next: arming a timer anew
/// costs more than most waits.
pub(super) struct Alarm {
    at_ms: u64,
    sleep: Pin<Box<Sleep>>,
}

impl Alarm {
    const NEVER: u64 = u64::MAX;
    /// Where nothing is due: no timer is armed for longer.
    const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

    pub(super) fn new() -> Self {
        Self {
            at_ms: Self::NEVER,
            sleep: Box::pin(tokio::time::sleep(Self::LONGEST)),
        }
    }

    fn set(&mut self, at_ms: u64, now_ms: u64) {
        if self.at_ms != at_ms {
            self.at_ms = at_ms;
            let rest = Duration::from_millis(at_ms.saturating_sub(now_ms)).min(Self::LONGEST);
            self.sleep.as_mut().reset(Instant::now() + rest);
        }
    }
}

/// Names a connection with 128 random bits: nobody guesses the name of another's.
fn mint_connection_id() -> ConnectionId {
    ConnectionId::new(&random::text::<16>())
}

/// Makes the `messageId` of a request that came without one.
pub(super) fn mint_message_id(now_ms: u64) -> MessageId {
    MessageId::mint(now_ms, u64::from_le_bytes(random::bytes()))
}

/// What is said before a close. The delay is spread so that a crowd does not come back at once.
pub(super) fn closing(code: CloseCode, reason: &str, retry_spread_ms: Option<u64>) -> Closing {
    /// Nobody comes back sooner: what closed the connection has not changed yet.
    const SOONEST_RETRY_MS: u64 = 100;
    let part = |spread: u64| {
        u64::from_le_bytes(random::bytes())
            .checked_rem(spread)
            .unwrap_or(0)
    };
    Closing {
        code: code.number(),
        reason: reason.to_owned(),
        retry_after_ms: retry_spread_ms.map(|spread| SOONEST_RETRY_MS + part(spread)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use std::collections::HashSet;

    const NAMES: usize = 10_000;

    #[test]
    fn ten_thousand_names_are_128_random_bits_each() {
        let names: Vec<_> = (0..NAMES).map(|_| mint_connection_id()).collect();
        let different: HashSet<_> = names.iter().collect();
        assert_eq!(different.len(), NAMES);
        let bits: Vec<_> = names
            .iter()
            .map(|name| {
                let bytes = URL_SAFE_NO_PAD.decode(name.as_str()).unwrap();
                u128::from_be_bytes(bytes.try_into().expect("16 bytes"))
            })
            .collect();
        // A bit that is fixed, a clock's or a counter's is the same in most names, or from each name to the next.
        let half = |bits: &mut dyn Iterator<Item = u128>, bit: u32| {
            let set = bits.filter(|bits| bits >> bit & 1 == 1).count();
            // Eight standard deviations of a fair coin.
            assert!(set.abs_diff(NAMES / 2) < 400, "bit {bit}: {set} of {NAMES}");
        };
        for bit in 0..u128::BITS {
            half(&mut bits.iter().copied(), bit);
            half(&mut bits.windows(2).map(|pair| pair[0] ^ pair[1]), bit);
        }
    }
}
