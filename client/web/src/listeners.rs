//! Who listens: callbacks that go when their [`Listener`] goes.

use std::cell::RefCell;
use std::rc::{Rc, Weak};

type Callback<E> = Rc<RefCell<dyn FnMut(&E)>>;

/// The callbacks for one kind of thing.
pub(crate) struct Listeners<E>(Rc<RefCell<Table<E>>>);

struct Table<E> {
    next: u64,
    callbacks: Vec<(u64, Callback<E>)>,
}

/// Keeps one callback listening; dropping it ends that, even from inside the callback.
#[must_use = "the callback listens until this is dropped"]
pub struct Listener {
    unlisten: Option<Box<dyn FnOnce()>>,
}

impl<E: 'static> Listeners<E> {
    pub(crate) fn new() -> Self {
        Self(Rc::new(RefCell::new(Table {
            next: 0,
            callbacks: Vec::new(),
        })))
    }

    pub(crate) fn add(&self, callback: impl FnMut(&E) + 'static) -> Listener {
        let mut table = self.0.borrow_mut();
        let id = table.next;
        table.next += 1;
        table.callbacks.push((id, Rc::new(RefCell::new(callback))));
        let weak = Rc::downgrade(&self.0);
        Listener {
            unlisten: Some(Box::new(move || remove(&weak, id))),
        }
    }

    /// Calls everybody who listens now, in the order they came. One who left during the call is not called.
    pub(crate) fn tell(&self, event: &E) {
        let end = self.0.borrow().next;
        let mut next = 0;
        while let Some((id, callback)) = self.first_of(next, end) {
            callback.borrow_mut()(event);
            next = id + 1;
        }
    }

    /// Of those who came from `next` on and before `end`. They stand in the order in which they came.
    fn first_of(&self, next: u64, end: u64) -> Option<(u64, Callback<E>)> {
        let table = self.0.borrow();
        let mut callbacks = table.callbacks.iter();
        callbacks.find(|(id, _)| (next..end).contains(id)).cloned()
    }
}

fn remove<E>(table: &Weak<RefCell<Table<E>>>, id: u64) {
    let Some(table) = table.upgrade() else { return };
    let mut table = table.borrow_mut();
    let at = table.callbacks.iter().position(|(other, _)| *other == id);
    // Dropped after the borrow: what the callback owns may be a listener too.
    let gone = at.map(|at| table.callbacks.remove(at));
    drop(table);
    drop(gone);
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(unlisten) = self.unlisten.take() {
            unlisten();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn a_listener_may_end_itself_and_others_while_it_is_called() {
        let listeners = Listeners::<u32>::new();
        let heard = Rc::new(Cell::new(0));
        let second: Rc<RefCell<Option<Listener>>> = Rc::default();
        let ends = second.clone();
        let count = heard.clone();
        let first = listeners.add(move |n| {
            count.set(count.get() + n);
            ends.borrow_mut().take();
        });
        let count = heard.clone();
        *second.borrow_mut() = Some(listeners.add(move |n| count.set(count.get() + 100 * n)));
        listeners.tell(&1);
        listeners.tell(&2);
        drop(first);
        listeners.tell(&4);
        assert_eq!(heard.get(), 3);
    }
}
