//! An answer that is on its way: awaited by Rust, or handed to a callback by faces without an executor.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// The answer to one request. Dropping it ends the interest, not the request.
#[must_use = "await it, or take the answer with `then`"]
pub struct Pending<T>(Rc<RefCell<Slot<T>>>);

/// The other end: gives the answer, once.
pub(crate) struct Answer<T>(Rc<RefCell<Slot<T>>>);

enum Slot<T> {
    Empty,
    Waiting(Waker),
    Calling(Box<dyn FnOnce(T)>),
    Ready(T),
    Taken,
}

/// A pair of ends.
pub(crate) fn pending<T>() -> (Answer<T>, Pending<T>) {
    let slot = Rc::new(RefCell::new(Slot::Empty));
    (Answer(slot.clone()), Pending(slot))
}

impl<T> Answer<T> {
    /// Wakes or calls whoever waits; nothing of the slot is borrowed meanwhile.
    pub(crate) fn give(self, value: T) {
        let was = self.0.replace(Slot::Taken);
        match was {
            Slot::Calling(callback) => callback(value),
            Slot::Waiting(waker) => {
                self.0.replace(Slot::Ready(value));
                waker.wake();
            }
            Slot::Empty | Slot::Ready(_) | Slot::Taken => {
                self.0.replace(Slot::Ready(value));
            }
        }
    }
}

impl<T> Pending<T> {
    /// Calls back with the answer: at once where it is there.
    pub fn then(self, callback: impl FnOnce(T) + 'static) {
        match self.0.replace(Slot::Taken) {
            Slot::Ready(value) => callback(value),
            _ => {
                self.0.replace(Slot::Calling(Box::new(callback)));
            }
        }
    }
}

impl<T> Future for Pending<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        match self.0.replace(Slot::Waiting(context.waker().clone())) {
            Slot::Ready(value) => {
                self.0.replace(Slot::Taken);
                Poll::Ready(value)
            }
            _ => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn a_callback_gets_the_answer_before_and_after_it_came() {
        let sum = Rc::new(Cell::new(0));
        for first in [true, false] {
            let (answer, pending) = pending();
            let add = sum.clone();
            let then = move || pending.then(move |n| add.set(add.get() + n));
            if first {
                answer.give(2);
                then();
            } else {
                then();
                answer.give(3);
            }
        }
        assert_eq!(sum.get(), 5);
    }

    #[test]
    fn a_future_is_woken_by_the_answer() {
        let (answer, pending) = pending();
        let mut pending = Box::pin(pending);
        let mut context = Context::from_waker(Waker::noop());
        assert_eq!(pending.as_mut().poll(&mut context), Poll::Pending);
        answer.give(7);
        assert_eq!(pending.as_mut().poll(&mut context), Poll::Ready(7));
    }
}
