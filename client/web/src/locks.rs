//! Which tab flushes the queue that tabs share (SPEC §9): Web Locks, or a lease in storage where they are
//! missing. A host without storage shares nothing, so there the lock is held at once.

mod lease;
mod web;

use std::rc::Rc;

use crate::storage::Store;
use lease::Lease;
use web::WebLock;

/// Told `true` when the lock is held and `false` when it was lost without being released.
pub(crate) type OnHeld = Rc<dyn Fn(bool)>;

/// One tab's place in the queue for the lock. Dropping it releases the lock.
pub(crate) struct FlushLock(Kind);

enum Kind {
    Web(WebLock),
    Lease(Lease),
    Alone(OnHeld),
}

impl FlushLock {
    /// A lock of this name that is neither held nor asked for.
    pub(crate) fn new(name: &str, store: Option<&Store>, on_held: OnHeld) -> Self {
        let Some(store) = store else {
            return Self(Kind::Alone(on_held));
        };
        Self(match web::locks() {
            Some(locks) => Kind::Web(WebLock::new(locks, name, on_held)),
            None => Kind::Lease(Lease::new(store.clone(), name, on_held)),
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

    /// Gives the lock back, or stops asking for it.
    pub(crate) fn release(&self) {
        match &self.0 {
            Kind::Web(lock) => lock.release(),
            Kind::Lease(lease) => lease.release(),
            Kind::Alone(_) => {}
        }
    }
}
