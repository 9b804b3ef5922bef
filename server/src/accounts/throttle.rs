//! How often a login may fail, for each account and for each address.
//!
//! An attempt is paid for before the password is looked at and given back if it was right: many guesses at once
//! cannot slip in, and people who know their password never wait. Rate limiters of the shelf give nothing back.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::http::address::network;

const MINUTE_MS: u64 = 60_000;

/// A rate above this is none: it keeps the sums far from their end.
const MOST_PER_MINUTE: u64 = 1_000_000;

/// What one attempt costs. Buckets are kept in this unit so that they refill by whole numbers.
const ATTEMPT: u64 = MINUTE_MS;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    /// Whether or not there is such an account.
    Username(String),
    Address(IpAddr),
}

/// What was used up, and when it was last looked at. It drains by `per_minute` units a ms.
#[derive(Clone, Copy)]
struct Bucket {
    used: u64,
    at_ms: u64,
}

pub(super) struct Throttle {
    per_minute: AtomicU64,
    buckets: Mutex<Buckets>,
}

/// Invariant: holds no more keys than attempts failed in the last minute, which the hashes at once bound.
#[derive(Default)]
struct Buckets {
    by_key: HashMap<Key, Bucket>,
    swept_ms: u64,
}

/// An attempt that was paid for.
#[derive(Debug)]
pub(super) struct Attempt {
    keys: [Key; 2],
}

/// Wait this many ms.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooMany(pub(super) u64);

impl Throttle {
    /// 0 is no limit.
    pub(super) fn new(per_minute: u64) -> Self {
        Self {
            per_minute: AtomicU64::new(per_minute.min(MOST_PER_MINUTE)),
            buckets: Mutex::default(),
        }
    }

    /// Goes on with another rate; what was used up drains by it.
    pub(super) fn set_rate(&self, per_minute: u64) {
        self.per_minute
            .store(per_minute.min(MOST_PER_MINUTE), Ordering::Relaxed);
    }

    /// Pays for an attempt on both counts, or on neither.
    pub(super) fn begin(&self, username: &str, address: IpAddr, now_ms: u64) -> Result<Attempt, TooMany> {
        let keys = [Key::Username(username.to_owned()), Key::Address(network(address))];
        let per_minute = self.per_minute.load(Ordering::Relaxed);
        if per_minute == 0 {
            return Ok(Attempt { keys });
        }
        let mut buckets = self.lock();
        buckets.sweep(per_minute, now_ms);
        let capacity = per_minute * ATTEMPT;
        let used = keys.each_ref().map(|key| {
            let bucket = buckets.by_key.get(key);
            bucket.map_or(0, |bucket| bucket.used_at(per_minute, now_ms))
        });
        let most = used[0].max(used[1]);
        if most + ATTEMPT > capacity {
            return Err(TooMany((most + ATTEMPT - capacity).div_ceil(per_minute)));
        }
        for (key, used) in keys.iter().zip(used) {
            let bucket = Bucket {
                used: used + ATTEMPT,
                at_ms: now_ms,
            };
            buckets.by_key.insert(key.clone(), bucket);
        }
        Ok(Attempt { keys })
    }

    /// Gives an attempt back: the password was right, or it was never looked at.
    pub(super) fn give_back(&self, attempt: Attempt) {
        let mut buckets = self.lock();
        for key in attempt.keys {
            if let Entry::Occupied(mut entry) = buckets.by_key.entry(key) {
                entry.get_mut().used = entry.get().used.saturating_sub(ATTEMPT);
                if entry.get().used == 0 {
                    entry.remove();
                }
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Buckets> {
        self.buckets.lock().expect("no panic while it is held")
    }
}

impl Buckets {
    /// Forgets, once a minute, what has drained.
    fn sweep(&mut self, per_minute: u64, now_ms: u64) {
        if now_ms.saturating_sub(self.swept_ms) >= MINUTE_MS {
            self.swept_ms = now_ms;
            self.by_key
                .retain(|_, bucket| bucket.used_at(per_minute, now_ms) > 0);
        }
    }
}

impl Bucket {
    fn used_at(self, per_minute: u64, now_ms: u64) -> u64 {
        let drained = now_ms.saturating_sub(self.at_ms).saturating_mul(per_minute);
        self.used.saturating_sub(drained)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: &str = "192.0.2.1";

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn after_five_failures_in_a_minute_the_sixth_waits_its_share() {
        let throttle = Throttle::new(5);
        for _ in 0..5 {
            throttle.begin("alice", ip(HERE), 1_000).unwrap();
        }
        let told = throttle.begin("alice", ip(HERE), 1_000).unwrap_err();
        assert_eq!(told, TooMany(12_000));
        assert!(throttle.begin("alice", ip(HERE), 12_999).is_err());
        assert!(throttle.begin("alice", ip(HERE), 13_000).is_ok());
    }

    #[test]
    fn an_account_is_guarded_from_many_addresses_and_an_address_from_many_names() {
        let throttle = Throttle::new(5);
        for host in 1..=5 {
            throttle
                .begin("alice", ip(&format!("192.0.2.{host}")), 0)
                .unwrap();
        }
        assert!(throttle.begin("alice", ip("198.51.100.1"), 0).is_err());
        assert!(throttle.begin("bob", ip("198.51.100.1"), 0).is_ok());
        for name in 1..=5 {
            throttle.begin(&format!("n{name}"), ip("203.0.113.1"), 0).unwrap();
        }
        assert!(throttle.begin("n6", ip("203.0.113.1"), 0).is_err());
    }

    #[test]
    fn right_passwords_cost_nothing() {
        let throttle = Throttle::new(5);
        for _ in 0..100 {
            let attempt = throttle.begin("alice", ip(HERE), 0).unwrap();
            throttle.give_back(attempt);
        }
        assert!(throttle.lock().by_key.is_empty());
    }

    #[test]
    fn a_refusal_on_one_count_costs_nothing_on_the_other() {
        let throttle = Throttle::new(1);
        throttle.begin("alice", ip(HERE), 0).unwrap();
        assert!(throttle.begin("alice", ip("198.51.100.1"), 0).is_err());
        assert!(throttle.begin("bob", ip("198.51.100.1"), 0).is_ok());
    }

    #[test]
    fn what_has_drained_is_forgotten() {
        let throttle = Throttle::new(5);
        for name in 0..1_000 {
            throttle
                .begin(
                    &format!("n{name}"),
                    IpAddr::from(std::net::Ipv4Addr::from_bits(name)),
                    0,
                )
                .unwrap();
        }
        throttle.begin("alice", ip(HERE), 3 * MINUTE_MS).unwrap();
        assert_eq!(throttle.lock().by_key.len(), 2);
    }

    #[test]
    fn zero_is_no_limit() {
        let throttle = Throttle::new(0);
        assert!((0..1_000).all(|_| throttle.begin("alice", ip(HERE), 0).is_ok()));
    }
}
