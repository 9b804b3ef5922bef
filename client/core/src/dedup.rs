//! Ids seen lately: the only way to tell a repetition where messages have no seq.

use bmt_shared::id::ServerMessageId;
use bmt_shared::sorted::SortedSet;

/// How many lists the ids are spread over: of one list of a thousand, half would be moved twice with every message.
const LISTS: usize = 64;

/// The last ids, as many as the window holds.
#[derive(Debug)]
pub(crate) struct Dedup {
    window: usize,
    /// In the order they came, once round: behind the latest, at `next`, stands the oldest.
    order: Vec<ServerMessageId>,
    next: usize,
    seen: [SortedSet<ServerMessageId>; LISTS],
}

impl Dedup {
    pub(crate) fn new(window: usize) -> Self {
        Self {
            window,
            order: Vec::new(),
            next: 0,
            seen: [const { SortedSet::new() }; LISTS],
        }
    }

    /// Remembers an id; whether it was new.
    pub(crate) fn insert(&mut self, id: &ServerMessageId) -> bool {
        if self.window == 0 {
            return true;
        }
        if !self.list(id).insert(id.clone()) {
            return false;
        }
        match self.order.get_mut(self.next) {
            Some(oldest) => {
                let oldest = std::mem::replace(oldest, id.clone());
                self.list(&oldest).remove(&oldest);
            }
            None => self.order.push(id.clone()),
        }
        self.next = (self.next + 1) % self.window;
        true
    }

    /// The list that an id belongs to, by all of its bytes: most ids begin alike.
    fn list(&mut self, id: &ServerMessageId) -> &mut SortedSet<ServerMessageId> {
        let bytes = id.as_str().bytes();
        let hash = bytes.fold(0_usize, |hash, byte| {
            hash.wrapping_mul(31).wrapping_add(byte.into())
        });
        &mut self.seen[hash % LISTS]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_forgotten_when_the_window_has_passed() {
        let mut dedup = Dedup::new(2);
        let [a, b, c] = ["a", "b", "c"].map(ServerMessageId::new);
        assert!(dedup.insert(&a) && dedup.insert(&b) && !dedup.insert(&a));
        assert!(dedup.insert(&c));
        assert!(dedup.insert(&a), "a has left the window");
        assert!(!dedup.insert(&c));
    }
}
