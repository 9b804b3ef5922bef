//! Writers of connections that a turn of a shard gave something to send. Each is woken once, when the turn is
//! over, so that several messages go out in one write.

use std::task::Waker;

use crate::outbox::{Outbox, Outgoing};

/// Things given before those who wait are woken within a turn: about a millisecond of work.
const MOST_GIVEN: usize = 8_192;
/// The publisher is woken behind one of so many of the receivers; see [`Writers::wake`].
const PUBLISHER_BEHIND: usize = 10;

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
        // The publisher, whose ack stands behind its message, was told of last, and the runtime would begin with it:
        // it would publish on and on before anybody was sent the first. Behind all receivers, each message would
        // wait for a whole round, alone in each write. Behind a tenth of them the next message meets the one before
        // in most writes, and nobody waits for more than about two rounds.
        if let Some(last) = self.asleep.len().checked_sub(1) {
            self.asleep.swap(last / PUBLISHER_BEHIND, last);
        }
        self.asleep.drain(..).for_each(Waker::wake);
    }
}
