//! What is let go while nothing else happens: forgotten keys, and messages of quiet channels that are too old.

use std::time::{Duration, Instant};

use bmt_server_core::channel::Retention;
use bmt_shared::channel::ChannelName;
use rusqlite::Connection;

use super::rows::{forget_keys, trim_by_age, trim_reads};
use crate::clock::Clock;
use crate::namespaces::CurrentNamespaces;

/// Channels looked at in one run.
const CHANNELS_AT_ONCE: usize = 64;
/// The pause between two steps of a round.
const STEP: Duration = Duration::from_secs(1);
/// The pause after a round.
const PAUSE: Duration = Duration::from_secs(10 * 60);

#[derive(Clone)]
pub(super) struct Housekeeping {
    namespaces: CurrentNamespaces,
    clock: Clock,
    /// Id of the last channel that was looked at.
    cursor: i64,
    next: Instant,
}

impl Housekeeping {
    pub(super) fn new(namespaces: CurrentNamespaces, clock: Clock) -> Self {
        Self {
            namespaces,
            clock,
            cursor: 0,
            next: Instant::now() + STEP,
        }
    }

    pub(super) fn is_due(&self) -> bool {
        self.next <= Instant::now()
    }

    /// Does one step in an open transaction.
    pub(super) fn run(&mut self, transaction: &Connection) -> rusqlite::Result<()> {
        let now_ms = (self.clock)();
        let more_keys = forget_keys(transaction, now_ms)?;
        let channels = self.channels(transaction)?;
        let namespaces = self.namespaces.load();
        for (id, name) in &channels {
            trim_reads(transaction, *id)?;
            // A name that is none, or a namespace that is gone from the configuration: left as it is.
            let Ok(topic) = ChannelName::parse(name) else {
                continue;
            };
            if let Some(namespace) = namespaces.of(&topic) {
                trim_by_age(transaction, &topic, Retention::of(&namespace), now_ms)?;
            }
        }
        let round_ends = channels.len() < CHANNELS_AT_ONCE;
        self.cursor = match channels.last() {
            Some((id, _)) if !round_ends => *id,
            _ => 0,
        };
        let pause = if round_ends && !more_keys { PAUSE } else { STEP };
        self.next = Instant::now() + pause;
        Ok(())
    }

    /// The next channels that have messages.
    fn channels(&self, transaction: &Connection) -> rusqlite::Result<Vec<(i64, String)>> {
        let limit = i64::try_from(CHANNELS_AT_ONCE).expect("a few");
        transaction
            .prepare_cached(
                "SELECT id, name FROM channels WHERE id > ?1 AND oldest <= top ORDER BY id LIMIT ?2",
            )?
            .query_map([self.cursor, limit], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect()
    }
}
