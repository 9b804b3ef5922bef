//! Writers of connections that a turn of a shard gave something to send. Each is set going once, when the turn is
//! over, so that several messages go out in one write.

use crate::outbox::{Asleep, Outbox, Outgoing};

/// Writers whose sockets are written here, in the shard's own task. To wake as many costs more than that, on both
/// sides; with more of them the shard would keep its other channels waiting.
const FEW: usize = 64;
/// Things given before those who wait are woken within a turn: about a millisecond of work.
const MOST_GIVEN: usize = 8_192;
/// The publisher is woken behind so many of the receivers, or behind this part of them where that is more; see
/// [`Writers::set_going`].
const BEHIND: usize = 32;
const BEHIND_PART: usize = 30;

#[derive(Default)]
pub(super) struct Writers {
    /// The first [`FEW`] of them with their lines.
    asleep: Vec<Asleep>,
    given: usize,
}

impl Writers {
    /// Pushes something; its writer is set going by [`Self::set_going`].
    pub(super) fn give(&mut self, outbox: &Outbox, outgoing: Outgoing) {
        if let Some(task) = outbox.push_quietly(outgoing) {
            let line = (self.asleep.len() < FEW).then(|| outbox.line()).flatten();
            self.asleep.push(Asleep { task, line });
        }
        self.given += 1;
        if self.given >= MOST_GIVEN {
            self.set_going();
        }
    }

    /// Sets all going who wait.
    pub(super) fn set_going(&mut self) {
        self.given = 0;
        if self.asleep.len() <= FEW {
            return self.asleep.drain(..).for_each(Asleep::write);
        }
        // The publisher, whose ack stands behind its message, was told of last, and the runtime would begin with it:
        // it would publish on and on before anybody was sent the first. Behind all receivers, each message would
        // wait for a whole round, alone in each write. Behind the first of them the next message meets the one
        // before in most writes.
        let last = self.asleep.len() - 1;
        self.asleep.swap(last.min(BEHIND.max(last / BEHIND_PART)), last);
        self.asleep.drain(..).for_each(Asleep::wake);
    }
}
