//! Which tab flushes the queue that tabs share, and which one holds their connection (SPEC §9): Web Locks, or a lease in
//! storage where they are missing. A host without storage has no queue to share, so there that lock is held at once.

mod lease;
mod web;

use std::rc::Rc;

use crate::storage::Store;
use lease::Lease;
use web::WebLock;

/// Told `true` when the lock is held and `false` when it was lost without being released.
pub(crate) type OnHeld = Rc<dyn Fn(bool)>;

/// One tab's place in the queue for the lock. Dropping it releases the lock.
pub(crate) struct TabLock(Kind);

enum Kind {
    Web(WebLock),
    Lease(Lease),
    Alone(OnHeld),
}

impl TabLock {
    /// A lock of this name that is neither held nor asked for.
    pub(crate) fn new(name: &str, store: Option<&Store>, on_held: OnHeld) -> Self {
        match store {
            Some(_) => Self::for_tabs(name, store, on_held),
            None => Self(Kind::Alone(on_held)),
        }
    }

    /// The same for what tabs share without storage: there it is a lock too, where the host has one.
    pub(crate) fn for_tabs(name: &str, store: Option<&Store>, on_held: OnHeld) -> Self {
        Self(match (web::locks(), store) {
            (Some(locks), _) => Kind::Web(WebLock::new(locks, name, on_held)),
            (None, Some(store)) => Kind::Lease(Lease::new(store.clone(), name, on_held)),
            (None, None) => Kind::Alone(on_held),
        })
    }

    /// Asks for the lock. Where it is held or asked for already, nothing happens.
    pub(crate) fn acquire(&self) {
        match &self.0 {
            Kind::Web(lock) => lock.acquire(),
            Kind::Lease(lease) => lease.acquire(),
            Kind::Alone(on_held) => on_held(true),
        }
    }

    /// Whether tabs can have such a lock between them.
    pub(crate) fn is_possible(store: Option<&Store>) -> bool {
        web::locks().is_some() || store.is_some()
    }

    /// Whether it is held so that other tabs see it: where the host refuses its locks, or storage is too full for a
    /// lease, `on_held` is told `true` and nobody is kept out.
    pub(crate) fn is_exclusive(&self) -> bool {
        match &self.0 {
            Kind::Web(lock) => lock.is_held(),
            Kind::Lease(lease) => lease.is_written(),
            Kind::Alone(_) => false,
        }
    }

    /// Takes the lock from whoever holds it, who is told that it is lost.
    pub(crate) fn take_over(&self) {
        match &self.0 {
            Kind::Web(lock) => lock.take_over(),
            Kind::Lease(lease) => lease.take_over(),
            Kind::Alone(on_held) => on_held(true),
        }
    }

    /// Gives the lock back, or stops asking for it.
    pub(crate) fn release(&self) {
        match &self.0 {
            Kind::Web(lock) => lock.release(),
            Kind::Lease(lease) => lease.release(),
            Kind::Alone(_) => {}
        }
    }
}
