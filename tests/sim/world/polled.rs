//! HTTP long-polling: requests that travel each for itself, sessions that keep what is to be said until it is asked
//! for, and WebSockets that take them over.

use bmt_client_core::{Fetch, FetchId, Response};
use bmt_shared::codec::engineio::payload::SEPARATOR;

use super::hardships::Hard;
use super::{Happening, World};
use crate::record::Violation;
use crate::server::{PING_EVERY_MS, REFUSAL, Sabotage};
use crate::wire::{Way, WireId};

/// The packet that ends a session, and the one that says nothing.
const CLOSE: &str = "1";
const NOOP: &str = "6";

/// One polled session, under the server's name of its connection.
pub(super) struct Session {
    tab: usize,
    load: u32,
    /// What is to be said.
    outgoing: Vec<String>,
    poll: Option<FetchId>,
    /// The WebSocket that took it over.
    socket: Option<WireId>,
    health: Health,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Health {
    Well,
    /// Nothing comes back any more.
    Dead,
    /// The server has ended it; its last words wait for a poll.
    Over,
}

impl Session {
    pub(super) fn tab(&self) -> usize {
        self.tab
    }

    fn is_polled(&self) -> bool {
        self.health == Health::Well && self.socket.is_none()
    }
}

/// How an HTTP request ended.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    Body(u16, String),
    Lost,
}

impl World {
    /// Whether no WebSocket opens for a tab now.
    pub(super) fn is_blocked(&self, tab: usize) -> bool {
        self.in_trouble && self.tabs[tab].access.is_blocked(self.now)
    }

    pub(super) fn ask(&mut self, tab: usize, fetch: Fetch) {
        let at = self.arrival_of_request();
        let load = self.tabs[tab].load;
        let refused = self.in_trouble && self.chance.per_mille(self.plan.refuse);
        if refused {
            return self.answer(tab, load, fetch.id, Answer::Lost);
        }
        self.at(at, Happening::Hard(Hard::Asked { tab, load, fetch }));
    }

    /// When a request, or its answer, is there; nothing is while lines stand still.
    fn arrival_of_request(&mut self) -> u64 {
        let way_ms = self.plan.latency_ms + self.chance.within(0..=self.plan.jitter_ms);
        (self.now + way_ms).max(self.still_until)
    }

    fn answer(&mut self, tab: usize, load: u32, id: FetchId, answer: Answer) {
        let at = self.arrival_of_request();
        let answered = Hard::Answered {
            tab,
            load,
            id,
            answer,
        };
        self.at(at, Happening::Hard(answered));
    }

    /// A request has reached the server.
    pub(super) fn asked(&mut self, tab: usize, load: u32, fetch: Fetch) {
        let sid = fetch.path_and_query.split_once("&sid=");
        let id = match sid {
            None => self.open_session(tab, load),
            Some((_, sid)) => sid.parse().expect("the server's own name"),
        };
        let Some(session) = self.polled.get_mut(&id) else {
            return self.answer(tab, load, fetch.id, Answer::Body(400, String::new()));
        };
        match (session.health, fetch.body) {
            (Health::Dead, _) => {}
            (_, None) => {
                session.poll = Some(fetch.id);
                self.flush(id);
            }
            (Health::Over, Some(_)) => self.answer(tab, load, fetch.id, Answer::Body(400, String::new())),
            (Health::Well, Some(body)) => {
                self.answer(tab, load, fetch.id, Answer::Body(200, "ok".to_owned()));
                self.take_body(id, &body);
            }
        }
    }

    fn take_body(&mut self, id: WireId, body: &str) {
        for packet in body.split(SEPARATOR) {
            if packet == CLOSE {
                self.server.handle_closed(id, self.now);
                self.polled.remove(&id);
            }
            self.server.handle_frame(id, packet, self.now);
        }
        self.send_out();
    }

    fn open_session(&mut self, tab: usize, load: u32) -> WireId {
        self.last_wire += 1;
        let id = self.last_wire;
        let session = Session {
            tab,
            load,
            outgoing: Vec::new(),
            poll: None,
            socket: None,
            health: Health::Well,
        };
        self.polled.insert(id, session);
        self.server.handle_opened(id);
        self.at(self.now + PING_EVERY_MS, Happening::Ping { wire: id });
        self.send_out();
        id
    }

    /// Where the server's word on a connection goes: `None` where it waits for the next poll.
    pub(super) fn carrier_of(&mut self, id: WireId, text: &str) -> Option<WireId> {
        match self.polled.get_mut(&id) {
            None => Some(id),
            Some(Session {
                socket: Some(socket), ..
            }) => Some(*socket),
            Some(session) => {
                session.outgoing.push(text.to_owned());
                self.flush(id);
                None
            }
        }
    }

    fn flush(&mut self, id: WireId) {
        let Some(session) = self.polled.get_mut(&id) else {
            return;
        };
        if session.health == Health::Dead || session.outgoing.is_empty() {
            return;
        }
        if let Some(poll) = session.poll.take() {
            let body = std::mem::take(&mut session.outgoing).join(&SEPARATOR.to_string());
            let (tab, load) = (session.tab, session.load);
            if session.health == Health::Over {
                self.polled.remove(&id);
            }
            self.outcome.polled += 1;
            self.answer(tab, load, poll, Answer::Body(200, body));
        }
    }

    /// The server ends a connection; whether it was one that began as a polled one.
    pub(super) fn end_session(&mut self, id: WireId) -> bool {
        let Some(session) = self.polled.get_mut(&id) else {
            return false;
        };
        if let Some(socket) = session.socket {
            self.polled.remove(&id);
            self.end_of(socket, Way::Down);
        } else if session.health == Health::Well {
            session.health = Health::Over;
            session.outgoing.push(CLOSE.to_owned());
            self.flush(id);
        }
        true
    }

    /// The same, by a process that is killed: it has no last words.
    pub(super) fn kill_session(&mut self, id: WireId) -> bool {
        let Some(session) = self.polled.remove(&id) else {
            return false;
        };
        if let Some(socket) = session.socket {
            self.end_of(socket, Way::Down);
        } else if let Some(poll) = session.poll {
            self.answer(session.tab, session.load, poll, Answer::Lost);
        }
        true
    }

    /// Whether the server has a living session of this name that HTTP carries.
    pub(super) fn is_polled(&self, id: WireId) -> bool {
        self.polled
            .get(&id)
            .is_some_and(|session| session.health != Health::Over)
    }

    /// WebSockets open again: none of the sessions that live is polled any more.
    pub(super) fn check_polling(&mut self) {
        if let Some(session) = self.polled.values().find(|session| session.is_polled()) {
            let what = format!("tab {} still polls", session.tab);
            self.record.violated(Violation::StillPolling(what));
        }
    }

    pub(super) fn answered(&mut self, tab: usize, load: u32, id: FetchId, answer: &Answer) {
        if self.tabs[tab].load != load {
            return;
        }
        if let Answer::Body(_, body) = answer
            && body.split(SEPARATOR).any(|packet| packet.starts_with(REFUSAL))
        {
            self.tabs[tab].access.refuse();
        }
        let response = match answer {
            Answer::Body(status, body) => Ok(Response {
                status: *status,
                body,
            }),
            Answer::Lost => Err("the network was changed"),
        };
        let now = self.tabs[tab].now_at(self.now);
        self.tabs[tab].client.handle_response(now, id, response);
        self.settle(tab);
    }

    /// A frame came up on a WebSocket: whose it is, unless it is about taking a session over.
    pub(super) fn taken_over(&mut self, wire: WireId, text: &str) -> Option<WireId> {
        let Some(id) = self.upgrades.get(&wire).copied() else {
            return Some(wire);
        };
        match text {
            "2probe" if self.server.sabotage == Sabotage::RefuseUpgrade => {}
            // There is nothing left to take over.
            "2probe" | "5" if !self.is_polled(id) => self.end_of(wire, Way::Down),
            "2probe" => {
                self.send(wire, Way::Down, "3probe".to_owned());
                self.let_go(id);
            }
            "5" => self.take_over(id, wire),
            _ => return Some(id),
        }
        None
    }

    /// The poll that waits is answered, with nothing in it where there is nothing to say.
    fn let_go(&mut self, id: WireId) {
        if let Some(session) = self.polled.get_mut(&id)
            && session.outgoing.is_empty()
        {
            session.outgoing.push(NOOP.to_owned());
        }
        self.flush(id);
    }

    fn take_over(&mut self, id: WireId, wire: WireId) {
        let Some(session) = self.polled.get_mut(&id) else {
            return;
        };
        session.socket = Some(wire);
        let waiting = std::mem::take(&mut session.outgoing);
        for text in waiting.into_iter().filter(|text| text != NOOP) {
            self.send(wire, Way::Down, text);
        }
        self.outcome.upgrades += 1;
    }

    /// A WebSocket is closed at the server's end: the name of the connection that ends with it.
    pub(super) fn ended_with(&mut self, wire: WireId) -> Option<WireId> {
        let Some(id) = self.upgrades.remove(&wire) else {
            return Some(wire);
        };
        let was_over = self
            .polled
            .get(&id)
            .is_some_and(|session| session.socket == Some(wire));
        was_over.then(|| {
            self.polled.remove(&id);
            id
        })
    }

    /// The network does to a polled session what it does to wires.
    pub(super) fn strike(&mut self, tab: usize, is_cut: bool) {
        let load = self.tabs[tab].load;
        let mut polls = Vec::new();
        let sessions = self.polled.values_mut();
        for session in sessions.filter(|one| (one.tab, one.load) == (tab, load) && one.is_polled()) {
            session.health = Health::Dead;
            polls.extend(session.poll.take().filter(|_| is_cut));
        }
        for poll in polls {
            self.answer(tab, load, poll, Answer::Lost);
        }
    }
}
