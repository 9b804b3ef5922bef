//! How many uploads run at the same time, of all and of each user.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard};

use bmt_shared::id::UserId;

use super::FileError;

/// A lock, because an upload takes it twice; it is never held over a wait.
#[derive(Debug)]
pub(super) struct Slots {
    most: u64,
    most_of_user: u64,
    running: Mutex<HashMap<UserId, u64>>,
}

/// The right to upload; it ends with the value.
#[derive(Debug)]
pub(super) struct Slot {
    slots: Arc<Slots>,
    user: UserId,
}

impl Slots {
    pub(super) fn new(most: u64, most_of_user: u64) -> Arc<Self> {
        let running = Mutex::default();
        Arc::new(Self {
            most,
            most_of_user,
            running,
        })
    }

    pub(super) fn take(self: &Arc<Self>, user: &UserId) -> Result<Slot, FileError> {
        let mut running = self.lock();
        let own = running.get(user).copied().unwrap_or_default();
        if own >= self.most_of_user {
            return Err(FileError::Busy { own: true });
        }
        if running.values().sum::<u64>() >= self.most {
            return Err(FileError::Busy { own: false });
        }
        running.insert(user.clone(), own + 1);
        Ok(Slot {
            slots: self.clone(),
            user: user.clone(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<UserId, u64>> {
        self.running.lock().expect("no panic while it is held")
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Entry::Occupied(mut own) = self.slots.lock().entry(self.user.clone()) {
            *own.get_mut() -= 1;
            if *own.get() == 0 {
                own.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_user_does_not_take_the_places_of_all_and_places_come_back() {
        let slots = Slots::new(3, 2);
        let (ann, bob) = (UserId::new("ann"), UserId::new("bob"));
        let held = [slots.take(&ann).unwrap(), slots.take(&ann).unwrap()];
        assert!(matches!(slots.take(&ann), Err(FileError::Busy { own: true })));
        let third = slots.take(&bob).unwrap();
        assert!(matches!(slots.take(&bob), Err(FileError::Busy { own: false })));
        drop(held);
        assert!(slots.take(&bob).is_ok());
        drop(third);
        assert!(slots.lock().is_empty());
    }
}
