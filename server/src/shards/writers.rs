//! Writers of connections that a turn of a shard gave something to send. Each is woken once, when the turn is
//! over, so that several messages go out in one write.

use std::task::Waker;

use crate::outbox::{Outbox, Outgoing};

/// Things given before those who wait are woken within a turn: about a millisecond of work.
const MOST_GIVEN: usize = 8_192;

#[derive(Default)]
pub(super) struct Writers {
    asleep: Vec<Waker>,
    given: usize,
}

impl Writers {
    /// Pushes something; its writer is woken by [`Self::wake`].
    pub(super) fn give(&mut self, outbox: &Outbox, outgoing: Outgoing) {
        self.asleep.extend(outbox.push_quietly(outgoing));
        self.given += 1;
        if self.given >= MOST_GIVEN {
            self.wake();
        }
    }

    /// Wakes all who wait.
    pub(super) fn wake(&mut self) {
        self.given = 0;
        // The runtime begins with whom it was told of last. That would be a publisher, whose ack stands behind its
        // message: it would publish the next one before anybody was sent the first.
        if let [.., receiver, publisher] = self.asleep.as_mut_slice() {
            std::mem::swap(receiver, publisher);
        }
        self.asleep.drain(..).for_each(Waker::wake);
    }
}
