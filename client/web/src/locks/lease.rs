//! The lock by a lease in storage, renewed while it is held: for pages without Web Locks (plain http).
//!
//! Storage has no compare-and-swap. Two tabs may write in the same moment, so a tab holds the lease only if
//! its own mark is still there a little later; what slips through even so is sent twice under one `messageId`,
//! which the server answers once.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use super::OnHeld;
use crate::clock::{random, unix_ms};
use crate::storage::Store;
use crate::timer::Timer;

/// How long a lease lasts without being renewed (SPEC §9).
const LEASE_MS: u64 = 5_000;
/// How often its holder renews it: twice before it ends, because background tabs run timers once a second.
const RENEW_MS: u64 = 2_000;
/// How often a tab that waits looks whether the lease was given back.
const LOOK_MS: u64 = 500;
/// After this long, a write of another tab in the same moment is seen.
const SETTLE_MS: u64 = 50;

pub(super) struct Lease(Rc<Inner>);

struct Inner {
    store: Store,
    key: String,
    /// This tab's mark.
    mark: String,
    on_held: OnHeld,
    phase: Cell<Phase>,
    timer: RefCell<Option<Timer>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Idle,
    /// Another tab has it, or may have.
    Waiting,
    /// Our mark was written and may have been overwritten.
    Written,
    Held,
}

impl Lease {
    pub(super) fn new(store: Store, name: &str, on_held: OnHeld) -> Self {
        Self(Rc::new(Inner {
            store,
            key: format!("{name}_lease"),
            mark: format!("{:x}", random()),
            on_held,
            phase: Cell::new(Phase::Idle),
            timer: RefCell::new(None),
        }))
    }

    pub(super) fn acquire(&self) {
        if self.0.phase.get() == Phase::Idle {
            self.0.phase.set(Phase::Waiting);
            Inner::step(&self.0);
        }
    }

    pub(super) fn take_over(&self) {
        let inner = &self.0;
        inner.write();
        inner.phase.set(Phase::Written);
        Inner::wait(inner, SETTLE_MS);
    }

    pub(super) fn is_written(&self) -> bool {
        self.0.is_ours()
    }

    pub(super) fn release(&self) {
        let inner = &self.0;
        inner.timer.borrow_mut().take();
        if inner.phase.replace(Phase::Idle) != Phase::Waiting && inner.is_ours() {
            inner.store.remove(&inner.key);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.release();
    }
}

impl Inner {
    /// Does what is due in this phase and sets the timer for the next look.
    fn step(this: &Rc<Self>) {
        let was = this.phase.get();
        let (phase, again_ms) = match was {
            Phase::Idle => return,
            Phase::Waiting => match this.left_of_others() {
                Some(left_ms) => (Phase::Waiting, left_ms.min(LOOK_MS)),
                None if this.write() => (Phase::Written, SETTLE_MS + random() % SETTLE_MS),
                // A full storage cannot hold a lease; nothing is sent at all if everybody waits for it.
                None => (Phase::Held, RENEW_MS),
            },
            Phase::Written | Phase::Held if this.is_ours() => {
                this.write();
                (Phase::Held, RENEW_MS)
            }
            Phase::Held if !this.can_write() => (Phase::Held, RENEW_MS),
            Phase::Written | Phase::Held => (Phase::Waiting, SETTLE_MS + random() % SETTLE_MS),
        };
        this.phase.set(phase);
        Self::wait(this, again_ms);
        if (was == Phase::Held) != (phase == Phase::Held) {
            (this.on_held)(phase == Phase::Held);
        }
    }

    fn wait(this: &Rc<Self>, ms: u64) {
        let weak = Rc::downgrade(this);
        *this.timer.borrow_mut() = Some(Timer::after(ms, move || Self::step_if_alive(&weak)));
    }

    fn step_if_alive(weak: &Weak<Self>) {
        if let Some(this) = weak.upgrade() {
            Self::step(&this);
        }
    }

    /// Ms until another tab's lease ends; `None` where there is none.
    fn left_of_others(&self) -> Option<u64> {
        let (mark, until) = self.read()?;
        // A clock that was set back must not lock everybody out.
        let left = until.saturating_sub(unix_ms()).min(LEASE_MS);
        (mark != self.mark && left > 0).then_some(left)
    }

    fn is_ours(&self) -> bool {
        self.read().is_some_and(|(mark, _)| mark == self.mark)
    }

    fn read(&self) -> Option<(String, u64)> {
        let text = self.store.get(&self.key)?;
        let (mark, until) = text.split_once(' ')?;
        Some((mark.to_owned(), until.parse().ok()?))
    }

    fn can_write(&self) -> bool {
        self.left_of_others().is_some() || self.write()
    }

    fn write(&self) -> bool {
        let text = format!("{} {}", self.mark, unix_ms() + LEASE_MS);
        self.store.set(&self.key, &text).is_ok()
    }
}
