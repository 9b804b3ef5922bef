//! Any order of calls: what a subscriber sees never has a hole or a repetition that it is not told of.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bmt_shared::channel::ChannelName;
use bmt_shared::error::{ErrorCode, Failure};
use bmt_shared::event::Gap;
use bmt_shared::id::{ConnectionId, MessageId, UserId};
use bmt_shared::identity::{Role, User};
use bmt_shared::namespace::{Access, Namespace};
use bmt_shared::payload::Payload;
use bmt_shared::position::{Epoch, Position, Seq};
use bmt_shared::reply::Subscribed;
use bmt_shared::request::{Publish, Subscribe};
use proptest::prelude::*;

use super::{Channel, Cold, Draft, FLAP_MS, Output, Retention, Stream, Subscriber, Subscribing};

const WINDOW_MS: u64 = 1_000_000;
const CLIENTS: usize = 4;

#[derive(Clone, Copy, Debug)]
enum Step {
    /// Subscribe; from the client's own cursor, where it has one and the flag says so. Odd clients filter.
    Subscribe(usize, bool),
    Unsubscribe(usize),
    /// A draft goes to the history.
    Publish(bool),
    /// The history answers its oldest draft.
    Commit,
    /// A commit fails, and with it all that are in flight.
    Fail,
    /// A commit is reported as failed and had happened.
    FailThoughStored,
    /// A cold read that waits is answered.
    Read(usize),
    ForgetTail,
    Wait,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..CLIENTS, any::<bool>()).prop_map(|(client, since)| Step::Subscribe(client, since)),
        2 => (0..CLIENTS).prop_map(Step::Unsubscribe),
        8 => any::<bool>().prop_map(Step::Publish),
        8 => Just(Step::Commit),
        1 => Just(Step::Fail),
        1 => Just(Step::FailThoughStored),
        4 => (0..CLIENTS).prop_map(Step::Read),
        2 => Just(Step::ForgetTail),
        1 => Just(Step::Wait),
    ]
}

/// One place in a client's order.
enum Item {
    Reply(Option<Seq>, Option<Subscribed>),
    Message(Seq, Option<Seq>),
    Gap(Gap),
    Unsubscribed,
}

#[derive(Default)]
struct Client {
    items: VecDeque<Item>,
    /// Reads that its replies wait for, oldest first.
    cold: VecDeque<Cold>,
    /// Last seq it has or was told of; `None` while it is not subscribed.
    cursor: Option<Seq>,
    last: Option<Seq>,
}

impl Client {
    /// Reads its order up to the first reply that is not there yet.
    fn read_on(&mut self, wanted: &dyn Fn(Seq) -> bool) {
        while let Some(item) = self.items.front_mut() {
            match item {
                Item::Reply(_, None) => return,
                Item::Reply(since, reply) => {
                    let reply = reply.take().expect("looked at above");
                    self.cursor = Some(reply.seq);
                    if reply.recovered == Some(true) {
                        let since = since.expect("only who asks is recovered");
                        let seqs: Vec<_> = reply.messages.iter().map(|message| message.seq).collect();
                        let missed: Vec<_> = (since + 1..=reply.seq).filter(|seq| wanted(*seq)).collect();
                        assert_eq!(seqs, missed, "a recovery is whole");
                    }
                }
                Item::Message(seq, prev) => {
                    let cursor = self.cursor.expect("no message outside a subscription");
                    let before = prev.unwrap_or(*seq - 1);
                    // A reply that covers more than what follows it in the order: known messages come again.
                    if *seq > cursor {
                        assert!(before <= cursor, "a hole between {cursor} and {seq}");
                        assert!(
                            (cursor + 1..*seq).all(|skipped| !wanted(skipped)),
                            "a hole before {seq}"
                        );
                        self.cursor = Some(*seq);
                    }
                    assert!(wanted(*seq));
                }
                Item::Gap(gap) => self.cursor = self.cursor.map(|_| gap.seq),
                Item::Unsubscribed => self.cursor = None,
            }
            self.last = self.cursor.or(self.last);
            self.items.pop_front();
        }
    }
}

struct World {
    channel: Channel<usize>,
    stream: Stream,
    namespace: Namespace,
    in_flight: VecDeque<Draft>,
    clients: Vec<Client>,
    /// Whether a stored message has the field that odd clients want.
    odd: BTreeMap<Seq, bool>,
    now_ms: u64,
    published: u64,
}

fn topic() -> ChannelName {
    ChannelName::parse("public:a").unwrap()
}

fn connection(client: usize) -> ConnectionId {
    ConnectionId::new(&format!("c{client}"))
}

impl World {
    fn new() -> Self {
        let namespace = Namespace {
            history_size: 0,
            history_ttl_ms: 0,
            ..Namespace::stored(Access::Users, Access::Users)
        };
        let mut stream = Stream::new(Epoch::new("e"));
        let opened = stream.open(Retention::of(&namespace), 1);
        Self {
            channel: Channel::new(topic(), &namespace, opened, 1),
            stream,
            namespace,
            in_flight: VecDeque::new(),
            clients: (0..CLIENTS).map(|_| Client::default()).collect(),
            odd: BTreeMap::new(),
            now_ms: 1,
            published: 0,
        }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Subscribe(client, since) => self.subscribe(client, since),
            Step::Unsubscribe(client) => {
                self.channel.unsubscribe(&connection(client), self.now_ms);
                self.clients[client].items.push_back(Item::Unsubscribed);
            }
            Step::Publish(odd) => self.publish(odd),
            Step::Commit => self.commit(),
            Step::Fail => self.fail(),
            Step::FailThoughStored => {
                if let Some(draft) = self.in_flight.front().cloned() {
                    self.store(draft);
                    self.fail();
                }
            }
            Step::Read(client) => self.read(client),
            Step::ForgetTail => self.channel.shrink_tail(0),
            Step::Wait => {
                self.now_ms += FLAP_MS / 2;
                self.channel.handle_timeout(self.now_ms);
            }
        }
        self.deliver();
        let odd = &self.odd;
        for (at, client) in self.clients.iter_mut().enumerate() {
            client.read_on(&|seq| at % 2 == 0 || odd[&seq]);
        }
    }

    fn subscribe(&mut self, client: usize, since: bool) {
        let since = self.clients[client].last.filter(|_| since);
        let mut request = Subscribe {
            since: since.map(|seq| Position {
                seq,
                epoch: Epoch::new("e"),
            }),
            presence: client == 0,
            ..Subscribe::to(topic())
        };
        if client % 2 == 1 {
            let yes = Payload::parse("true").unwrap();
            request.params.insert("odd".to_owned(), yes);
        }
        let user = User {
            user_id: UserId::new(&format!("u{}", client / 2)),
            name: String::new(),
            role: Role::User,
            permissions: Vec::new(),
        };
        let who = Subscriber {
            to: client,
            user: Arc::new(user),
        };
        let subscribing = self
            .channel
            .subscribe(connection(client), who, &request, self.now_ms)
            .unwrap();
        self.deliver();
        let client = &mut self.clients[client];
        match subscribing {
            Subscribing::Ready(reply) => client.items.push_back(Item::Reply(since, Some(reply))),
            Subscribing::Cold(cold) => {
                client.items.push_back(Item::Reply(since, None));
                client.cold.push_back(*cold);
            }
        }
    }

    fn read(&mut self, client: usize) {
        let Some(cold) = self.clients[client].cold.pop_front() else {
            return;
        };
        let page = self.stream.read(cold.read());
        let mut replies = self.clients[client].items.iter_mut();
        let place = replies.find_map(|item| match item {
            Item::Reply(_, reply @ None) => Some(reply),
            _ => None,
        });
        *place.unwrap() = Some(cold.finish(Some(&page)));
    }

    fn publish(&mut self, odd: bool) {
        self.published += 1;
        let payload = Payload::parse(&format!(r#"{{"odd":{odd}}}"#)).unwrap();
        let key = MessageId::parse(&format!("k{}", self.published)).unwrap();
        let from = UserId::new("publisher");
        let random = u128::from(self.published);
        let publish = Publish::new(topic(), payload);
        let draft = self
            .channel
            .begin_publish(publish, from, key, self.now_ms, random);
        self.in_flight.push_back(draft);
    }

    fn store(&mut self, draft: Draft) -> super::Appended {
        let odd = draft.payload.json().contains("true");
        let appended = self
            .stream
            .append(draft, Retention::of(&self.namespace), WINDOW_MS);
        if let super::Appended::Stored { entry, .. } = &appended {
            self.odd.insert(entry.seq(), odd);
        }
        appended
    }

    fn commit(&mut self) {
        if let Some(draft) = self.in_flight.pop_front() {
            let appended = self.store(draft);
            self.channel.finish_publish(Ok(appended), self.now_ms).unwrap();
        }
    }

    fn fail(&mut self) {
        for _ in self.in_flight.drain(..) {
            let failure = Failure::new(ErrorCode::ServerError, "the disk is full");
            assert!(self.channel.finish_publish(Err(failure), self.now_ms).is_err());
        }
    }

    fn deliver(&mut self) {
        while let Some(output) = self.channel.poll_output() {
            match output {
                Output::Message { entry, prev, to } => {
                    for client in to {
                        let item = Item::Message(entry.seq(), prev);
                        self.clients[client].items.push_back(item);
                    }
                }
                Output::Gap { gap, to } => {
                    for client in to {
                        self.clients[client].items.push_back(Item::Gap(gap.clone()));
                    }
                }
                Output::Presence { to, .. } => assert_eq!(to, [0], "only the first client asked"),
                Output::Signal { .. } => unreachable!("nobody signals"),
                Output::Receipt { .. } => unreachable!("nobody reads"),
                Output::Delivery { .. } => unreachable!("nothing is to be confirmed"),
            }
        }
    }

    /// Everybody leaves, everything is answered: nothing stays behind.
    fn end(mut self) {
        while !self.in_flight.is_empty() {
            self.take(Step::Commit);
        }
        for client in 0..CLIENTS {
            while !self.clients[client].cold.is_empty() {
                self.take(Step::Read(client));
            }
            self.take(Step::Unsubscribe(client));
            assert!(self.clients[client].items.is_empty(), "everything was answered");
        }
        self.take(Step::Wait);
        self.take(Step::Wait);
        assert_eq!(self.channel.subscriber_count(), 0);
        assert_eq!(self.channel.presence().count, 0);
        assert!(self.channel.idle_since_ms().is_some());
        assert_eq!(self.channel.poll_timeout(), None);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// FAULTS 81 and 82.
    #[test]
    fn no_order_of_calls_makes_a_hole(steps in prop::collection::vec(step(), 0..200)) {
        let mut world = World::new();
        for step in steps {
            world.take(step);
        }
        world.end();
    }
}
