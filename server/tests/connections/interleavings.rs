//! Many who subscribe, unsubscribe, publish and close at once, on several threads, in any order (FAULTS 82).
//!
//! Each client holds what it is told against what it asked for: between the answer to a subscription and the answer
//! to its end every message comes, none outside. In the end nothing is left of anybody.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_tungstenite::tungstenite::Message;

use crate::raw::RawClient;
use crate::support::{Client as SocketIo, PATIENCE, TestServer, token, unix_ms};
use crate::talker::Talker;

const CLIENTS: usize = 12;
const STEPS: usize = 100;
const TOPICS: [&str; 3] = ["public:a", "public:b", "public:c"];
/// Requests of one client that wait for their answers, most.
const AHEAD: usize = 8;

/// SplitMix64: the same numbers from the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % end as u64).unwrap()
    }

    fn flips(&mut self) -> bool {
        self.below(2) == 0
    }
}

/// What a client asked for and has no answer to.
enum Asked {
    Subscribe { at: usize, since: Option<u64> },
    Unsubscribe { at: usize },
    Publish { at: usize, key: String },
}

/// What a client knows of one channel.
#[derive(Default)]
struct Place {
    /// The last seq that it has or was told of; `None` while it is not subscribed.
    cursor: Option<u64>,
    /// The same, also after it left.
    last: Option<u64>,
    epoch: Value,
}

/// The keys of messages by channel and seq.
type Seen = BTreeMap<(usize, u64), String>;

/// Where all meet when they have done what they do, and how far the channels have come by then.
struct End {
    all_are_here: Barrier,
    tops: [AtomicU64; TOPICS.len()],
}

struct Client {
    /// What a failure names: the seed and the client.
    name: String,
    server: Arc<TestServer>,
    token: String,
    talker: Talker,
    random: Random,
    asked: HashMap<u64, Asked>,
    calls: u64,
    places: [Place; TOPICS.len()],
    seen: Seen,
}

impl Client {
    async fn connect(server: Arc<TestServer>, seed: u64, number: usize) -> Self {
        let token = token(&format!("u{}", number / 2));
        Self {
            name: format!("seed {seed}, client {number}"),
            talker: connect(&server, number, &token).await,
            server,
            token,
            random: Random(seed ^ ((number as u64) << 32)),
            asked: HashMap::new(),
            calls: 0,
            places: Default::default(),
            seen: Seen::new(),
        }
    }

    async fn run(mut self, end: Arc<End>) -> Seen {
        for _ in 0..STEPS {
            self.step().await;
            let ahead = self.random.below(AHEAD);
            self.answered(ahead).await;
        }
        self.answered(0).await;
        end.all_are_here.wait().await;
        // From wherever it stands, it is brought to the end.
        for at in 0..TOPICS.len() {
            self.subscribe(at, true).await;
        }
        self.answered(0).await;
        for (top, place) in end.tops.iter().zip(&self.places) {
            top.fetch_max(place.cursor.unwrap(), Ordering::Relaxed);
        }
        end.all_are_here.wait().await;
        let tops = end.tops.each_ref().map(|top| top.load(Ordering::Relaxed));
        while (self.places.iter().zip(tops)).any(|(place, top)| place.cursor < Some(top)) {
            self.read().await;
        }
        // The last ones go with their subscriptions.
        self.leave(false).await;
        self.seen
    }

    async fn step(&mut self) {
        let at = self.random.below(TOPICS.len());
        match self.random.below(16) {
            0..5 => {
                let recovers = self.random.flips();
                self.subscribe(at, recovers).await;
            }
            5..8 => {
                let body = json!({"topic": TOPICS[at]});
                self.ask("unsubscribe", body, Asked::Unsubscribe { at }).await;
            }
            8..15 => {
                let key = format!("k{}-{}", self.random.0, self.calls);
                let body = json!({"topic": TOPICS[at], "payload": 1, "messageId": &key});
                self.ask("publish", body, Asked::Publish { at, key }).await;
            }
            _ => self.leave(true).await,
        }
    }

    async fn subscribe(&mut self, at: usize, recovers: bool) {
        let place = &self.places[at];
        let since = place.last.filter(|_| recovers);
        let mut body = json!({"topic": TOPICS[at]});
        if let Some(seq) = since {
            body["since"] = json!({"seq": seq, "epoch": place.epoch});
        }
        self.ask("subscribe", body, Asked::Subscribe { at, since }).await;
    }

    async fn ask(&mut self, verb: &str, mut body: Value, asked: Asked) {
        self.calls += 1;
        let call = self.calls;
        let text = match &self.talker {
            Talker::SocketIo(_) => format!("42{call}{}", json!([verb, body])),
            Talker::Raw(_) => {
                // There a request and its message have one name.
                let id = body["messageId"]
                    .as_str()
                    .map_or(format!("r{call}"), str::to_owned);
                body.as_object_mut().unwrap().remove("messageId");
                json!({"type": verb, "data": body, "messageId": id}).to_string()
            }
        };
        self.asked.insert(call, asked);
        self.socket().try_send(Message::text(text)).await.unwrap();
    }

    fn socket(&mut self) -> &mut crate::support::Socket {
        match &mut self.talker {
            Talker::SocketIo(client) => &mut client.socket,
            Talker::Raw(client) => &mut client.socket,
        }
    }

    /// Goes, with or without a word, whatever waits; and may come back as another connection.
    async fn leave(&mut self, comes_back: bool) {
        if self.random.flips() {
            // Who has hung up is not told of it.
            let _ = self.socket().try_send(Message::Close(None)).await;
        }
        self.asked.clear();
        for place in &mut self.places {
            place.cursor = None;
        }
        if comes_back {
            let transport = self.random.below(2);
            self.talker = connect(&self.server, transport, &self.token).await;
        }
    }

    /// Reads until at most so many requests are without an answer.
    async fn answered(&mut self, most: usize) {
        while self.asked.len() > most {
            self.read().await;
        }
    }

    async fn read(&mut self) {
        let text = self.socket().text().await;
        if text == "2" {
            self.socket().send("3").await;
        } else if let Some((event, body)) = text.strip_prefix("42").map(event) {
            self.told(&event, &body);
        } else if let Some(answer) = text.strip_prefix("43") {
            let (call, body) = answer.split_at(answer.find('[').unwrap());
            let body: Value = serde_json::from_str(body).unwrap();
            assert_eq!(body[0]["status"], "success", "{}: {body}", self.name);
            self.answer(call.parse().unwrap(), &body[0]);
        } else {
            let frame: Value = serde_json::from_str(&text).unwrap();
            match self.call_of(&frame["messageId"]) {
                Some(call) => {
                    assert_eq!(frame["type"], "ack", "{}: {frame}", self.name);
                    self.answer(call, &frame["data"]);
                }
                None => self.told(frame["type"].as_str().unwrap(), &frame["data"]),
            }
        }
    }

    /// The request that a frame of the raw endpoint answers.
    fn call_of(&self, id: &Value) -> Option<u64> {
        let id = id.as_str()?;
        if let Some(call) = id.strip_prefix('r') {
            return call.parse().ok();
        }
        let of_id = |asked: &&Asked| matches!(asked, Asked::Publish { key, .. } if key == id);
        let mut asked = self.asked.iter();
        asked.find(|(_, asked)| of_id(asked)).map(|(call, _)| *call)
    }

    fn answer(&mut self, call: u64, body: &Value) {
        let Some(asked) = self.asked.remove(&call) else {
            panic!("{}: nobody asked for {body}", self.name);
        };
        match asked {
            Asked::Subscribe { at, since } => {
                let seq = body["seq"].as_u64().unwrap();
                if let Some(since) = since {
                    assert_eq!(body["recovered"], true, "{}: {body}", self.name);
                    let messages = body["messages"].as_array().unwrap();
                    let seqs: Vec<u64> = messages.iter().map(seq_of).collect();
                    let missed: Vec<u64> = (since + 1..=seq).collect();
                    assert_eq!(seqs, missed, "{}: a recovery is whole", self.name);
                    messages.iter().for_each(|message| self.see(at, message));
                }
                let place = &mut self.places[at];
                assert!(
                    place.cursor.is_none_or(|cursor| cursor <= seq),
                    "{}: {body}",
                    self.name
                );
                (place.cursor, place.last) = (Some(seq), Some(seq));
                place.epoch = body["epoch"].clone();
            }
            Asked::Unsubscribe { at } => self.places[at].cursor = None,
            Asked::Publish { at, key } => {
                let seq = body["seq"].as_u64().unwrap();
                let before = self.seen.insert((at, seq), key.clone());
                assert!(before.is_none_or(|other| other == key), "{}: {body}", self.name);
            }
        }
    }

    fn told(&mut self, event: &str, body: &Value) {
        assert!(
            !["gap", "closing"].contains(&event),
            "{}: {event} {body}",
            self.name
        );
        if event != "message" {
            return;
        }
        let at = TOPICS.iter().position(|topic| body["topic"] == *topic).unwrap();
        let (seq, place) = (seq_of(body), &mut self.places[at]);
        let Some(cursor) = place.cursor else {
            panic!("{}: it is not subscribed and gets {body}", self.name);
        };
        // What a recovery brought may come once more.
        if seq > cursor {
            assert_eq!(seq, cursor + 1, "{}: a hole before {body}", self.name);
            (place.cursor, place.last) = (Some(seq), Some(seq));
        }
        self.see(at, body);
    }

    fn see(&mut self, at: usize, message: &Value) {
        let key = message["clientMessageId"].as_str().unwrap().to_owned();
        let before = self.seen.insert((at, seq_of(message)), key.clone());
        assert!(
            before.is_none_or(|other| other == key),
            "{}: {message}",
            self.name
        );
    }
}

/// Over one transport or the other.
async fn connect(server: &TestServer, transport: usize, token: &str) -> Talker {
    if transport.is_multiple_of(2) {
        Talker::Raw(RawClient::connect(server, token).await)
    } else {
        Talker::SocketIo(SocketIo::connect_with(server, token).await)
    }
}

fn seq_of(message: &Value) -> u64 {
    message["seq"].as_u64().unwrap()
}

fn event(text: &str) -> (String, Value) {
    let event: Value = serde_json::from_str(text).unwrap();
    (event[0].as_str().unwrap().to_owned(), event[1].clone())
}

/// What the server says that it holds: connections, channels, requests without an answer.
async fn held(server: &TestServer) -> Vec<String> {
    let figures = reqwest::get(server.url("/metrics")).await.unwrap();
    let figures = figures.text().await.unwrap();
    let wanted = ["bmt_connections ", "bmt_channels ", "bmt_requests_waiting "];
    let lines = figures
        .lines()
        .filter(|line| wanted.iter().any(|name| line.starts_with(name)));
    lines.map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_many_do_at_once_nobody_misses_anything_and_nothing_is_left() {
    let given = std::env::var("BMT_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(unix_ms);
    let server = TestServer::with(|config| {
        config.limits.publish_per_second = 0;
        config.limits.subscribe_per_second = 0;
        config.limits.read_per_second = 0;
        config.limits.empty_channel_ms = 200;
    });
    let server = Arc::new(server.await);
    let end = Arc::new(End {
        all_are_here: Barrier::new(CLIENTS),
        tops: Default::default(),
    });
    let mut running = JoinSet::new();
    for number in 0..CLIENTS {
        let (server, end) = (server.clone(), end.clone());
        running.spawn(async move { Client::connect(server, seed, number).await.run(end).await });
    }
    let mut seen = Seen::new();
    // The first that fails ends the test: the others would wait for it.
    while let Some(client) = running.join_next().await {
        for (place, key) in client.unwrap_or_else(|_| panic!("seed {seed}")) {
            let other = seen.entry(place).or_insert_with(|| key.clone());
            assert_eq!(*other, key, "seed {seed}: {place:?}");
        }
    }
    let keys: BTreeSet<_> = seen.values().collect();
    assert_eq!(keys.len(), seen.len(), "seed {seed}: each message is there once");
    server.emptied().await;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let held = held(&server).await;
        assert_eq!(held.len(), 3, "{held:?}");
        if held.iter().all(|line| line.ends_with(" 0.0")) {
            break;
        }
        assert!(Instant::now() < deadline, "seed {seed}: {held:?} are left");
        sleep(Duration::from_millis(20)).await;
    }
}
