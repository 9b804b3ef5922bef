//! What is remembered of the network from one page to the next: that it lets no WebSocket through.
//!
//! A page that knows begins with long-polling at once instead of waiting for a WebSocket that does not open. One text
//! is kept, of the server that it was found out with last: `<ms since the Unix epoch until which it holds> <origin>`.

use bmt_client_core::Face;

use super::Driver;
use crate::clock::unix_ms;
use crate::storage::Store;

const KEY: &str = "realtime_needs_polling";
/// A device that is carried elsewhere between two pages tells nobody: for longer than this the network is hardly the
/// same one, and a page that begins anew finds out in seconds.
const HOLDS_MS: u64 = 60 * 60 * 1_000;

impl<F: Face + 'static> Driver<F> {
    /// Tells the core what an earlier page has found out.
    pub(super) fn recall_network(&self) {
        if self
            .store()
            .is_some_and(|store| holds(&store, &self.origin, unix_ms()))
        {
            self.core.borrow_mut().recall_polling();
            self.needs_polling.set(true);
        }
    }

    /// Keeps what the core has found out, or forgets it with the core.
    pub(super) fn remember_network(&self) {
        let needs_polling = self.core.borrow().needs_polling();
        if self.needs_polling.replace(needs_polling) == needs_polling {
            return;
        }
        let Some(store) = self.store() else { return };
        if needs_polling {
            let until = unix_ms() + HOLDS_MS;
            // Where storage is full the next page finds out by itself.
            let _ = store.set(KEY, &format!("{until} {}", self.origin));
        } else {
            store.remove(KEY);
        }
    }

    fn store(&self) -> Option<Store> {
        self.journal.borrow().store().cloned()
    }
}

fn holds(store: &Store, origin: &str, now_ms: u64) -> bool {
    let known = store.get(KEY).unwrap_or_default();
    let Some((until, of)) = known.split_once(' ') else {
        return false;
    };
    // A clock that was set back makes nothing hold for longer.
    let left = until.parse().unwrap_or(0u64).checked_sub(now_ms);
    of == origin && left.is_some_and(|left| left <= HOLDS_MS)
}
