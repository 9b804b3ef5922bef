//! Token buckets by a key: those that are full again are forgotten.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

use bmt_server_core::session::TokenBucket;

/// How often full buckets are looked for, ms.
const SWEEP_MS: u64 = 1_000;
/// Keys at once. A key stays for as long as its bucket takes to fill, seconds: more at a time are an attack with
/// many addresses, and who is new then waits.
const KEYS: usize = 100_000;

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Ledger<K> {
    per_second: AtomicU64,
    // A lock and not a task: a look-up and a subtraction. It is never held over a wait.
    state: Mutex<State<K>>,
}

#[derive(Debug)]
struct State<K> {
    burst: u64,
    buckets: HashMap<K, TokenBucket>,
    swept_ms: u64,
}

impl<K: Hash + Eq> Ledger<K> {
    /// A rate of 0 is no limit.
    pub(super) fn new((per_second, burst): (u64, u64)) -> Self {
        Self {
            per_second: AtomicU64::new(per_second),
            state: Mutex::new(State {
                burst,
                buckets: HashMap::new(),
                swept_ms: 0,
            }),
        }
    }

    /// Goes on with another rate. What was taken and has not come back stays taken.
    pub(super) fn set_rate(&self, (per_second, burst): (u64, u64), now_ms: u64) {
        let mut state = self.lock();
        self.per_second.store(per_second, Ordering::Relaxed);
        state.burst = burst;
        for bucket in state.buckets.values_mut() {
            bucket.change_rate(per_second, burst, now_ms);
        }
    }

    pub(super) fn per_second(&self) -> u64 {
        self.per_second.load(Ordering::Relaxed)
    }

    /// Takes so many tokens of this key's.
    ///
    /// # Errors
    /// With the ms to wait; then nothing was taken.
    pub(super) fn take<Q>(&self, key: &Q, tokens: u64, now_ms: u64) -> Result<(), u64>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        if self.per_second() == 0 {
            return Ok(());
        }
        let mut state = self.lock();
        if now_ms.saturating_sub(state.swept_ms) >= SWEEP_MS {
            state.swept_ms = now_ms;
            state.buckets.retain(|_, bucket| !bucket.is_full(now_ms));
        }
        if let Some(bucket) = state.buckets.get_mut(key) {
            return bucket.take_many(tokens, now_ms);
        }
        if state.buckets.len() >= KEYS {
            return Err(SWEEP_MS);
        }
        let mut bucket = TokenBucket::new(self.per_second(), state.burst, now_ms);
        bucket.take_many(tokens, now_ms)?;
        state.buckets.insert(key.to_owned(), bucket);
        Ok(())
    }

    /// Whether a token of this key's could be taken.
    ///
    /// # Errors
    /// With the ms to wait.
    pub(super) fn look<Q>(&self, key: &Q, now_ms: u64) -> Result<(), u64>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let bucket = self.lock().buckets.get(key).cloned();
        bucket.map_or(Ok(()), |mut bucket| bucket.take(now_ms))
    }

    /// Puts one token back.
    pub(super) fn give_back<Q>(&self, key: &Q)
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        if let Some(bucket) = self.lock().buckets.get_mut(key) {
            bucket.give_back();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<K>> {
        self.state
            .lock()
            .expect("no code panics while it holds the buckets")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_full_again_is_forgotten() {
        let ledger: Ledger<u32> = Ledger::new((1, 2));
        for key in 0..1_000 {
            ledger.take(&key, 1, 0).unwrap();
        }
        assert_eq!(ledger.lock().buckets.len(), 1_000);
        ledger.take(&0, 2, 900).unwrap_err();
        ledger.take(&0, 1, 1_000).unwrap();
        assert_eq!(ledger.lock().buckets.len(), 1, "the others have filled");
    }

    #[test]
    fn a_hundred_thousand_keys_are_the_most() {
        let ledger: Ledger<u32> = Ledger::new((1, 10));
        let most = u32::try_from(KEYS).unwrap();
        for key in 0..most {
            ledger.take(&key, 10, 0).unwrap();
        }
        assert_eq!(ledger.take(&most, 1, 500), Err(SWEEP_MS));
        assert!(ledger.take(&0, 1, 5_000).is_ok(), "who is known is served");
        assert!(ledger.take(&most, 1, 20_000).is_ok());
    }

    #[test]
    fn another_rate_holds_for_those_who_are_known_and_those_who_are_new() {
        let ledger: Ledger<u32> = Ledger::new((1, 2));
        ledger.take(&1, 2, 0).unwrap();
        ledger.set_rate((4, 4), 0);
        assert_eq!(ledger.take(&1, 2, 0), Ok(()), "two of four are spent");
        assert_eq!(ledger.take(&1, 1, 0), Err(250));
        assert_eq!(ledger.take(&2, 4, 0), Ok(()));
        ledger.set_rate((0, 0), 0);
        assert_eq!(ledger.take(&1, 1, 0), Ok(()));
    }

    #[test]
    fn zero_is_no_limit_and_remembers_nobody() {
        let ledger: Ledger<u32> = Ledger::new((0, 0));
        assert!((0..1_000).all(|key| ledger.take(&key, 1, 0).is_ok()));
        assert_eq!(ledger.lock().buckets.len(), 0);
    }
}
