//! What people do in their tabs, and the queue and lock that the tabs of one person share.

use std::collections::{BTreeMap, VecDeque};

use bmt_client_core::{Clock, Entry};
use bmt_shared::id::MessageId;

use super::{Happening, World};

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// What the tabs of one person share.
#[derive(Default)]
pub(super) struct Shared {
    pub(super) stored: BTreeMap<MessageId, Entry>,
    pub(super) holder: Option<(usize, u32)>,
    pub(super) waiting: VecDeque<(usize, u32)>,
}

impl World {
    pub(super) fn plan_act(&mut self, tab: usize) {
        let at = self.now + self.random.within(1..=self.plan.act_every_ms);
        self.at(at, Happening::Act { tab });
    }

    pub(super) fn act(&mut self, tab: usize) {
        if !self.in_trouble {
            return;
        }
        let topic = self.random.pick(&self.topics).clone();
        let now = self.tabs[tab].now_at(self.now);
        match self.random.within(0..=99) {
            0..=69 => {
                for _ in 0..*self.random.pick(&[1, 1, 1, 2, 8]) {
                    self.tabs[tab].publish(self.now, &topic, &mut self.record);
                }
            }
            70..=74 => {
                self.tabs[tab].unsubscribe(self.now, &topic);
                self.forget_hold(tab, topic.as_str());
            }
            75..=79 => self.tabs[tab].subscribe(self.now, &topic),
            80..=82 => self.tabs[tab].client.handle_online(now, false),
            83..=87 => self.tabs[tab].client.handle_online(now, true),
            88..=90 => self.tabs[tab].client.handle_visible(now),
            91..=93 => {
                self.tabs[tab].access.begin();
                self.tabs[tab].client.retry_now(now);
            }
            94 => self.tabs[tab].client.disconnect(now),
            95..=96 => {
                self.tabs[tab].access.begin();
                self.tabs[tab].client.connect(now);
            }
            97 => self.set_clock(self.tabs[tab].person),
            98 if self.tabs[tab].shares => self.leave(tab),
            _ => self.reload(tab),
        }
        self.settle(tab);
        self.plan_act(tab);
    }

    /// The device's clock is set, a day off at most, unless something waits there, or may be written, that only this
    /// clock dates: what an earlier page wrote before it was ever connected is as old as the clock says.
    fn set_clock(&mut self, person: usize) {
        let mut stored = self.people[person].stored.values();
        let mut tabs = self.tabs.iter().filter(|tab| tab.person == person);
        if stored.any(|entry| entry.clock == Clock::Own)
            || tabs.any(|tab| tab.client.state().last_connected.is_none())
        {
            return;
        }
        let ahead_ms = *self.random.pick(&[-DAY_MS, 0, DAY_MS]);
        for tab in &mut self.tabs {
            if tab.person == person {
                tab.clock_ahead_ms = ahead_ms;
            }
        }
    }

    /// The page is frozen, and seen again some time.
    fn leave(&mut self, tab: usize) {
        let now = self.tabs[tab].now_at(self.now);
        self.tabs[tab].client.handle_leaving(now);
    }

    pub(super) fn reload(&mut self, tab: usize) {
        if self.stalls.per_mille(500) {
            self.leave(tab);
            self.settle(tab);
        }
        self.leave_group(tab);
        self.release_lock(tab);
        if let Some(wire) = self.tabs[tab].wire.take() {
            self.hang_up(wire);
        }
        let seed = self.random.bits();
        self.record.ended(self.tabs[tab].page());
        let topics = self.tabs[tab].reload(seed);
        let stored = self.stored(self.tabs[tab].person);
        self.tabs[tab].restore(self.now, stored);
        for topic in topics {
            self.tabs[tab].subscribe(self.now, &topic);
        }
        let now = self.tabs[tab].now_at(self.now);
        self.tabs[tab].client.connect(now);
    }

    pub(super) fn grant_lock(&mut self, person: usize) {
        let shared = &mut self.people[person];
        if shared.holder.is_none()
            && let Some((tab, load)) = shared.waiting.pop_front()
        {
            shared.holder = Some((tab, load));
            let at = self.now + self.random.within(0..=5);
            self.at(at, Happening::Lock { person, tab, load });
        }
    }

    pub(super) fn release_lock(&mut self, tab: usize) {
        let (person, page) = (self.tabs[tab].person, self.tabs[tab].page());
        let shared = &mut self.people[person];
        shared.waiting.retain(|waiting| *waiting != page);
        if shared.holder == Some(page) {
            shared.holder = None;
            self.grant_lock(person);
        }
    }

    pub(super) fn lock_granted(&mut self, person: usize, tab: usize, load: u32) {
        if self.people[person].holder != Some((tab, load)) {
            return;
        }
        let stored = self.stored(person);
        self.tabs[tab].restore(self.now, stored);
        let now = self.tabs[tab].now_at(self.now);
        self.tabs[tab].client.handle_lock(now, true);
        self.settle(tab);
    }

    /// The stored queue in no order: storage has none.
    pub(super) fn stored(&mut self, person: usize) -> Vec<Entry> {
        let mut stored: Vec<Entry> = self.people[person].stored.values().cloned().collect();
        if self.random.per_mille(500) {
            stored.reverse();
        }
        stored
    }
}
