//! What a seed decides: how many people, how bad the network, how long.

use crate::random::Random;

/// The conditions of one run. Chances are per thousand.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Tabs of each person; the tabs of one person share a stored queue.
    pub(crate) people: Vec<usize>,
    pub(crate) topics: usize,
    /// How long people act and the network misbehaves, ms.
    pub(crate) trouble_ms: u64,
    /// Time between two acts of one tab, at most, ms.
    pub(crate) act_every_ms: u64,
    pub(crate) latency_ms: u64,
    pub(crate) jitter_ms: u64,
    /// Time between two faults, at most, ms; 0 is a good network.
    pub(crate) fault_every_ms: u64,
    /// Connections that cannot be made.
    pub(crate) refuse: u64,
    /// Live messages that the server drops on the way to one subscriber.
    pub(crate) drop_live: u64,
    /// How long a commit takes, at most, ms.
    pub(crate) commit_ms: u64,
    /// Times at which the server is killed.
    pub(crate) kills: u64,
    /// Messages in one recovery or page.
    pub(crate) recovery_messages: usize,
    pub(crate) publish_per_second: u64,
}

impl Plan {
    pub(crate) fn of(random: &mut Random) -> Self {
        let people = (0..random.within(1..=3)).map(|_| tabs(random)).collect();
        Self {
            people,
            topics: count(random, 1..=3),
            trouble_ms: random.within(8_000..=25_000),
            act_every_ms: *random.pick(&[600, 2_000, 5_000]),
            latency_ms: *random.pick(&[0, 20, 150]),
            jitter_ms: *random.pick(&[0, 30, 400]),
            fault_every_ms: *random.pick(&[0, 2_000, 8_000]),
            refuse: *random.pick(&[0, 0, 300]),
            drop_live: *random.pick(&[0, 0, 20, 200]),
            commit_ms: *random.pick(&[0, 3, 200]),
            kills: *random.pick(&[0, 0, 1, 3]),
            recovery_messages: *random.pick(&[2, 10, 1_000]),
            publish_per_second: *random.pick(&[0, 0, 5]),
        }
    }

    /// Whether every recovery is answered while its connection lives: then nobody has to be told of a gap.
    pub(crate) fn loses_nothing_silently(&self) -> bool {
        self.drop_live == 0 && self.fault_every_ms == 0
    }
}

fn tabs(random: &mut Random) -> usize {
    *random.pick(&[1, 1, 2])
}

fn count(random: &mut Random, range: std::ops::RangeInclusive<u64>) -> usize {
    usize::try_from(random.within(range)).expect("a small number")
}
