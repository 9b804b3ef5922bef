//! What happens to wires: frames arrive, ends close, faults strike.

use super::{Happening, World};
use crate::server::{Down, PING_EVERY_MS, REFUSAL};
use crate::wire::{End, Health, Way, Wire, WireId};

impl World {
    pub(super) fn open_wire(&mut self, tab: usize, path_and_query: &str) {
        self.last_wire += 1;
        let id = self.last_wire;
        if let Some((_, session)) = path_and_query.split_once("&sid=") {
            let session = session.parse().expect("the server's own name");
            self.upgrades.insert(id, session);
        }
        self.tabs[tab].wire = Some(id);
        let mut wire = Wire::new(tab, self.tabs[tab].load, self.plan.latency_ms);
        let at = wire.arrival(Way::Down, self.now, self.random.within(0..=self.plan.jitter_ms));
        self.wires.insert(id, wire);
        let refused = self.is_blocked(tab) || self.in_trouble && self.random.per_mille(self.plan.refuse);
        self.at(
            at,
            if refused {
                Happening::Refused { wire: id }
            } else {
                Happening::Opened { wire: id }
            },
        );
    }

    pub(super) fn opened(&mut self, id: WireId) {
        let Some(wire) = self
            .wires
            .get_mut(&id)
            .filter(|wire| wire.client_end == End::Opening)
        else {
            return;
        };
        wire.client_end = End::Open;
        wire.server_end = End::Open;
        let tab = wire.tab;
        let now = self.tabs[tab].now_at(self.now);
        self.tabs[tab].client.handle_opened(now);
        self.settle(tab);
        if self.upgrades.contains_key(&id) {
            return;
        }
        self.server.handle_opened(id);
        self.at(self.now + PING_EVERY_MS, Happening::Ping { wire: id });
        self.send_out();
    }

    pub(super) fn send(&mut self, id: WireId, way: Way, text: String) {
        let jitter = self.random.within(0..=self.plan.jitter_ms);
        let now = self.now;
        if let Some(wire) = self.wires.get_mut(&id) {
            let at = wire.arrival(way, now, jitter);
            self.at(at, Happening::Frame { wire: id, way, text });
        }
    }

    pub(super) fn frame(&mut self, id: WireId, way: Way, text: &str) {
        let Some(wire) = self.wires.get(&id).filter(|wire| wire.carries(way)) else {
            return;
        };
        let tab = wire.tab;
        match way {
            Way::Up => {
                if let Some(connection) = self.taken_over(id, text) {
                    self.server.handle_frame(connection, text, self.now);
                    self.send_out();
                }
            }
            Way::Down => {
                if text.starts_with(REFUSAL) {
                    self.tabs[tab].access.refuse();
                }
                let frame = bmt_client_core::Frame::Text(text);
                let now = self.tabs[tab].now_at(self.now);
                self.tabs[tab].client.handle_frame(now, frame);
                self.settle(tab);
            }
        }
    }

    /// What the server says goes on its way, and what it took goes to the disk.
    pub(super) fn send_out(&mut self) {
        self.note_verdicts();
        for message in std::mem::take(&mut self.server.landed) {
            self.record.landed(&message);
        }
        for (connection, down) in std::mem::take(&mut self.server.out) {
            match down {
                Down::Frame(text) => {
                    if let Some(wire) = self.carrier_of(connection, &text) {
                        self.send(wire, Way::Down, text);
                    }
                }
                Down::Close if self.end_session(connection) => {}
                Down::Close => self.end_of(connection, Way::Down),
            }
        }
        if !self.commit_planned && self.server.has_drafts() {
            self.commit_planned = true;
            let at = self.now + self.random.within(0..=self.plan.commit_ms);
            self.at(at, Happening::Commit);
        }
    }

    /// One end is closed; the other hears of it behind everything sent before, unless the wire is dead.
    pub(super) fn end_of(&mut self, id: WireId, way: Way) {
        let jitter = self.random.within(0..=self.plan.jitter_ms);
        let now = self.now;
        let Some(wire) = self.wires.get_mut(&id) else {
            return;
        };
        match way {
            Way::Up => wire.client_end = End::Closed,
            Way::Down => wire.server_end = End::Closed,
        }
        let at = wire.arrival(way, now, jitter);
        self.at(at, Happening::Closed { wire: id, way });
    }

    /// The client closes its end.
    pub(super) fn hang_up(&mut self, id: WireId) {
        self.end_of(id, Way::Up);
    }

    pub(super) fn close_client_end(&mut self, id: WireId, code: u16) {
        let Some(wire) = self.wires.get_mut(&id) else {
            return;
        };
        if wire.client_end == End::Closed || wire.health != Health::Well {
            return;
        }
        wire.client_end = End::Closed;
        let (tab, page) = (wire.tab, wire.page);
        if self.tabs[tab].wire == Some(id) && self.tabs[tab].load == page {
            self.tabs[tab].wire = None;
            let now = self.tabs[tab].now_at(self.now);
            self.tabs[tab].client.handle_closed(now, code, "");
            self.settle(tab);
        }
    }

    pub(super) fn close_server_end(&mut self, id: WireId) {
        let Some(wire) = self.wires.get_mut(&id) else {
            return;
        };
        if wire.server_end == End::Open && wire.health == Health::Well {
            wire.server_end = End::Closed;
            if let Some(connection) = self.ended_with(id) {
                self.server.handle_closed(connection, self.now);
                self.send_out();
            }
        }
    }

    pub(super) fn ping(&mut self, id: WireId) {
        let wire = self.wires.get(&id);
        if self.is_polled(id) || wire.is_some_and(|wire| wire.server_end == End::Open) {
            self.server.ping(id, self.now);
            self.at(self.now + PING_EVERY_MS, Happening::Ping { wire: id });
            self.send_out();
        }
    }

    pub(super) fn plan_fault(&mut self) {
        if self.plan.fault_every_ms > 0 {
            let at = self.now + self.random.within(1..=self.plan.fault_every_ms);
            self.at(at, Happening::Fault);
        }
    }

    pub(super) fn fault(&mut self) {
        if !self.in_trouble {
            return;
        }
        let tab = usize::try_from(self.random.within(0..=self.tabs.len() as u64 - 1)).expect("an index");
        let kind = self.random.within(0..=9);
        if let Some(id) = self.tabs[tab].wire
            && let Some(wire) = self.wires.get_mut(&id)
        {
            match kind {
                // Both ends hear of it, each in its own time; what is under way is lost.
                0..=5 => self.cut(id),
                6 | 7 => wire.health = Health::Dead,
                8 => wire.health = Health::Deaf(Way::Up),
                _ => wire.health = Health::Deaf(Way::Down),
            }
        }
        self.strike(tab, kind <= 5);
        self.plan_fault();
    }

    pub(super) fn cut(&mut self, id: WireId) {
        let (up, down) = (self.random.within(0..=3_000), self.random.within(0..=3_000));
        let gone: Vec<(u64, u64)> = self
            .agenda
            .iter()
            .filter(|(_, happening)| matches!(happening, Happening::Frame { wire, .. } if *wire == id))
            .map(|(key, _)| *key)
            .collect();
        for key in gone {
            self.agenda.remove(&key);
        }
        self.at(
            self.now + up,
            Happening::Closed {
                wire: id,
                way: Way::Up,
            },
        );
        self.at(
            self.now + down,
            Happening::Closed {
                wire: id,
                way: Way::Down,
            },
        );
    }

    pub(super) fn stall(&mut self, until: u64) {
        self.still_until = self.still_until.max(until);
        for wire in self.wires.values_mut() {
            wire.stall(until);
        }
    }

    pub(super) fn kill(&mut self) {
        for wire in self.server.kill() {
            if !self.kill_session(wire) {
                self.end_of(wire, Way::Down);
            }
        }
        self.send_out();
    }
}
