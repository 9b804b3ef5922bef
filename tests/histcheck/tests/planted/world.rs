//! A small world that keeps every promise: one channel, publishers, subscribers that come and go.

use bmt_histcheck::{Event, Place, Placed, Record};
use proptest::prelude::{Strategy, any};

pub(crate) const CHANNEL: &str = "public:a";
pub(crate) const EPOCH: &str = "e";
const PUBLISHERS: usize = 3;
const SUBSCRIBERS: usize = 3;

/// One random step: what, and who.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step(u8, u8);

pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
    proptest::collection::vec(any::<(u8, u8)>().prop_map(|(what, who)| Step(what, who)), 80..300)
}

#[derive(Default)]
struct Publisher {
    published: usize,
    /// The publish under way, and its seq once it is stored.
    pending: Option<(String, Option<u64>)>,
}

#[derive(Default)]
struct Subscriber {
    connected: bool,
    cursor: Option<u64>,
}

/// The world while it runs.
#[derive(Default)]
struct World {
    log: Vec<String>,
    publishers: [Publisher; PUBLISHERS],
    subscribers: [Subscriber; SUBSCRIBERS],
    records: Vec<Record>,
}

/// The records of a world that took these steps, then fell quiet and listed its store.
pub(crate) fn records(steps: &[Step]) -> Vec<Record> {
    let mut world = World::default();
    for step in steps {
        world.step(*step);
    }
    world.fall_quiet();
    world.records
}

/// The records as they stand in one file.
pub(crate) fn placed(records: &[Record]) -> Vec<Placed> {
    let place = |line| Place {
        file: "f".into(),
        line,
    };
    let placed = records.iter().enumerate().map(|(index, record)| Placed {
        record: record.clone(),
        place: place(index + 1),
    });
    placed.collect()
}

impl World {
    fn record(&mut self, client: impl Into<String>, event: Event) {
        let at_us = self.records.len() as u64;
        self.records.push(Record {
            at_us,
            wall_ms: 0,
            client: client.into(),
            event,
        });
    }

    fn step(&mut self, Step(what, who): Step) {
        let publisher = usize::from(who) % PUBLISHERS;
        let subscriber = usize::from(who) % SUBSCRIBERS;
        match what % 16 {
            0..=3 => self.invoke(publisher),
            4..=6 => self.store(publisher),
            7 | 8 => self.answer(publisher),
            9 => self.give_up(publisher),
            10 => self.subscribers[subscriber].connected = false,
            11 => self.subscribe(subscriber, None),
            12 => self.subscribe(subscriber, Some(who % 4 != 0)),
            13 if who % 8 == 7 => self.tell_gap(subscriber),
            _ => self.deliver(subscriber),
        }
    }

    fn invoke(&mut self, n: usize) {
        if self.publishers[n].pending.is_some() {
            return;
        }
        self.publishers[n].published += 1;
        let id = format!("p{n}-{}", self.publishers[n].published);
        self.publishers[n].pending = Some((id.clone(), None));
        let event = Event::Invoke {
            id,
            channel: CHANNEL.into(),
            body: "x".into(),
            conn: 0,
        };
        self.record(format!("p{n}"), event);
    }

    fn store(&mut self, n: usize) {
        if let Some((id, seq @ None)) = &mut self.publishers[n].pending {
            self.log.push(id.clone());
            *seq = Some(self.log.len() as u64);
        }
    }

    fn answer(&mut self, n: usize) {
        let Some((id, seq)) = self.publishers[n].pending.take() else {
            return;
        };
        let channel = CHANNEL.into();
        let event = match seq {
            Some(seq) => Event::Ok {
                id,
                channel,
                seq,
                epoch: None,
            },
            None => Event::Fail {
                id,
                channel,
                reason: "rate_limited".into(),
            },
        };
        self.record(format!("p{n}"), event);
    }

    fn give_up(&mut self, n: usize) {
        let Some((id, _)) = self.publishers[n].pending.take() else {
            return;
        };
        let event = Event::Info {
            id,
            channel: CHANNEL.into(),
            reason: "closed".into(),
        };
        self.record(format!("p{n}"), event);
    }

    /// `want`: nothing remembered, a recovery that succeeds, or one that fails.
    fn subscribe(&mut self, n: usize, want: Option<bool>) {
        if self.subscribers[n].connected {
            return;
        }
        let to = self.log.len() as u64;
        let from = self.subscribers[n].cursor.filter(|_| want.is_some());
        let recovered = from.and(want);
        let event = Event::Subscribed {
            channel: CHANNEL.into(),
            epoch: EPOCH.into(),
            recovered,
            reason: recovered.filter(|came| !came).map(|_| "trimmed".into()),
            from,
            to,
        };
        self.record(format!("s{n}"), event);
        self.subscribers[n].connected = true;
        match recovered {
            Some(true) => {
                while self.subscribers[n].cursor < Some(to) {
                    self.deliver(n);
                }
            }
            Some(false) => {
                self.subscribers[n].cursor = Some(to.saturating_sub(2));
                while self.subscribers[n].cursor < Some(to) {
                    self.deliver(n);
                }
            }
            None => self.subscribers[n].cursor = Some(to),
        }
    }

    /// The stream of a connected subscriber breaks, and goes on with the newest messages.
    fn tell_gap(&mut self, n: usize) {
        let top = self.log.len() as u64;
        let Some(cursor) = self.subscribers[n]
            .cursor
            .filter(|_| self.subscribers[n].connected)
        else {
            return;
        };
        let event = Event::Gap {
            channel: CHANNEL.into(),
            reason: Some("timeout".into()),
        };
        self.record(format!("s{n}"), event);
        self.subscribers[n].cursor = Some(cursor.max(top.saturating_sub(1)));
    }

    fn deliver(&mut self, n: usize) {
        let subscriber = &mut self.subscribers[n];
        let Some(cursor) = subscriber.cursor.filter(|_| subscriber.connected) else {
            return;
        };
        let Some(id) = self.log.get(usize::try_from(cursor).expect("an index")).cloned() else {
            return;
        };
        subscriber.cursor = Some(cursor + 1);
        let event = Event::Deliver {
            channel: CHANNEL.into(),
            epoch: EPOCH.into(),
            seq: cursor + 1,
            id,
            prev: None,
        };
        self.record(format!("s{n}"), event);
    }

    fn fall_quiet(&mut self) {
        for n in 0..PUBLISHERS {
            self.answer(n);
        }
        let top = self.log.len() as u64;
        for n in 0..SUBSCRIBERS {
            while self.subscribers[n].connected && self.subscribers[n].cursor < Some(top) {
                self.deliver(n);
            }
            if self.subscribers[n].connected {
                let event = Event::Covered {
                    channel: CHANNEL.into(),
                    epoch: EPOCH.into(),
                    to: top,
                };
                self.record(format!("s{n}"), event);
            }
        }
        let event = Event::Store {
            channel: CHANNEL.into(),
            epoch: EPOCH.into(),
            oldest: 1,
            top,
        };
        self.record("store", event);
        for (index, id) in self.log.clone().into_iter().enumerate() {
            let event = Event::Stored {
                channel: CHANNEL.into(),
                epoch: EPOCH.into(),
                seq: index as u64 + 1,
                id,
            };
            self.record("store", event);
        }
    }
}
