//! Where the queue that the tabs of one person share is stored, as far as storage lets that be done.

use bmt_client_core::QueueChange;

use super::World;
use crate::server::Sabotage;

impl World {
    pub(super) fn store(&mut self, tab: usize, change: QueueChange) {
        let (person, page) = (self.tabs[tab].person, self.tabs[tab].page());
        let is_refused = self.in_trouble && self.chance.per_mille(self.hardships.lost_writes);
        let stored = &mut self.people[person].stored;
        match change {
            // The planted fault: nobody is told.
            QueueChange::Put(_) if is_refused && self.server.sabotage == Sabotage::LoseWrites => {}
            QueueChange::Put(entry) if is_refused && stored.contains_key(&entry.message_id) => {
                self.record.not_redated(&entry.message_id);
            }
            QueueChange::Put(entry) if is_refused => self.record.not_kept(page, &entry.message_id),
            QueueChange::Put(entry) => {
                self.record.kept(&entry.message_id);
                stored.insert(entry.message_id.clone(), entry);
            }
            // What is stored in spite of its ack is published again by a later page, and known by its id.
            QueueChange::Acked(_) if is_refused => {}
            QueueChange::Acked(id) | QueueChange::Remove(id) => {
                stored.remove(&id);
            }
        }
    }
}
