//! Password hashes: argon2id, a few at a time.

use std::sync::Arc;
use std::thread::available_parallelism;

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use tokio::sync::Semaphore;

use super::StoreError;

/// Each hash takes 19 MiB and some 20 ms of a core; more at once than cores gain nothing and cost memory.
const HASHES_AT_ONCE_MAX: usize = 4;
/// Logins that wait for their turn: about a second's worth. More are told to come back.
const WAITING_HASHES: usize = 64;

/// What is reserved for a hash, touched or not: allocators keep freed memory for later, glibc's up to 32 MiB a
/// piece, and nobody logs in for hours.
const GIVEN_BACK_BYTES: usize = 33 << 20;

/// Shorter passwords are guessed (NIST SP 800-63B §5.1.1.2).
const PASSWORD_CHARACTERS: usize = 8;
/// Longer passwords are refused before they are hashed.
pub(super) const PASSWORD_BYTES: usize = 1_024;

/// A hash of a password that nobody knows, with the parameters of all others: checked where there is no account,
/// so that the answer takes as long as for one that exists.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5LWhhcy10aGlz$LDiPUNEHgUcWBVUwb6EBLnWQZ3e5Oe3ZJ5U0ZX3SbnU";

#[derive(Debug)]
pub(super) enum PasswordError {
    /// Too many logins wait already.
    Busy,
    /// Our fault.
    Store(StoreError),
}

#[derive(Clone)]
pub(super) struct Passwords {
    turns: Arc<Semaphore>,
    places: Arc<Semaphore>,
}

impl Passwords {
    pub(super) fn new() -> Self {
        let cores = available_parallelism().map_or(1, usize::from);
        let at_once = cores.min(HASHES_AT_ONCE_MAX);
        Self {
            turns: Arc::new(Semaphore::new(at_once)),
            places: Arc::new(Semaphore::new(at_once + WAITING_HASHES)),
        }
    }

    /// A hash to store.
    pub(super) async fn hash(&self, password: String) -> Result<String, PasswordError> {
        self.work(move || Ok(make(password.as_bytes())?.to_string()))
            .await
    }

    /// Whether the password is that of the hash. Without a hash the answer is no, after the same work.
    pub(super) async fn verify(&self, password: String, hash: Option<String>) -> Result<bool, PasswordError> {
        self.work(move || {
            let known = hash.is_some();
            let hash = hash.as_deref().unwrap_or(NOBODY);
            let hash = PasswordHash::new(hash).map_err(|error| unusable(&error))?;
            Ok(fits(password.as_bytes(), &hash)? && known)
        })
        .await
    }

    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, PasswordError> {
        let place = self.places.clone().try_acquire_owned();
        let place = place.map_err(|_| PasswordError::Busy)?;
        let closed = |_| PasswordError::Store(StoreError::Closed);
        let turn = self.turns.clone().acquire_owned().await.map_err(closed)?;
        tokio::task::spawn_blocking(move || {
            // Held by the work, not by the caller: one that hangs up does not start another hash early.
            let _until_done = (place, turn);
            work()
        })
        .await
        .map_err(|_| PasswordError::Store(StoreError::Closed))?
        .map_err(PasswordError::Store)
    }
}

/// Whether somebody may choose this password; the sentence says why not.
pub(super) fn check_new(password: &str) -> Result<(), &'static str> {
    if password.chars().count() < PASSWORD_CHARACTERS {
        return Err("A password has 8 characters at least. Choose a longer one; a few words are good.");
    }
    if password.len() > PASSWORD_BYTES {
        return Err("A password has 1024 bytes at most. Choose a shorter one.");
    }
    Ok(())
}

fn make(password: &[u8]) -> Result<PasswordHash, StoreError> {
    let params = Params::DEFAULT;
    let salt = Salt::generate();
    Ok(PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(&params).map_err(|error| unusable(&error))?,
        hash: Some(compute(params, password, &salt)?),
        salt: Some(salt),
    })
}

fn fits(password: &[u8], hash: &PasswordHash) -> Result<bool, StoreError> {
    let of_ours =
        hash.algorithm == Algorithm::Argon2id.ident() && hash.version == Some(Version::V0x13.into());
    let (true, Some(salt), Some(expected)) = (of_ours, &hash.salt, &hash.hash) else {
        return Err(unusable(&"it was not made by this server"));
    };
    let params = Params::try_from(hash).map_err(|error| unusable(&error))?;
    // Comparing outputs takes the same time wherever the first wrong byte is.
    Ok(compute(params, password, salt)? == *expected)
}

/// The hash itself, in memory that goes back to the system.
fn compute(params: Params, password: &[u8], salt: &[u8]) -> Result<Output, StoreError> {
    let blocks = params.block_count();
    let mut memory = Vec::with_capacity(blocks.max(GIVEN_BACK_BYTES / Block::SIZE));
    memory.resize(blocks, Block::new());
    let length = params.output_len().unwrap_or(Params::DEFAULT_OUTPUT_LEN);
    let mut output = vec![0; length];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into_with_memory(password, salt, &mut output, &mut memory)
        .map_err(|error| unusable(&error))?;
    Output::new(&output).map_err(|error| unusable(&error))
}

fn unusable(error: &dyn std::fmt::Display) -> StoreError {
    StoreError::Hash(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use argon2::password_hash::{PasswordHasher, PasswordVerifier};

    #[tokio::test]
    async fn a_hash_fits_its_password_and_no_other() {
        let passwords = Passwords::new();
        let hash = passwords.hash("one".to_owned()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(
            passwords
                .verify("one".to_owned(), Some(hash.clone()))
                .await
                .unwrap()
        );
        assert!(!passwords.verify("two".to_owned(), Some(hash)).await.unwrap());
        assert!(!passwords.verify("one".to_owned(), None).await.unwrap());
    }

    #[test]
    fn hashes_are_those_of_every_other_argon2() {
        let theirs = Argon2::default().hash_password(b"one").unwrap();
        assert!(fits(b"one", &theirs).unwrap());
        assert!(!fits(b"two", &theirs).unwrap());
        let ours = make(b"one").unwrap();
        assert!(Argon2::default().verify_password(b"one", &ours).is_ok());
        assert!(Argon2::default().verify_password(b"two", &ours).is_err());
        let foreign = PasswordHash::new(&ours.to_string().replace("argon2id", "argon2i")).unwrap();
        assert!(fits(b"one", &foreign).is_err());
    }

    #[test]
    fn the_hash_of_nobody_costs_what_a_real_one_costs() {
        let nobody = PasswordHash::new(NOBODY).unwrap();
        let real = Argon2::default().hash_password(b"x").unwrap().to_string();
        let real = PasswordHash::new(&real).unwrap();
        assert_eq!(nobody.algorithm, real.algorithm);
        assert_eq!(nobody.params, real.params);
    }

    /// FAULTS 52: memory is bounded by the hashes at once, the queue by its places.
    #[tokio::test]
    async fn of_many_logins_at_once_those_without_a_place_are_told_to_come_back() {
        let passwords = Passwords::new();
        let all = (0..200).map(|_| passwords.verify("x".to_owned(), None));
        let results = futures_join(all).await;
        let busy = results
            .iter()
            .filter(|result| matches!(result, Err(PasswordError::Busy)))
            .count();
        assert!(busy >= 200 - HASHES_AT_ONCE_MAX - WAITING_HASHES, "{busy}");
        assert!(results.iter().any(Result::is_ok));
    }

    async fn futures_join<T: Send + 'static>(all: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
        let mut pending: Vec<_> = all.map(Box::pin).collect();
        let mut results = Vec::new();
        std::future::poll_fn(|context| {
            pending.retain_mut(|one| match one.as_mut().poll(context) {
                std::task::Poll::Ready(result) => {
                    results.push(result);
                    false
                }
                std::task::Poll::Pending => true,
            });
            if pending.is_empty() {
                std::task::Poll::Ready(())
            } else {
                std::task::Poll::Pending
            }
        })
        .await;
        results
    }
}
