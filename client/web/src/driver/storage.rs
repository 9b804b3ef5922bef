//! The run loop's side of the journal: writing, sweeping, the lock, and folding when nothing happens.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use bmt_client_core::{Face, Now, QueueChange};

use super::{Driver, Told};
use crate::clock;
use crate::journal::Trouble;
use crate::page::is_hidden;
use crate::storage::StorageChoice;
use crate::timer::Timer;
use crate::warning::Warning;

/// After this long without a change of the queue, its entries are folded into the array.
const IDLE_MS: u64 = 2_000;
/// How long an acked entry may stay in storage where no frame is sent meanwhile: long enough for whoever awaited the
/// ack to publish the next message, and much shorter than what a server remembers ids for.
const SWEEP_MS: u64 = 20;

/// Who wants the lock, whether it is held, and what the application was told.
#[derive(Default)]
pub(super) struct Tidying {
    wanted_by_core: Cell<bool>,
    wanted_to_fold: Cell<bool>,
    held: Cell<bool>,
    warned: Cell<bool>,
    idle: RefCell<Option<Timer>>,
    idle_at_ms: Cell<u64>,
    sweep: RefCell<Option<Timer>>,
}

impl Tidying {
    /// Ends every wait: the lock is given back right after.
    pub(super) fn stop(&self) {
        self.idle.borrow_mut().take();
        self.sweep.borrow_mut().take();
        self.wanted_to_fold.set(false);
        self.held.set(false);
    }
}

impl<F: Face + 'static> Driver<F> {
    /// Writes what has changed; `has_sent` while the server is at work on what this page has just sent it.
    pub(super) fn persist(self: &Rc<Self>, changes: &mut Vec<QueueChange>, has_sent: bool) {
        if changes.is_empty() && !(has_sent && self.journal.borrow().is_unswept()) {
            return;
        }
        for change in changes.drain(..) {
            match change {
                QueueChange::Put(entry) => {
                    let written = self.journal.borrow_mut().put(&entry);
                    if let Err(trouble) = written {
                        self.warn(trouble);
                    }
                }
                QueueChange::Remove(id) => self.journal.borrow_mut().remove(id.as_str()),
                QueueChange::Acked(id) => self.journal.borrow_mut().settle(id.as_str()),
            }
        }
        if has_sent || !self.may_sweep_later() {
            self.journal.borrow_mut().sweep();
        } else {
            self.sweep_soon();
        }
        self.wait_for_idleness();
    }

    /// Whether nobody minds that an acked entry stays in storage for a moment: no tab waits for the lock to send what
    /// is stored, the server knows what is published again, and the moment is none of a hidden page's, whose timers are
    /// late and which may never be woken.
    fn may_sweep_later(&self) -> bool {
        self.is_wanted()
            && !self.tidying.wanted_by_core.get()
            && self.core.borrow().limits().is_some()
            && !is_hidden()
    }

    fn sweep_soon(self: &Rc<Self>) {
        let mut sweep = self.tidying.sweep.borrow_mut();
        if sweep.is_none() && self.journal.borrow().is_unswept() {
            let weak = Rc::downgrade(self);
            *sweep = Some(Timer::after(SWEEP_MS, move || {
                if let Some(this) = weak.upgrade() {
                    this.tidying.sweep.borrow_mut().take();
                    this.journal.borrow_mut().sweep();
                }
            }));
        }
    }

    /// The page cannot be seen any more, and may be ended without a word.
    pub(super) fn sweep_now(&self) {
        self.journal.borrow_mut().sweep();
    }

    /// Leaves nothing to a page that may be over.
    pub(super) fn stop_tidying(&self) {
        self.tidying.stop();
        self.journal.borrow_mut().sweep();
    }

    /// Hands the core all that is stored.
    pub(super) fn restore(&self, now: Now) {
        let (entries, trouble) = self.journal.borrow_mut().load();
        if let Some(trouble) = trouble {
            self.warn(trouble);
        }
        self.core.borrow_mut().handle_restored(now, entries);
    }

    pub(super) fn acquire_lock(&self) {
        self.tidying.wanted_by_core.set(true);
        self.lock.acquire();
    }

    pub(super) fn release_lock(&self) {
        self.tidying.wanted_by_core.set(false);
        self.let_go_if_unwanted();
    }

    /// The page is left or frozen: other tabs must not wait for this one.
    pub(super) fn lend_lock(&self) {
        self.stop_tidying();
        self.lock.release();
    }

    /// The page is back: takes up what it lent.
    pub(super) fn lock_again(&self) {
        if self.tidying.wanted_by_core.get() && !self.tidying.held.get() {
            self.lock.acquire();
        }
    }

    pub(super) fn lock_changed(self: &Rc<Self>, held: bool, now: Now) {
        let tidying = &self.tidying;
        tidying.held.set(held);
        if held && tidying.wanted_to_fold.take() {
            self.journal.borrow_mut().fold();
        }
        if tidying.wanted_by_core.get() {
            if held {
                self.restore(now);
            }
            self.core.borrow_mut().handle_lock(now, held);
        }
        self.let_go_if_unwanted();
    }

    /// Tells the application once that its queue is not kept as it should be, unless it wants it so.
    fn warn(&self, trouble: Trouble) {
        let is_chosen = matches!(self.options.storage, StorageChoice::None);
        if !is_chosen && !self.tidying.warned.replace(true) {
            let warning = Warning {
                code: trouble.code(),
                message: trouble.sentence(),
            };
            self.outbox.borrow_mut().push_back(Told::Warning(warning));
        }
    }

    fn let_go_if_unwanted(&self) {
        let tidying = &self.tidying;
        if !tidying.wanted_by_core.get() && !tidying.wanted_to_fold.get() {
            tidying.held.set(false);
            self.lock.release();
        }
    }

    /// Folds once nothing has changed for a while. The timer that runs already looks at the clock when it ends.
    fn wait_for_idleness(self: &Rc<Self>) {
        if self.journal.borrow().store().is_none() || !self.is_wanted() {
            return;
        }
        let tidying = &self.tidying;
        tidying.idle_at_ms.set(clock::now().monotonic_ms + IDLE_MS);
        let mut idle = tidying.idle.borrow_mut();
        if idle.is_none() {
            *idle = Some(self.fold_at(tidying.idle_at_ms.get()));
        }
    }

    fn fold_at(self: &Rc<Self>, at_ms: u64) -> Timer {
        let weak = Rc::downgrade(self);
        Timer::at(at_ms, move || {
            if let Some(this) = weak.upgrade() {
                this.tidying.idle.borrow_mut().take();
                this.fold_if_idle();
            }
        })
    }

    fn fold_if_idle(self: &Rc<Self>) {
        let tidying = &self.tidying;
        if !self.journal.borrow().is_unfolded() {
            return;
        }
        if clock::now().monotonic_ms < tidying.idle_at_ms.get() {
            *tidying.idle.borrow_mut() = Some(self.fold_at(tidying.idle_at_ms.get()));
        } else if tidying.held.get() {
            self.journal.borrow_mut().fold();
        } else {
            tidying.wanted_to_fold.set(true);
            self.lock.acquire();
        }
    }
}
