//! Where one connection's frames leave: its task has it, or, while that sleeps, a shard with something for it.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, Weak};

use crate::socket::Socket;

/// See the [module](self). `Outflow` is what is on its way, `Owner` whose it is.
pub(super) struct Outlet<Outflow, Owner> {
    out: Mutex<Outflow>,
    /// Whose outbox it is and where that goes, once a shard may write it.
    short: OnceLock<(Weak<Owner>, Socket)>,
}

impl<Outflow, Owner> Outlet<Outflow, Owner> {
    /// From now on a shard may write here.
    pub(super) fn open(&self, owner: &Arc<Owner>, socket: Socket) {
        self.short.set((Arc::downgrade(owner), socket)).ok();
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Outflow> {
        self.out
            .lock()
            .expect("no code panics while it holds what is staged")
    }

    /// For a shard: whose it is, where it goes, and what is on its way. `None` where it may not write here, and
    /// where the task is at work: it looks into the outbox next.
    pub(super) fn enter(&self) -> Option<(Arc<Owner>, &Socket, MutexGuard<'_, Outflow>)> {
        let (owner, socket) = self.short.get()?;
        Some((owner.upgrade()?, socket, self.out.try_lock().ok()?))
    }
}

impl<Outflow: Default, Owner> Default for Outlet<Outflow, Owner> {
    fn default() -> Self {
        Self {
            out: Mutex::default(),
            short: OnceLock::new(),
        }
    }
}
