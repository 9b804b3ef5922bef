//! Messages in memory: as lasting as the process. Every start is a new epoch.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use bmt_server_core::channel::{Entry, Opened, Page, Read, Retention, Stream, Traced};
use bmt_shared::channel::ChannelName;

use super::{Batch, Done, Erasure, History, Known, Listing, mint};

/// Channels whose messages are kept, used or not. Beyond that, and beyond twice those that are used, the ones that
/// nobody uses lose theirs, and their epoch.
const STREAMS: usize = 10_000;

/// See the [module](self).
pub struct MemoryHistory {
    // One short critical section per call, from a few shards; there is nothing to wait for.
    streams: Mutex<Streams>,
    window_ms: u64,
}

struct Streams {
    all: HashMap<ChannelName, Kept>,
    /// With so many of them those that nobody uses are looked for. It grows with those that are used: each new channel
    /// costs the same, however many there are.
    most: usize,
}

struct Kept {
    stream: Stream,
    is_active: bool,
}

impl MemoryHistory {
    /// An empty store that knows a key again for `idempotency_window_ms`.
    #[must_use]
    pub fn new(idempotency_window_ms: u64) -> Self {
        Self {
            streams: Mutex::new(Streams {
                all: HashMap::new(),
                most: STREAMS,
            }),
            window_ms: idempotency_window_ms,
        }
    }

    /// How many channels it remembers.
    #[cfg(test)]
    pub(crate) fn streams(&self) -> usize {
        self.lock().all.len()
    }

    fn lock(&self) -> MutexGuard<'_, Streams> {
        self.streams
            .lock()
            .expect("no code panics while it holds the streams")
    }
}

impl Streams {
    /// The channel's stream; a new one begins a numbering.
    fn of(&mut self, topic: &ChannelName) -> &mut Kept {
        if self.all.len() >= self.most && !self.all.contains_key(topic) {
            self.all.retain(|_, kept| kept.is_active);
            self.most = STREAMS.max(2 * self.all.len());
        }
        self.all.entry(topic.clone()).or_insert_with(|| Kept {
            stream: Stream::new(mint::epoch()),
            is_active: true,
        })
    }
}

impl History for MemoryHistory {
    fn open(&self, topic: ChannelName, retention: Retention, now_ms: u64, done: Done<Opened>) {
        let opened = {
            let mut streams = self.lock();
            let kept = streams.of(&topic);
            kept.is_active = true;
            kept.stream.open(retention, now_ms)
        };
        done(Ok(opened));
    }

    fn append(&self, batch: Batch) {
        let results = {
            let mut streams = self.lock();
            let append = |append: super::Append| {
                let kept = streams.of(&append.draft.topic);
                kept.stream.append(append.draft, append.retention, self.window_ms)
            };
            let results = batch.appends.into_iter().map(append).collect();
            for mark in batch.reads {
                streams.of(&mark.topic).stream.mark(mark);
            }
            results
        };
        (batch.done)(Ok(results));
    }

    fn read(&self, read: Read, done: Done<Page>) {
        let page = self.lock().of(&read.topic).stream.read(&read);
        done(Ok(page));
    }

    fn list(&self, listing: Listing, done: Done<Vec<Known>>) {
        let known = |(name, kept): (&ChannelName, &Kept)| Known {
            name: name.as_str().to_owned(),
            messages: (kept.stream.top() + 1).saturating_sub(kept.stream.oldest()),
            top: kept.stream.top(),
            created_ms: kept.stream.created_ms(),
        };
        let mut found: Vec<_> = self
            .lock()
            .all
            .iter()
            .filter(|(name, kept)| kept.stream.top() > 0 && listing.includes(name.as_str()))
            .map(known)
            .collect();
        found.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        found.truncate(listing.limit);
        done(Ok(found));
    }

    fn erase(&self, erasure: Erasure, done: Done<u64>) {
        let Erasure {
            traced,
            topic,
            seqs,
            now_ms,
        } = erasure;
        let kept = self
            .lock()
            .all
            .get_mut(&topic)
            .map(|kept| kept.stream.erase(&traced, &seqs, now_ms));
        done(Ok(kept.unwrap_or(0)));
    }

    fn remembered_of(&self, traced: &Traced) -> Vec<Arc<Entry>> {
        let streams = self.lock();
        let found = streams
            .all
            .values()
            .flat_map(|kept| kept.stream.traces_of(traced));
        found.cloned().collect()
    }

    fn release(&self, topic: &ChannelName) {
        let mut streams = self.lock();
        if let Some(kept) = streams.all.get_mut(topic) {
            kept.is_active = false;
            if kept.stream.is_empty() {
                streams.all.remove(topic);
            }
        }
    }

    fn is_writable(&self) -> bool {
        true
    }

    fn close(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::conformance::{KEEP_ALL, NOW_MS, Subject, WINDOW_MS, draft, topic};

    #[test]
    fn at_its_bound_it_forgets_channels_that_nobody_uses() {
        let history = Arc::new(MemoryHistory::new(WINDOW_MS));
        let store = Subject(history.clone());
        for name in ["used", "quiet"] {
            store.append(vec![draft(name, "u", "k")]);
        }
        let before = store.open("used", KEEP_ALL, NOW_MS);
        let quiet = store.open("quiet", KEEP_ALL, NOW_MS);
        history.release(&topic("quiet"));
        for at in 0..STREAMS {
            store.open(&format!("c{at}"), KEEP_ALL, NOW_MS);
            history.release(&topic(&format!("c{at}")));
        }
        assert_eq!(
            store.open("quiet", KEEP_ALL, NOW_MS).epoch,
            quiet.epoch,
            "empty ones went first"
        );
        history.release(&topic("quiet"));
        for at in 0..STREAMS {
            store.append(vec![draft(&format!("d{at}"), "u", "k")]);
            history.release(&topic(&format!("d{at}")));
        }
        assert!(history.streams() <= STREAMS);
        assert_eq!(store.open("used", KEEP_ALL, NOW_MS).epoch, before.epoch);
        let again = store.open("quiet", KEEP_ALL, NOW_MS);
        assert_eq!(again.top, 0);
        assert_ne!(again.epoch, quiet.epoch);
    }

    #[test]
    fn channels_in_use_are_not_looked_through_for_each_new_one() {
        let history = Arc::new(MemoryHistory::new(WINDOW_MS));
        let store = Subject(history.clone());
        for at in 0..3 * STREAMS {
            store.open(&format!("c{at}"), KEEP_ALL, NOW_MS);
        }
        assert_eq!(history.streams(), 3 * STREAMS);
        assert_eq!(history.lock().most, 4 * STREAMS, "looked at twice in all");
    }
}
