//! Writers of connections that a turn of a shard gave something to send. Each is set going once, when the turn is
//! over, so that several messages go out in one write.

use crate::outbox::{Asleep, Outbox, Outgoing};

/// Writers whose sockets are written here, in the shard's own task. To wake as many costs more than that, on both
/// sides; with more of them the shard would keep its other channels waiting.
const FEW: usize = 64;
/// Things given before those who wait are woken within a turn: about a millisecond of work.
const MOST_GIVEN: usize = 8_192;

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
        // it would publish on and on before anybody was sent the first.
        let last = self.asleep.len() - 1;
        self.asleep.swap(publisher_place(last), last);
        self.asleep.drain(..).for_each(Asleep::wake);
    }
}

/// Behind how many of `receivers` the publisher is woken: 100 of 200, 40 of 500, 33 of 1,000. The earlier, the more
/// messages meet in one write and the longer each takes; the more receivers there are, the more the first counts.
/// These places were measured (`cargo xtask bench fanout`): behind 33 of 200, the slowest hundredth is as slow as the
/// official server's; behind 100 of 1,000, a delivery costs a quarter more.
fn publisher_place(receivers: usize) -> usize {
    (20_000 / receivers).min(receivers / 2).max(receivers / 30)
}

#[cfg(test)]
mod tests {
    use super::publisher_place;

    #[test]
    fn the_publisher_is_woken_behind_half_of_few_and_behind_a_small_part_of_many() {
        let places = [64, 200, 500, 1_000, 100_000].map(publisher_place);
        assert_eq!(places, [32, 100, 40, 33, 3_333]);
    }
}
