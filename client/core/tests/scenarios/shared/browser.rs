//! A browser: tabs, their lock, and the bus between them. A tab that hangs hears and does nothing until it wakes.

use std::collections::VecDeque;

use bmt_client_core::{Client, Config, Frame, GroupChange, Native, Now, Post, RequestId};
use bmt_shared::request::Subscribe;
use serde_json::Value;

use crate::harness::{Request, World, subscribed, topic};

pub(crate) struct Browser {
    pub(crate) tabs: Vec<World>,
    places: Vec<Place>,
    holder: Option<usize>,
    line: VecDeque<usize>,
    /// Leads since the browser was opened: lock grants.
    pub(crate) reigns: u32,
}

#[derive(Default)]
struct Place {
    is_member: bool,
    is_closed: bool,
    hangs: bool,
    inbox: VecDeque<Word>,
    /// Posts that are slower than everything else.
    held: Option<Vec<Word>>,
}

enum Word {
    Post(Post),
    Leading(bool),
}

/// A token of this user, as far as a client looks.
pub(crate) fn token(user: &str) -> String {
    let claims = match user {
        "alice" => "eyJzdWIiOiJhbGljZSJ9",
        "bob" => "eyJzdWIiOiJib2IifQ",
        _ => panic!("{user} has no token here"),
    };
    format!("e30.{claims}.x")
}

fn tab() -> World {
    let mut world = World::new(Config {
        shared: true,
        // What waits here waits for the other tabs.
        heartbeat_interval_ms: 0,
        ..Config::default()
    });
    world.token = Ok(Some(token("alice")));
    world
}

impl Browser {
    pub(crate) fn new(tabs: u64) -> Self {
        let mut browser = Self {
            tabs: Vec::new(),
            places: Vec::new(),
            holder: None,
            line: VecDeque::new(),
            reigns: 0,
        };
        for _ in 0..tabs {
            browser.add(tab());
        }
        browser
    }

    /// Tabs of alice, all connected.
    pub(crate) fn greeted(tabs: u64) -> Self {
        let mut browser = Self::new(tabs);
        for tab in 0..browser.tabs.len() {
            browser.connect(tab);
        }
        browser.server_greets();
        browser
    }

    fn add(&mut self, mut world: World) {
        // Each is another client.
        let seed = self.tabs.len() as u64 + 1;
        world.client = Client::new(
            Config {
                seed,
                ..world.client.config().clone()
            },
            Native,
        );
        if let Some(first) = self.tabs.first() {
            world.now = first.now;
            world.server_ms = first.server_ms;
        }
        self.tabs.push(world);
        self.places.push(Place::default());
    }

    /// One more tab, which connects.
    pub(crate) fn open_tab(&mut self) -> usize {
        self.add(tab());
        self.connect(self.tabs.len() - 1);
        self.tabs.len() - 1
    }

    pub(crate) fn act<T>(&mut self, tab: usize, act: impl FnOnce(&mut Client<Native>, Now) -> T) -> T {
        let result = self.tabs[tab].act(act);
        self.settle();
        result
    }

    pub(crate) fn connect(&mut self, tab: usize) {
        self.act(tab, |client, now| client.connect(now));
    }

    /// Who holds the lock.
    pub(crate) fn leader(&self) -> usize {
        self.holder.expect("somebody leads")
    }

    /// The connection of whoever leads opens, and the server greets.
    pub(crate) fn server_greets(&mut self) {
        let leader = self.leader();
        self.tabs[leader].open();
        self.tabs[leader].greet();
        self.settle();
    }

    pub(crate) fn server_sends(&mut self, frame: &str) {
        self.act(self.leader(), |client, now| {
            client.handle_frame(now, Frame::Text(frame));
        });
    }

    pub(crate) fn server_sends_bytes(&mut self, bytes: &[u8]) {
        self.act(self.leader(), |client, now| {
            client.handle_frame(now, Frame::Binary(bytes));
        });
    }

    pub(crate) fn server_says(&mut self, name: &str, body: &Value) {
        let leader = self.leader();
        self.tabs[leader].event(name, body);
        self.settle();
    }

    pub(crate) fn server_closes(&mut self, code: u16) {
        self.act(self.leader(), |client, now| {
            client.handle_closed(now, code, "closed");
        });
    }

    /// What the server was asked since the last look.
    pub(crate) fn requests(&mut self) -> Vec<Request> {
        let leader = self.leader();
        self.tabs[leader].requests()
    }

    pub(crate) fn request(&mut self) -> Request {
        let leader = self.leader();
        self.tabs[leader].request()
    }

    pub(crate) fn reply(&mut self, to: &Request, body: &Value) {
        let leader = self.leader();
        self.tabs[leader].reply(to, body);
        self.settle();
    }

    pub(crate) fn subscribe_with(&mut self, tab: usize, subscribe: Subscribe) -> RequestId {
        self.act(tab, |client, now| client.subscribe(now, subscribe))
    }

    pub(crate) fn subscribe(&mut self, tab: usize, channel: &str) -> RequestId {
        self.subscribe_with(tab, Subscribe::to(topic(channel)))
    }

    /// A tab subscribes, and the server takes it at `seq`.
    pub(crate) fn subscribed(&mut self, tab: usize, channel: &str, seq: u64) {
        let id = self.subscribe(tab, channel);
        let request = self.request();
        self.reply(&request, &subscribed(channel, seq, &serde_json::json!({})));
        assert!(self.tabs[tab].answer(id).is_ok());
    }

    pub(crate) fn unsubscribe(&mut self, tab: usize, channel: &str) -> RequestId {
        self.act(tab, |client, now| client.unsubscribe(now, &topic(channel)))
    }

    pub(crate) fn publish(&mut self, tab: usize, channel: &str, id: &str) -> RequestId {
        let request = self.tabs[tab].publish(channel, id);
        self.settle();
        request
    }

    /// The seqs that each tab handed on since the last look.
    pub(crate) fn seqs(&mut self) -> Vec<Vec<u64>> {
        self.tabs.iter_mut().map(World::seqs).collect()
    }

    /// The tab is closed, and says so (`pagehide`).
    pub(crate) fn close(&mut self, tab: usize) {
        self.tabs[tab].act(|client, now| client.handle_leaving(now));
        self.hear_changes(tab);
        self.crash(tab);
    }

    /// The tab is gone without a word; the browser hands its lock on.
    pub(crate) fn crash(&mut self, tab: usize) {
        self.places[tab].is_closed = true;
        self.leave(tab);
        self.settle();
    }

    /// The tab does nothing any more, and nobody knows.
    pub(crate) fn hang(&mut self, tab: usize) {
        self.places[tab].hangs = true;
    }

    pub(crate) fn wake(&mut self, tab: usize) {
        self.places[tab].hangs = false;
        self.settle();
    }

    /// Posts to a tab are on their way for a while.
    pub(crate) fn hold_posts(&mut self, tab: usize) {
        self.places[tab].held = Some(Vec::new());
    }

    pub(crate) fn pass_posts(&mut self, tab: usize) {
        let held = self.places[tab].held.take();
        self.places[tab].inbox.extend(held.into_iter().flatten());
        self.settle();
    }

    /// A tab is never told what became of the lock.
    pub(crate) fn forget_lock_words(&mut self, tab: usize) {
        self.places[tab]
            .inbox
            .retain(|word| matches!(word, Word::Post(_)));
    }

    /// Time passes in every tab that lives.
    pub(crate) fn advance(&mut self, ms: u64) {
        let target = self.tabs[0].now.monotonic_ms + ms;
        loop {
            let live = (0..self.tabs.len()).filter(|tab| self.lives(*tab));
            let due = live.filter_map(|tab| Some((self.tabs[tab].timeout?.at_ms, tab)));
            let Some((at, tab)) = due.min().filter(|(at, _)| *at <= target) else {
                break;
            };
            self.set_clocks(at);
            self.act(tab, |client, now| client.handle_timeout(now));
        }
        self.set_clocks(target);
    }

    fn lives(&self, tab: usize) -> bool {
        !self.places[tab].hangs && !self.places[tab].is_closed
    }

    fn set_clocks(&mut self, monotonic_ms: u64) {
        for tab in &mut self.tabs {
            let at = monotonic_ms.max(tab.now.monotonic_ms);
            tab.set_clock(at);
        }
    }

    /// Does what the tabs ask until nobody asks for anything.
    pub(crate) fn settle(&mut self) {
        loop {
            for tab in 0..self.tabs.len() {
                self.hear_changes(tab);
            }
            if self.holder.is_none()
                && let Some(next) = self.line.pop_front()
            {
                self.grant(next);
                continue;
            }
            let Some(tab) =
                (0..self.tabs.len()).find(|tab| self.lives(*tab) && !self.places[*tab].inbox.is_empty())
            else {
                return;
            };
            let word = self.places[tab].inbox.pop_front().unwrap();
            self.tabs[tab].act(|client, now| match word {
                Word::Post(post) => client.handle_post(now, &post.text, &post.attachments),
                Word::Leading(leads) => client.handle_leading(now, leads),
            });
        }
    }

    fn grant(&mut self, tab: usize) {
        self.holder = Some(tab);
        self.reigns += 1;
        self.places[tab].inbox.push_back(Word::Leading(true));
    }

    fn hear_changes(&mut self, tab: usize) {
        for change in std::mem::take(&mut self.tabs[tab].group) {
            match change {
                GroupChange::Join(user) => {
                    if user.as_ref().is_none_or(|user| user.as_str() == "alice") {
                        self.places[tab].is_member = true;
                        self.line.push_back(tab);
                    } else {
                        // Another group, with nobody else in it.
                        self.places[tab].inbox.push_back(Word::Leading(true));
                    }
                }
                GroupChange::Leave => self.leave(tab),
                GroupChange::TakeOver => {
                    self.line.retain(|other| *other != tab);
                    if let Some(robbed) = self.holder {
                        self.places[robbed].inbox.push_back(Word::Leading(false));
                    }
                    self.grant(tab);
                }
                GroupChange::Post(post) => {
                    for (other, place) in self.places.iter_mut().enumerate() {
                        if other != tab && place.is_member {
                            let word = Word::Post(post.clone());
                            match &mut place.held {
                                Some(held) => held.push(word),
                                None => place.inbox.push_back(word),
                            }
                        }
                    }
                }
            }
        }
    }

    fn leave(&mut self, tab: usize) {
        self.places[tab].is_member = false;
        self.places[tab].inbox.clear();
        self.line.retain(|other| *other != tab);
        if self.holder == Some(tab) {
            self.holder = None;
        }
    }
}
