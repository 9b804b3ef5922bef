//! One run: what happens when, between tabs, wires and the server.

mod group;
mod hardships;
mod network;
mod people;
mod polled;
mod storage;

use std::collections::BTreeMap;

use bmt_client_core::{Connect, LockChange, Output, Post, Transmit};
use bmt_shared::channel::ChannelName;
use bmt_shared::id::MessageId;
use bmt_shared::payload::Payload;

use crate::access::Access;
use crate::hardship::Hardships;
use crate::outcome::Outcome;
use crate::plan::Plan;
use crate::random::Random;
use crate::record::{Record, Violation};
use crate::server::{Sabotage, Server};
use crate::tab::Tab;
use crate::wire::{Way, Wire, WireId};
use group::Group;
use hardships::Hard;
use people::Shared;

/// How long everything has to come back after the trouble: a dead wire is noticed within 35 s, the longest delay
/// before a retry is 37.5 s, and its connection may have to time out once more.
const HEALING_MS: u64 = 240_000;
/// How long the last word takes to everybody.
const ENDING_MS: u64 = 60_000;

/// How often the lines of a run stand still.
const STALLS: [u64; 4] = [0, 0, 1, 3];
/// How long they do: longer than a request may take, and mostly shorter than it takes to call them dead.
const STALL_MS: std::ops::RangeInclusive<u64> = 5_000..=30_000;

#[derive(Debug)]
enum Happening {
    /// A tab's timer, of this load, set for this time.
    Timer {
        tab: usize,
        load: u32,
    },
    /// Somebody does something in a tab.
    Act {
        tab: usize,
    },
    /// The network does something.
    Fault,
    Opened {
        wire: WireId,
    },
    Refused {
        wire: WireId,
    },
    Frame {
        wire: WireId,
        way: Way,
        text: String,
    },
    Closed {
        wire: WireId,
        way: Way,
    },
    Ping {
        wire: WireId,
    },
    Commit,
    Kill,
    /// Every line stands still, and then brings all it was given.
    Stall {
        until: u64,
    },
    Lock {
        person: usize,
        tab: usize,
        load: u32,
    },
    /// A tab says something to this one.
    Post {
        tab: usize,
        load: u32,
        post: Post,
    },
    /// A tab has the lock of its group, or lost it.
    Leading {
        tab: usize,
        load: u32,
        leads: bool,
    },
    /// A tab does nothing for a while.
    Hang {
        tab: usize,
    },
    Heal,
    LastWord,
    Hard(Hard),
}

/// Everything.
pub(crate) struct World {
    now: u64,
    order: u64,
    /// By time, and among the happenings of one ms in the order in which they were planned.
    agenda: BTreeMap<(u64, u64), Happening>,
    plan: Plan,
    random: Random,
    /// Decides when lines stand still, whatever else a run needs chance for.
    stalls: Random,
    hardships: Hardships,
    /// Decides what the hardships are.
    chance: Random,
    /// What is asked by HTTP, or answered, is not there before, ms.
    still_until: u64,
    /// Sessions that began with long-polling, by the server's name of their connection.
    polled: BTreeMap<WireId, polled::Session>,
    /// WebSockets that are to take a polled session over.
    upgrades: BTreeMap<WireId, WireId>,
    server: Server,
    tabs: Vec<Tab>,
    people: Vec<Shared>,
    groups: Vec<Group>,
    /// Until when each tab hangs.
    hangs: Vec<u64>,
    wires: BTreeMap<WireId, Wire>,
    last_wire: WireId,
    record: Record,
    topics: Vec<ChannelName>,
    in_trouble: bool,
    commit_planned: bool,
    outcome: Outcome,
    trace: bool,
}

impl World {
    pub(crate) fn new(seed: u64, sabotage: Sabotage) -> Self {
        let mut random = Random::new(seed);
        let plan = Plan::of(&mut random);
        let server_random = Random::new(random.bits());
        let mut chance = Random::new(seed.rotate_left(32) ^ 0xa5a5_a5a5);
        let hardships = Hardships::of(&mut chance);
        let mut stalls = Random::new(!seed);
        let tabs = (0..plan.people.len()).flat_map(|person| vec![person; plan.people[person]]);
        let tabs = tabs.map(|person| (person, random.bits())).collect();
        let tabs = everybody(tabs, &plan, &hardships, &mut stalls, &mut chance, sabotage);
        let namespace = if hardships.losses > 0 { "private" } else { "public" };
        let topics = (0..plan.topics).map(|n| format!("{namespace}:{n}"));
        let topics: Vec<ChannelName> = topics
            .map(|name| ChannelName::parse(&name).expect("a channel name"))
            .collect();
        let server = Server::new(&plan, &topics, sabotage, server_random);
        Self {
            now: 0,
            order: 0,
            agenda: BTreeMap::new(),
            people: plan.people.iter().map(|_| Shared::default()).collect(),
            groups: plan.people.iter().map(|_| Group::default()).collect(),
            hangs: vec![0; tabs.len()],
            server,
            tabs,
            wires: BTreeMap::new(),
            last_wire: 0,
            record: Record::new(plan.loses_nothing_silently()),
            topics,
            hardships,
            chance,
            still_until: 0,
            polled: BTreeMap::new(),
            upgrades: BTreeMap::new(),
            in_trouble: true,
            commit_planned: false,
            outcome: Outcome::default(),
            trace: false,
            plan,
            random,
            stalls,
        }
    }

    /// Prints what happens.
    pub(crate) fn traced(mut self) -> Self {
        self.trace = true;
        println!("{:?} {:?}", self.plan, self.hardships);
        self
    }

    /// Runs to the end, or to the first broken promise.
    pub(crate) fn run(mut self) -> Result<Outcome, Violation> {
        self.begin();
        let end = self.plan.trouble_ms + HEALING_MS + ENDING_MS;
        while let Some(((at, _), happening)) = self.agenda.pop_first() {
            if at > end {
                break;
            }
            self.now = at;
            if let Some(until) = self.wakes_at(&happening) {
                self.at(until, happening);
                continue;
            }
            self.outcome.happenings += 1;
            if self.trace {
                println!("{at:>7} {happening:?}");
            }
            self.happen(happening);
            if let Some(violation) = self.record.first_violation() {
                return Err(violation.clone());
            }
        }
        self.finish()
    }

    fn begin(&mut self) {
        for tab in 0..self.tabs.len() {
            for topic in self.topics.clone() {
                if self.random.per_mille(800) {
                    self.tabs[tab].subscribe(self.now, &topic);
                }
            }
            let now = self.tabs[tab].now_at(self.now);
            self.tabs[tab].client.connect(now);
            self.settle(tab);
            self.plan_act(tab);
        }
        for _ in 0..self.plan.kills {
            let at = self.random.within(1_000..=self.plan.trouble_ms);
            self.at(at, Happening::Kill);
        }
        for _ in 0..*self.stalls.pick(&STALLS) {
            let at = self.stalls.within(0..=self.plan.trouble_ms);
            let until = at + self.stalls.within(STALL_MS);
            self.at(at, Happening::Stall { until });
        }
        self.plan_hangs();
        self.plan_fault();
        self.plan_hardships();
        self.at(self.plan.trouble_ms, Happening::Heal);
        self.at(self.plan.trouble_ms + HEALING_MS, Happening::LastWord);
    }

    fn at(&mut self, at: u64, happening: Happening) {
        self.order += 1;
        self.agenda.insert((at, self.order), happening);
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Timer { tab, load } => self.timer(tab, load),
            Happening::Act { tab } => self.act(tab),
            Happening::Fault => self.fault(),
            Happening::Opened { wire } => self.opened(wire),
            Happening::Refused { wire } => self.close_client_end(wire, 1006),
            Happening::Frame { wire, way, text } => self.frame(wire, way, &text),
            Happening::Closed { wire, way: Way::Down } => self.close_client_end(wire, 1006),
            Happening::Closed { wire, way: Way::Up } => self.close_server_end(wire),
            Happening::Ping { wire } => self.ping(wire),
            Happening::Commit => {
                self.commit_planned = false;
                self.server.commit(self.now);
                self.send_out();
            }
            Happening::Kill => self.kill(),
            Happening::Stall { until } => self.stall(until),
            Happening::Lock { person, tab, load } => self.lock_granted(person, tab, load),
            Happening::Hang { tab } => self.hang(tab),
            Happening::Post { tab, load, post } => self.post_arrives(tab, load, &post),
            Happening::Leading { tab, load, leads } => self.lead_changes(tab, load, leads),
            Happening::Heal => self.heal(),
            Happening::LastWord => self.last_word(),
            Happening::Hard(hard) => self.suffer(hard),
        }
    }

    /// Does what a tab asks, and sets its timer.
    fn settle(&mut self, tab: usize) {
        let outputs = self.tabs[tab].drain(&mut self.record);
        for output in outputs {
            self.carry_out(tab, output);
        }
        self.mind_login(tab);
        let (timeout, load) = (self.tabs[tab].timeout, self.tabs[tab].load);
        if let Some(timeout) = timeout
            && self.tabs[tab].timer_set != Some((timeout.at_ms, load))
        {
            self.tabs[tab].timer_set = Some((timeout.at_ms, load));
            self.at(timeout.at_ms.max(self.now), Happening::Timer { tab, load });
        }
    }

    fn timer(&mut self, tab: usize, load: u32) {
        let due = self.tabs[tab]
            .timeout
            .is_some_and(|timeout| timeout.at_ms <= self.now);
        if due && self.tabs[tab].load == load {
            let now = self.tabs[tab].now_at(self.now);
            self.tabs[tab].client.handle_timeout(now);
            self.settle(tab);
        }
    }

    fn carry_out(&mut self, tab: usize, output: Output<Payload>) {
        let person = self.tabs[tab].person;
        match output {
            Output::Connect(Connect { path_and_query, .. }) => self.open_wire(tab, &path_and_query),
            Output::Transmit(Transmit::Text(text)) => {
                if let Some(wire) = self.tabs[tab].wire {
                    self.send(wire, Way::Up, text);
                }
            }
            Output::Transmit(Transmit::Binary(_)) => unreachable!("nobody publishes binary parts here"),
            Output::Close { .. } => {
                if let Some(wire) = self.tabs[tab].wire.take() {
                    self.hang_up(wire);
                }
            }
            Output::Persist(change) => self.store(tab, change),
            Output::Lock(LockChange::Acquire) => {
                let page = self.tabs[tab].page();
                self.people[person].waiting.push_back(page);
                self.grant_lock(person);
            }
            Output::Lock(LockChange::Release) => self.release_lock(tab),
            Output::Group(change) => self.change_group(tab, change),
            Output::Fetch(fetch) => self.ask(tab, fetch),
            // What comes of them is not heard any more.
            Output::Abort => {}
            Output::AskToken => self.ask_token(tab),
            Output::Event(_) | Output::Timeout(_) => {
                unreachable!("the tab keeps these to itself")
            }
        }
    }

    fn heal(&mut self) {
        self.in_trouble = false;
        self.plan.refuse = 0;
        self.server.heal();
        self.heal_hardships();
        for tab in 0..self.tabs.len() {
            let now = self.tabs[tab].now_at(self.now);
            self.tabs[tab].client.handle_online(now, true);
            self.settle(tab);
            let now = self.tabs[tab].now_at(self.now);
            self.tabs[tab].client.connect(now);
            self.settle(tab);
        }
    }

    /// A message on every channel, so that whoever missed the last one learns of it.
    fn last_word(&mut self) {
        for topic in self.topics.clone() {
            let id = MessageId::parse(&format!("last-word-{topic}")).expect("a short id");
            self.server.announce(&topic, id, self.now);
        }
        self.send_out();
    }

    fn finish(mut self) -> Result<Outcome, Violation> {
        let history = self.server.history();
        let tops = history
            .iter()
            .map(|(topic, messages)| (topic.clone(), messages.last().map_or(0, |last| last.seq)))
            .collect();
        for tab in &self.tabs {
            tab.check(&tops, &mut self.record);
            let stats = tab.client.stats();
            self.outcome.reconnects += stats.reconnects;
            self.outcome.recoveries += stats.recoveries;
            self.outcome.duplicates += stats.duplicates_dropped;
        }
        self.check_polling();
        self.record.check(&history);
        if let Some(violation) = self.record.first_violation() {
            return Err(violation.clone());
        }
        let (published, acked) = self.record.counts();
        self.outcome.published = published;
        self.outcome.acked = acked;
        self.outcome.handed_on = self.record.handed_on;
        self.outcome.told_gaps = self.record.told_gaps;
        self.outcome.unkept = self.record.refused_writes;
        Ok(self.outcome)
    }
}

/// The tabs of all people, each with its person and its seed, and some more of those who share a connection.
fn everybody(
    of: Vec<(usize, u64)>,
    plan: &Plan,
    hardships: &Hardships,
    stalls: &mut Random,
    chance: &mut Random,
    sabotage: Sabotage,
) -> Vec<Tab> {
    let mut tabs: Vec<Tab> = Vec::new();
    let mut add = |tabs: &mut Vec<Tab>, person, seed| {
        let chance = Random::new(chance.bits());
        let access = Access::new(hardships, person, plan.trouble_ms, chance).sabotaged(sabotage);
        tabs.push(Tab::new(tabs.len(), person, seed, access, sabotage));
    };
    for (person, seed) in of {
        add(&mut tabs, person, seed);
    }
    for person in 0..plan.people.len() {
        let shares = stalls.per_mille(500);
        // More tabs than others have: most of what can go wrong between them takes three.
        while shares && tabs.iter().filter(|tab| tab.person == person).count() < 3 {
            add(&mut tabs, person, stalls.bits());
        }
        for tab in tabs.iter_mut().filter(|tab| tab.person == person && shares) {
            tab.share(stalls.bits());
        }
    }
    tabs
}
