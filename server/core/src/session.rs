//! One connection's admission: who it speaks for, what it may do, how much of it, and for how long.
//!
//! A session decides about requests; it does not carry them out. Every method that depends on time is given it,
//! in ms since the Unix epoch. What is refused comes back as the [`Failure`] that the client is sent.
//!
//! The order for one request: [`Session::take`] (is there room for one more unanswered request?), then the method
//! of its kind (`admit_publish`, `subscribe`, …), and when its answer goes out, [`Session::finish`].

mod backlog;
mod bucket;
mod expiry;
mod memberships;
mod subscriptions;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use bmt_shared::channel::ChannelName;
use bmt_shared::error::{ErrorCode, Failure};
use bmt_shared::identity::User;
use bmt_shared::limits::Limits;
use bmt_shared::namespace::Namespaces;
use bmt_shared::payload::Payload;
use bmt_shared::permission::{Action, Membership, can_in, listed_as};
use bmt_shared::sorted::SortedMap;

pub use backlog::Backlog;
pub use bucket::TokenBucket;
pub use expiry::{Due, Expiry};
pub use memberships::Memberships;
pub use subscriptions::Subscriptions;

/// Malformed frames in a row after which a connection is not worth keeping.
pub const STRIKES: u32 = 5;
/// In this time after its start a connection may restore as many subscriptions as it may have, in ms (SPEC §10).
pub const RESTORE_WINDOW_MS: u64 = 10_000;
/// When a client whose backlog is full should come again, ms: a commit and its answers take less.
const BACKLOG_RETRY_MS: u64 = 250;

/// What holds for all sessions of a server; shared, not copied. 0 is no limit.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// The limits clients are told.
    pub limits: Limits,
    /// Subscribe requests per second; a batch is one.
    pub subscribe_per_second: u64,
    /// Requests for a history or a presence per second; twice as many at once.
    pub read_per_second: u64,
    /// Unanswered requests of one connection.
    pub backlog_requests: usize,
    /// Bytes of the unanswered requests of one connection.
    pub backlog_bytes: usize,
    /// Bytes of one subscription's filter.
    pub metadata_bytes: usize,
    /// Who may do what where.
    pub namespaces: Namespaces,
    /// The member lists; without them no channel has one.
    pub members: Option<Arc<dyn Memberships>>,
}

/// What follows from a malformed frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strike {
    /// Refuse it and go on.
    Stay,
    /// That was one too many: close the connection.
    Out,
}

/// By what a request to subscribe was admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admitted {
    /// The connection is new and restores what it had.
    Restoring,
    /// It is within the rate.
    ByRate,
}

/// See the [module](self).
#[derive(Debug)]
pub struct Session {
    user: Arc<User>,
    rules: Arc<Rules>,
    started_at_ms: u64,
    restores_left: u64,
    publish: TokenBucket,
    subscribe: TokenBucket,
    signal: TokenBucket,
    read: TokenBucket,
    backlog: Backlog,
    subscriptions: Subscriptions,
    expiry: Expiry,
    strikes: u32,
}

impl Session {
    /// Begins a session for an authenticated user.
    #[must_use]
    pub fn new(user: Arc<User>, rules: Arc<Rules>, expires_at_ms: Option<u64>, now_ms: u64) -> Self {
        let limits = &rules.limits;
        Self {
            publish: TokenBucket::new(limits.publish_per_second, limits.publish_burst, now_ms),
            subscribe: TokenBucket::new(rules.subscribe_per_second, rules.subscribe_per_second, now_ms),
            signal: TokenBucket::new(limits.signal_per_second, limits.signal_per_second, now_ms),
            read: TokenBucket::new(
                rules.read_per_second,
                rules.read_per_second.saturating_mul(2),
                now_ms,
            ),
            backlog: Backlog::new(rules.backlog_requests, rules.backlog_bytes),
            subscriptions: Subscriptions::default(),
            expiry: Expiry::new(expires_at_ms),
            strikes: 0,
            started_at_ms: now_ms,
            restores_left: limits.subscriptions,
            user,
            rules,
        }
    }

    /// Who the session speaks for.
    #[must_use]
    pub fn user(&self) -> &Arc<User> {
        &self.user
    }

    /// The rules that hold for it.
    #[must_use]
    pub fn rules(&self) -> &Arc<Rules> {
        &self.rules
    }

    /// The channels it is subscribed to.
    #[must_use]
    pub fn subscriptions(&self) -> &Subscriptions {
        &self.subscriptions
    }

    /// How long the token lasts, and what is due.
    pub fn expiry(&mut self) -> &mut Expiry {
        &mut self.expiry
    }

    /// Takes one more request of so many bytes, to be answered.
    ///
    /// # Errors
    /// `rate_limited` where too many wait for their answer already.
    pub fn take(&mut self, bytes: usize) -> Result<(), Failure> {
        if self.backlog.take(bytes) {
            return Ok(());
        }
        let waiting = self.backlog.requests();
        Err(Failure::new(
            ErrorCode::RateLimited,
            format!("{waiting} requests of this connection wait for their answer; send more when those came"),
        )
        .retry_after(BACKLOG_RETRY_MS))
    }

    /// The answer to a request that was taken with so many bytes goes out.
    pub fn finish(&mut self, bytes: usize) {
        self.backlog.finish(bytes);
    }

    /// Admits a request to subscribe, single or batch; then each topic is [`Self::subscribe`]d.
    ///
    /// # Errors
    /// `rate_limited`. The first seconds are exempt, so that a client can restore what it had.
    pub fn admit_subscribe(&mut self, now_ms: u64) -> Result<Admitted, Failure> {
        let restoring = now_ms < self.started_at_ms.saturating_add(RESTORE_WINDOW_MS);
        if restoring && self.restores_left > 0 {
            self.restores_left -= 1;
            return Ok(Admitted::Restoring);
        }
        let rate = self.rules.subscribe_per_second;
        self.subscribe
            .take(now_ms)
            .map(|()| Admitted::ByRate)
            .map_err(|wait| too_fast("subscribe", rate, wait))
    }

    /// Notes a subscription by request `call`, if the user may have it.
    ///
    /// # Errors
    /// By permission, or `subscribe_failed` where the connection has as many as it may have.
    pub fn subscribe(&mut self, topic: &ChannelName, call: u64) -> Result<(), Failure> {
        self.permit(topic, Action::Subscribe)?;
        let most = self.rules.limits.subscriptions;
        if self.subscriptions.insert(topic, call, most) {
            return Ok(());
        }
        Err(Failure::new(
            ErrorCode::SubscribeFailed,
            format!(
                "this connection has its {most} subscriptions already; unsubscribe from another channel first"
            ),
        ))
    }

    /// Whether a subscription's filter is one that is worth holding for every message.
    ///
    /// # Errors
    /// `message_too_large`.
    pub fn admit_filter(&self, params: &SortedMap<String, Payload>) -> Result<(), Failure> {
        let most = self.rules.metadata_bytes;
        let sizes = params
            .iter()
            .map(|(field, value)| field.len() + value.size_bytes());
        let size: usize = sizes.sum();
        if most == 0 || size <= most {
            return Ok(());
        }
        Err(Failure::new(
            ErrorCode::MessageTooLarge,
            format!("`params` has {size} bytes and may have {most}; ask for fewer fields"),
        ))
    }

    /// The channel refused the subscription that request `call` asked for.
    pub fn refuse_subscription(&mut self, topic: &ChannelName, call: u64) {
        self.subscriptions.refuse(topic, call);
    }

    /// Forgets a subscription; an unknown one is no fault.
    pub fn unsubscribe(&mut self, topic: &ChannelName) {
        self.subscriptions.remove(topic);
    }

    /// Admits one message to publish.
    ///
    /// # Errors
    /// `rate_limited`, `message_too_large`, or by permission.
    pub fn admit_publish(
        &mut self,
        topic: &ChannelName,
        payload: &Payload,
        now_ms: u64,
    ) -> Result<(), Failure> {
        let rate = self.rules.limits.publish_per_second;
        self.publish
            .take(now_ms)
            .map_err(|wait| too_fast("publish", rate, wait))?;
        self.fits(payload)?;
        self.permit(topic, Action::Publish)
    }

    /// Admits a signal.
    ///
    /// # Errors
    /// `rate_limited`, `message_too_large`, or by permission.
    pub fn admit_signal(
        &mut self,
        topic: &ChannelName,
        payload: &Payload,
        now_ms: u64,
    ) -> Result<(), Failure> {
        let rate = self.rules.limits.signal_per_second;
        self.signal
            .take(now_ms)
            .map_err(|wait| too_fast("signal", rate, wait))?;
        self.fits(payload)?;
        self.permit(topic, Action::Publish)
    }

    /// Admits reading a channel: history and presence.
    ///
    /// # Errors
    /// `rate_limited`, or by permission.
    pub fn admit_read(&mut self, topic: &ChannelName, now_ms: u64) -> Result<(), Failure> {
        let rate = self.rules.read_per_second;
        self.read
            .take(now_ms)
            .map_err(|wait| too_fast("read", rate, wait))?;
        self.permit(topic, Action::Subscribe)
    }

    /// Admits a read position. It is told to others as a signal is, so it shares the signals' rate.
    ///
    /// # Errors
    /// `rate_limited`, or by permission.
    pub fn admit_mark(&mut self, topic: &ChannelName, now_ms: u64) -> Result<(), Failure> {
        let rate = self.rules.limits.signal_per_second;
        self.signal
            .take(now_ms)
            .map_err(|wait| too_fast("signal or read", rate, wait))?;
        self.permit(topic, Action::Subscribe)
    }

    /// A frame that could not be read at all.
    pub fn strike(&mut self) -> Strike {
        self.strikes += 1;
        if self.strikes >= STRIKES {
            Strike::Out
        } else {
            Strike::Stay
        }
    }

    /// A frame that could be read: what was malformed before it is forgiven.
    pub fn forgive(&mut self) {
        self.strikes = 0;
    }

    /// Goes on with a new token of the same user. Answers the channels that the user may not read any more; they
    /// are forgotten here already.
    ///
    /// # Errors
    /// `authentication_failed` where the token speaks for somebody else: the connection is to be closed.
    pub fn refresh(
        &mut self,
        user: Arc<User>,
        expires_at_ms: Option<u64>,
        now_ms: u64,
    ) -> Result<Vec<ChannelName>, Failure> {
        if user.user_id != self.user.user_id {
            return Err(Failure::new(
                ErrorCode::AuthenticationFailed,
                "this token speaks for another user; connect anew to change the user",
            ));
        }
        self.expiry = Expiry::renewed(expires_at_ms, now_ms);
        Ok(self.change_rights(user))
    }

    /// Goes on with other rights of the same user. Answers the channels that the user may not read any more; they
    /// are forgotten here already.
    pub fn change_rights(&mut self, user: Arc<User>) -> Vec<ChannelName> {
        debug_assert_eq!(user.user_id, self.user.user_id, "a session is of one user");
        self.user = user;
        self.reconsider(|_| true)
    }

    /// Goes on by other rules of the server: what was used up of the old limits stays used up. Answers the channels
    /// that the user may not read any more; they are forgotten here already.
    pub fn change_rules(&mut self, rules: Arc<Rules>, now_ms: u64) -> Vec<ChannelName> {
        let limits = &rules.limits;
        self.publish
            .change_rate(limits.publish_per_second, limits.publish_burst, now_ms);
        self.subscribe
            .change_rate(rules.subscribe_per_second, rules.subscribe_per_second, now_ms);
        self.signal
            .change_rate(limits.signal_per_second, limits.signal_per_second, now_ms);
        let read = rules.read_per_second;
        self.read.change_rate(read, read.saturating_mul(2), now_ms);
        self.backlog
            .change_bounds(rules.backlog_requests, rules.backlog_bytes);
        self.rules = rules;
        self.reconsider(|_| true)
    }

    /// Decides again about the subscriptions that are `concerned` by a change of rights. Answers the channels that
    /// the user may not read any more; they are forgotten here already.
    pub fn reconsider(&mut self, concerned: impl Fn(&ChannelName) -> bool) -> Vec<ChannelName> {
        let lost: Vec<ChannelName> = self
            .subscriptions
            .topics()
            .filter(|topic| concerned(topic) && self.permit(topic, Action::Subscribe).is_err())
            .cloned()
            .collect();
        for topic in &lost {
            self.subscriptions.remove(topic);
        }
        lost
    }

    /// Ends the session and answers the channels it must be taken out of.
    pub fn end(&mut self) -> Vec<ChannelName> {
        self.subscriptions.take()
    }

    fn membership(&self, topic: &ChannelName) -> Membership {
        let members = self.rules.members.as_ref();
        let list = members.and_then(|members| Some((members, listed_as(&self.rules.namespaces, topic)?)));
        list.map_or(Membership::Unlisted, |(members, key)| {
            members.of(key, &self.user.user_id)
        })
    }

    fn permit(&self, topic: &ChannelName, action: Action) -> Result<(), Failure> {
        let membership = self.membership(topic);
        can_in(&self.rules.namespaces, &self.user, topic, action, membership).map_err(|code| {
            let act = match action {
                Action::Subscribe => "read",
                Action::Publish => "write to",
            };
            let message = match code {
                ErrorCode::ChannelNotFound => {
                    format!("there is no namespace {:?} on this server", topic.namespace())
                }
                _ => format!("you may not {act} {topic}; ask an administrator for access"),
            };
            Failure::new(code, message)
        })
    }

    fn fits(&self, payload: &Payload) -> Result<(), Failure> {
        let most = self.rules.limits.message_bytes;
        let size = payload.size_bytes() as u64;
        if most == 0 || size <= most {
            return Ok(());
        }
        Err(Failure::new(
            ErrorCode::MessageTooLarge,
            format!("the payload has {size} bytes and may have {most}; send large content as a file"),
        ))
    }
}

fn too_fast(verb: &str, per_second: u64, wait_ms: u64) -> Failure {
    Failure::new(
        ErrorCode::RateLimited,
        format!("this connection may {verb} {per_second} times a second; try again in {wait_ms} ms"),
    )
    .retry_after(wait_ms)
}
