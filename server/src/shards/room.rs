//! How much work a shard may hold: requests that were handed over and are not answered yet.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Most unanswered requests of one shard. At some 100,000 requests a second this is under a second of work;
/// beyond it a client is told to come again.
pub const SHARD_REQUESTS: usize = 65_536;
/// Most bytes of their payloads: a bound on memory when the store stands still.
pub const SHARD_BYTES: usize = 64 * 1_024 * 1_024;

/// The room of one shard, shared by those who hand requests over.
#[derive(Clone, Default)]
pub(super) struct Rooms(Arc<Taken>);

#[derive(Default)]
struct Taken {
    requests: AtomicUsize,
    bytes: AtomicUsize,
}

/// The place of one request; it is given back when the request is answered and this is dropped.
pub(super) struct Room {
    rooms: Rooms,
    bytes: usize,
    began: Instant,
}

impl Rooms {
    /// Takes a place for a request of so many bytes, if there is one.
    pub(super) fn take(&self, bytes: usize) -> Option<Room> {
        // Counters and no lock: in a race a few requests more or less are let in, and nothing depends on it.
        let requests = self.0.requests.fetch_add(1, Ordering::Relaxed);
        let held = self.0.bytes.fetch_add(bytes, Ordering::Relaxed);
        let room = self.room(bytes);
        (requests < SHARD_REQUESTS && held + bytes <= SHARD_BYTES).then_some(room)
    }

    /// Takes a place for what must not be refused.
    pub(super) fn take_always(&self) -> Room {
        self.0.requests.fetch_add(1, Ordering::Relaxed);
        self.room(0)
    }

    fn room(&self, bytes: usize) -> Room {
        Room {
            rooms: self.clone(),
            bytes,
            began: Instant::now(),
        }
    }

    /// Requests that are not answered yet.
    pub(super) fn taken(&self) -> usize {
        self.0.requests.load(Ordering::Relaxed)
    }
}

impl Room {
    /// How long the request has been in hand.
    pub(super) fn age(&self) -> Duration {
        self.began.elapsed()
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.rooms.0.requests.fetch_sub(1, Ordering::Relaxed);
        self.rooms.0.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_shard_has_room_again_when_a_request_is_answered() {
        let rooms = Rooms::default();
        let mut held: Vec<_> = (0..SHARD_REQUESTS).map(|_| rooms.take(1).unwrap()).collect();
        assert!(rooms.take(1).is_none());
        assert_eq!(rooms.taken(), SHARD_REQUESTS);
        held.pop();
        assert!(rooms.take(1).is_some());
        held.clear();
        assert_eq!(rooms.taken(), 0);
        let all = rooms.take(SHARD_BYTES).unwrap();
        assert!(rooms.take(1).is_none());
        drop(all);
        assert!(rooms.take(1).is_some());
    }
}
