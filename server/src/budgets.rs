//! How much everybody may do together with others: all connections of one user, all of one address, all requests
//! of one API key (SPEC §10).
//!
//! A connection's own rate is its session's; these stand behind it, so that many connections are no way around it.
//! Each is a multiple of a connection's rate: a rate of 0, which is no limit for a connection, is none here.

mod ledger;

use std::net::IpAddr;

use bmt_shared::error::{ErrorCode, Failure};
use bmt_shared::id::UserId;

use crate::config::LimitsConfig;
use crate::http::address::network;
use ledger::Ledger;

/// What a connection asks for, as far as its rate is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// One message.
    Publish,
    /// A request to subscribe; a batch is one.
    Subscribe,
    /// A signal, or a read position.
    Signal,
    /// A history or a presence.
    Read,
}

impl Act {
    fn verb(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Subscribe => "subscribe",
            Self::Signal => "signal or read",
            Self::Read => "ask for a history or a presence",
        }
    }
}

/// A rate for each [`Act`].
#[derive(Debug)]
struct Shares<K> {
    publish: Ledger<K>,
    subscribe: Ledger<K>,
    signal: Ledger<K>,
    read: Ledger<K>,
}

impl<K: std::hash::Hash + Eq + Clone> Shares<K> {
    /// So many times what one connection may do.
    fn new(limits: &LimitsConfig, factor: u64) -> Self {
        let share = |act| Ledger::new(share(limits, act, factor));
        Self {
            publish: share(Act::Publish),
            subscribe: share(Act::Subscribe),
            signal: share(Act::Signal),
            read: share(Act::Read),
        }
    }

    fn follow(&self, limits: &LimitsConfig, factor: u64, now_ms: u64) {
        for act in [Act::Publish, Act::Subscribe, Act::Signal, Act::Read] {
            self.of(act).set_rate(share(limits, act, factor), now_ms);
        }
    }

    fn of(&self, act: Act) -> &Ledger<K> {
        match act {
            Act::Publish => &self.publish,
            Act::Subscribe => &self.subscribe,
            Act::Signal => &self.signal,
            Act::Read => &self.read,
        }
    }
}

/// Rate and burst of so many connections.
fn share(limits: &LimitsConfig, act: Act, factor: u64) -> (u64, u64) {
    let (per_second, burst) = match act {
        Act::Publish => (limits.publish_per_second, limits.publish_burst),
        Act::Subscribe => (limits.subscribe_per_second, limits.subscribe_per_second),
        Act::Signal => (limits.signal_per_second, limits.signal_per_second),
        Act::Read => (limits.read_per_second, limits.read_per_second.saturating_mul(2)),
    };
    (per_second.saturating_mul(factor), burst.saturating_mul(factor))
}

/// Rate and burst of an address on open routes.
fn open_rate(limits: &LimitsConfig) -> (u64, u64) {
    let per_second = limits.http_per_second;
    (per_second, per_second.saturating_mul(OPEN_BURST))
}

/// Rate and burst of a caller of guarded routes.
fn api_rate(limits: &LimitsConfig) -> (u64, u64) {
    let per_second = limits.api_per_second;
    (per_second, per_second.saturating_mul(API_BURST))
}

/// Times `limits.http_per_second` that an address may ask at once: a whole office comes back after a restart.
const OPEN_BURST: u64 = 20;
/// Times `limits.api_per_second` that a key may ask at once.
const API_BURST: u64 = 2;

/// See the [module](self).
#[derive(Debug)]
pub struct Budgets {
    users: Shares<UserId>,
    addresses: Shares<IpAddr>,
    keys: Shares<String>,
    open: Ledger<IpAddr>,
    guesses: Ledger<IpAddr>,
    calls: Ledger<String>,
}

impl Budgets {
    /// Nothing is spent yet.
    #[must_use]
    pub fn new(limits: &LimitsConfig) -> Self {
        Self {
            users: Shares::new(limits, limits.rate_factor_per_user),
            addresses: Shares::new(limits, limits.rate_factor_per_address),
            keys: Shares::new(limits, limits.rate_factor_per_key),
            open: Ledger::new(open_rate(limits)),
            guesses: Ledger::new(open_rate(limits)),
            calls: Ledger::new(api_rate(limits)),
        }
    }

    /// Goes on by other limits. What was spent of the old ones stays spent.
    pub fn follow(&self, limits: &LimitsConfig, now_ms: u64) {
        self.users.follow(limits, limits.rate_factor_per_user, now_ms);
        self.addresses
            .follow(limits, limits.rate_factor_per_address, now_ms);
        self.keys.follow(limits, limits.rate_factor_per_key, now_ms);
        self.open.set_rate(open_rate(limits), now_ms);
        self.guesses.set_rate(open_rate(limits), now_ms);
        self.calls.set_rate(api_rate(limits), now_ms);
    }

    /// Admits what a connection of this user from this address asks for, its own rate aside.
    ///
    /// # Errors
    /// `rate_limited`, with the time to wait; then nothing was spent.
    pub fn spend(&self, act: Act, user: &UserId, address: IpAddr, now_ms: u64) -> Result<(), Failure> {
        let of_user = self.users.of(act);
        of_user.take(user, 1, now_ms).map_err(|wait_ms| {
            too_fast(
                "all your connections together",
                act,
                of_user.per_second(),
                wait_ms,
            )
        })?;
        let of_address = self.addresses.of(act);
        of_address.take(&network(address), 1, now_ms).map_err(|wait_ms| {
            of_user.give_back(user);
            too_fast(
                "all connections from your address together",
                act,
                of_address.per_second(),
                wait_ms,
            )
        })
    }

    /// Admits a message that an API key or an administrator publishes over HTTP; `caller` names either.
    ///
    /// # Errors
    /// `rate_limited`, with the time to wait.
    pub fn spend_publish(&self, caller: &str, now_ms: u64) -> Result<(), Failure> {
        let act = Act::Publish;
        let of_key = self.keys.of(act);
        of_key
            .take(caller, 1, now_ms)
            .map_err(|wait_ms| too_fast("this API key or account", act, of_key.per_second(), wait_ms))
    }

    /// Admits a request of an API key or an administrator; `caller` names either.
    ///
    /// # Errors
    /// With the time to wait, ms.
    pub fn spend_call(&self, caller: &str, now_ms: u64) -> Result<(), u64> {
        self.calls.take(caller, 1, now_ms)
    }

    /// Admits a request to a route that anybody may try, which costs so many tokens.
    ///
    /// # Errors
    /// With the time to wait, ms.
    pub fn spend_open(&self, address: IpAddr, tokens: u64, now_ms: u64) -> Result<(), u64> {
        self.open.take(&network(address), tokens, now_ms)
    }

    /// Whether an address may show one more credential on a guarded route, after those that were refused.
    ///
    /// # Errors
    /// With the time to wait, ms.
    pub fn may_guess(&self, address: IpAddr, now_ms: u64) -> Result<(), u64> {
        self.guesses.look(&network(address), now_ms)
    }

    /// A credential from this address was refused.
    pub fn spend_guess(&self, address: IpAddr, now_ms: u64) {
        // Where nothing is left it was not let so far.
        let _ = self.guesses.take(&network(address), 1, now_ms);
    }
}

fn too_fast(who: &str, act: Act, per_second: u64, wait_ms: u64) -> Failure {
    let verb = act.verb();
    Failure::new(
        ErrorCode::RateLimited,
        format!("{who} may {verb} {per_second} times a second; try again in {wait_ms} ms"),
    )
    .retry_after(wait_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn budgets(change: impl FnOnce(&mut LimitsConfig)) -> Budgets {
        let mut limits = LimitsConfig {
            publish_per_second: 10,
            publish_burst: 10,
            rate_factor_per_user: 2,
            rate_factor_per_address: 3,
            ..LimitsConfig::default()
        };
        change(&mut limits);
        Budgets::new(&limits)
    }

    fn spent(budgets: &Budgets, user: &str, address: IpAddr) -> usize {
        let user = UserId::new(user);
        let spend = || budgets.spend(Act::Publish, &user, address, 0);
        (0..1_000).take_while(|_| spend().is_ok()).count()
    }

    #[test]
    fn a_user_has_its_share_at_every_address_and_an_address_its_own_for_all_users() {
        let budgets = budgets(|_| ());
        assert_eq!(spent(&budgets, "a", HERE), 20);
        assert_eq!(spent(&budgets, "a", [10, 0, 0, 1].into()), 0);
        assert_eq!(spent(&budgets, "b", HERE), 10, "the address had 30");
        let refused = budgets
            .spend(Act::Publish, &UserId::new("c"), HERE, 0)
            .unwrap_err();
        assert_eq!(refused.code, ErrorCode::RateLimited);
        assert_eq!(refused.retry_after_ms, Some(34), "30 a second");
        assert_eq!(
            spent(&budgets, "c", [10, 0, 0, 2].into()),
            20,
            "the refusal cost nothing"
        );
    }

    #[test]
    fn the_addresses_of_one_ipv6_customer_are_one() {
        let budgets = budgets(|limits| limits.rate_factor_per_user = 0);
        assert_eq!(spent(&budgets, "a", "2001:db8::1".parse().unwrap()), 30);
        assert_eq!(spent(&budgets, "b", "2001:db8::ffff:1".parse().unwrap()), 0);
        assert_eq!(spent(&budgets, "b", "2001:db8:0:1::1".parse().unwrap()), 30);
    }

    #[test]
    fn no_limit_for_a_connection_is_none_for_its_user() {
        let budgets = budgets(|limits| limits.publish_per_second = 0);
        assert_eq!(spent(&budgets, "a", HERE), 1_000);
    }

    #[test]
    fn each_act_has_its_own_rate() {
        let budgets = budgets(|_| ());
        assert_eq!(spent(&budgets, "a", HERE), 20);
        assert!(budgets.spend(Act::Read, &UserId::new("a"), HERE, 0).is_ok());
    }
}
