//! Connections, shards and a store together.

mod gate;
mod lifetimes;
mod refusals;
mod stores;

use std::collections::BTreeSet;
use std::sync::Arc;

use arc_swap::ArcSwap;
use bmt_shared::channel::ChannelName;
use bmt_shared::error::{ErrorCode, Failure};
use bmt_shared::event::ServerEvent;
use bmt_shared::id::{ConnectionId, MessageId, UserId};
use bmt_shared::identity::{Role, User};
use bmt_shared::message::Message;
use bmt_shared::namespace::Namespaces;
use bmt_shared::payload::Payload;
use bmt_shared::position::{Position, Seq};
use bmt_shared::reply::{Published, Reply, Subscribed};
use bmt_shared::request::{HistoryQuery, HistoryRange, Publish, Subscribe};
use tokio::sync::oneshot;

use super::{Answer, Publisher, Settings, Shards, Subscriber};
use crate::clock::Clock;
use crate::history::Histories;
use crate::outbox::{Bounds, Next, Outbox, Outgoing, ReplyTo};
use crate::telemetry::Telemetry;

const WINDOW_MS: u64 = 60_000;

fn topic(name: &str) -> ChannelName {
    ChannelName::parse(name).unwrap()
}

fn key(id: &str) -> MessageId {
    MessageId::parse(id).unwrap()
}

fn clock() -> Clock {
    let start = tokio::time::Instant::now();
    Arc::new(move || 1_000_000 + u64::try_from(start.elapsed().as_millis()).unwrap())
}

fn in_memory() -> Shards {
    start(Histories::in_memory(WINDOW_MS))
}

fn start(histories: Histories) -> Shards {
    let namespaces = Arc::new(ArcSwap::from_pointee(Namespaces::default()));
    Shards::start(
        histories,
        namespaces,
        Settings::default(),
        clock(),
        Telemetry::off(),
    )
}

/// A connection as the shards see it, and what reaches it.
struct Client {
    shards: Shards,
    me: Subscriber,
}

impl Client {
    fn new(shards: &Shards, connection: &str, user: &str) -> Self {
        let user = User {
            user_id: UserId::new(user),
            name: user.to_owned(),
            role: Role::User,
            permissions: Vec::new(),
        };
        let bounds = Bounds {
            bytes: 1_024 * 1_024,
            entries: 8_192,
        };
        Self {
            shards: shards.clone(),
            me: Subscriber {
                connection: ConnectionId::new(connection),
                user: Arc::new(user),
                outbox: Outbox::new(bounds),
            },
        }
    }

    fn to(&self, call: u64) -> ReplyTo {
        ReplyTo {
            message_id: key("call"),
            call,
        }
    }

    fn publisher(&self) -> Publisher {
        Publisher {
            user: self.me.user.clone(),
            connection: Some(self.me.connection.clone()),
            outbox: Some(self.me.outbox.clone()),
        }
    }

    async fn subscribe(&self, request: Subscribe) -> Subscribed {
        let slot = self.me.outbox.reserve();
        self.shards
            .subscribe(&self.me, request, Answer::Slot(slot, self.to(1)));
        match self.reply().await {
            Reply::Subscribed(subscribed) => subscribed,
            other => panic!("{other:?}"),
        }
    }

    /// The next reply; what comes before it is dropped.
    async fn reply(&self) -> Reply {
        loop {
            if let Outgoing::Reply(_, reply) = self.next().await {
                return reply;
            }
        }
    }

    /// The messages that can be sent now.
    fn waiting(&self) -> Vec<Message> {
        let mut messages = Vec::new();
        while let Next::Send(outgoing) = self.me.outbox.next() {
            if let Outgoing::Event(event) = outgoing
                && let ServerEvent::Message(message) = event.event()
            {
                messages.push(message.clone());
            }
        }
        messages
    }

    fn publish(&self, id: &str, publish: Publish) -> oneshot::Receiver<Reply> {
        let (answer, reply) = oneshot::channel();
        self.shards
            .publish(&self.publisher(), key(id), publish, Answer::Waiter(answer));
        reply
    }

    async fn published(&self, id: &str, on: &str, payload: &str) -> Published {
        let publish = Publish::new(topic(on), Payload::parse(payload).unwrap());
        match self.publish(id, publish).await.unwrap() {
            Reply::Published(published) => published,
            other => panic!("{other:?}"),
        }
    }

    async fn ask(&self, request: impl FnOnce(&Shards, Answer)) -> Reply {
        let (answer, reply) = oneshot::channel();
        request(&self.shards, Answer::Waiter(answer));
        reply.await.unwrap()
    }

    async fn next(&self) -> Outgoing {
        loop {
            match self.me.outbox.next() {
                Next::Send(outgoing) => return outgoing,
                Next::Wait => self.me.outbox.ready().await,
                Next::Overflowed => panic!("the outbox overflowed"),
            }
        }
    }

    /// Everything that can be sent now, replies and messages, in a word each: `r` a reply, `m7` message 7.
    fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        while let Next::Send(outgoing) = self.me.outbox.next() {
            words.push(match outgoing {
                Outgoing::Reply(..) => "r".to_owned(),
                Outgoing::Event(event) => match event.event() {
                    ServerEvent::Message(message) => format!("m{}", message.seq),
                    other => other.name().to_owned(),
                },
                Outgoing::Close(_) => "close".to_owned(),
            });
        }
        words
    }

    async fn message(&self) -> Message {
        loop {
            if let Outgoing::Event(event) = self.next().await
                && let ServerEvent::Message(message) = event.event()
            {
                return message.clone();
            }
        }
    }

    fn hears_nothing(&self) -> bool {
        matches!(self.me.outbox.next(), Next::Wait)
    }
}

fn one(on: &str) -> Publish {
    Publish::new(topic(on), Payload::parse("1").unwrap())
}

/// Lets the shards' tasks run until they have nothing to do.
async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

fn failure(reply: Reply) -> Failure {
    match reply {
        Reply::Failed(failure) => failure,
        other => panic!("{other:?}"),
    }
}

fn seqs(messages: &[Message]) -> Vec<Seq> {
    messages.iter().map(|message| message.seq).collect()
}

#[tokio::test]
async fn what_one_publishes_all_subscribers_get_in_order() {
    let shards = in_memory();
    let [alice, bob] = [("c1", "alice"), ("c2", "bob")].map(|(id, user)| Client::new(&shards, id, user));
    assert_eq!(
        alice
            .subscribe(Subscribe::to(topic("public:a")))
            .await
            .subscriber_count,
        1
    );
    let subscribed = bob.subscribe(Subscribe::to(topic("public:a"))).await;
    assert_eq!((subscribed.subscriber_count, subscribed.seq), (2, 0));
    for n in 1..=3 {
        let published = alice
            .published(&format!("m{n}"), "public:a", &n.to_string())
            .await;
        assert_eq!(
            (published.seq, published.delivered_to, published.duplicate),
            (n, 2, false)
        );
    }
    for client in [&alice, &bob] {
        for n in 1..=3 {
            let message = client.message().await;
            assert_eq!((message.seq, message.payload.json()), (n, n.to_string().as_str()));
            assert_eq!(message.client_message_id, Some(key(&format!("m{n}"))));
            assert_eq!(message.prev, None);
        }
    }
}

#[tokio::test]
async fn the_ack_and_the_own_message_come_through_one_outbox() {
    let shards = in_memory();
    let alice = Client::new(&shards, "c1", "alice");
    alice.subscribe(Subscribe::to(topic("public:a"))).await;
    let publish = Publish::new(topic("public:a"), Payload::parse("1").unwrap());
    let answer = Answer::Outbox(alice.me.outbox.clone(), alice.to(2));
    shards.publish(&alice.publisher(), key("m"), publish, answer);
    assert!(matches!(alice.next().await, Outgoing::Event(_)));
    assert!(matches!(
        alice.next().await,
        Outgoing::Reply(ReplyTo { call: 2, .. }, Reply::Published(_))
    ));
}

#[tokio::test]
async fn nothing_is_delivered_after_the_reply_to_unsubscribe() {
    let shards = in_memory();
    let alice = Client::new(&shards, "c1", "alice");
    alice.subscribe(Subscribe::to(topic("public:a"))).await;
    let pending = alice.publish("m1", one("public:a"));
    let answer = Answer::Outbox(alice.me.outbox.clone(), alice.to(2));
    shards.unsubscribe(&alice.me.connection, topic("public:a"), answer);
    pending.await.unwrap();
    let published = alice.published("m2", "public:a", "2").await;
    assert_eq!(published.delivered_to, 0);
    while !matches!(alice.next().await, Outgoing::Reply(_, Reply::Unsubscribed(_))) {}
    assert!(alice.hears_nothing());
}

#[tokio::test]
async fn a_gone_connection_is_counted_out_everywhere() {
    let shards = in_memory();
    let alice = Client::new(&shards, "c1", "alice");
    let topics = ["public:a", "public:b", "lobby"].map(topic);
    for topic in &topics {
        alice.subscribe(Subscribe::to(topic.clone())).await;
    }
    shards.closed(&alice.me.connection, topics.clone());
    let bob = Client::new(&shards, "c2", "bob");
    for topic in topics {
        assert_eq!(bob.subscribe(Subscribe::to(topic)).await.subscriber_count, 1);
    }
}

#[tokio::test]
async fn a_repeated_publish_is_the_first_one_even_while_it_is_in_flight() {
    let shards = in_memory();
    let alice = Client::new(&shards, "c1", "alice");
    alice.subscribe(Subscribe::to(topic("public:a"))).await;
    let publish = Publish::new(topic("public:a"), Payload::parse(r#"{"a":1}"#).unwrap());
    let replies = [(); 3].map(|()| alice.publish("m", publish.clone()));
    let mut results = Vec::new();
    for reply in replies {
        let Reply::Published(published) = reply.await.unwrap() else {
            panic!()
        };
        results.push(published);
    }
    assert_eq!(
        [false, true, true],
        [0, 1, 2].map(|at: usize| results[at].duplicate)
    );
    let ids: BTreeSet<_> = results.iter().map(|one| (&one.message_id, one.seq)).collect();
    assert_eq!(ids.len(), 1);
    let other = Publish::new(topic("public:a"), Payload::parse(r#"{"a":2}"#).unwrap());
    let refused = failure(alice.publish("m", other).await.unwrap());
    assert_eq!(refused.code, ErrorCode::IdempotencyConflict);
    assert_eq!(alice.message().await.seq, 1);
    assert!(alice.hears_nothing());
}

#[tokio::test]
async fn history_and_recovery_meet_the_live_stream() {
    let shards = in_memory();
    let alice = Client::new(&shards, "c1", "alice");
    for n in 1..=5 {
        alice.published(&format!("m{n}"), "public:a", "0").await;
    }
    let Reply::History(page) = alice
        .ask(|shards, answer| {
            let query = HistoryQuery {
                topic: topic("public:a"),
                range: HistoryRange::Newest,
                limit: 2,
            };
            shards.history(query, answer);
        })
        .await
    else {
        panic!()
    };
    assert_eq!(
        (seqs(&page.messages), page.seq, page.has_more),
        (vec![4, 5], 5, true)
    );
    let since = Position {
        seq: 2,
        epoch: page.epoch,
    };
    let subscribed = alice
        .subscribe(Subscribe {
            since: Some(since),
            ..Subscribe::to(topic("public:a"))
        })
        .await;
    assert_eq!(
        (subscribed.recovered, seqs(&subscribed.messages)),
        (Some(true), vec![3, 4, 5])
    );
    alice.published("m6", "public:a", "0").await;
    assert_eq!(alice.message().await.seq, 6);
}

#[tokio::test]
async fn signals_skip_their_sender_and_leave_no_trace() {
    let shards = in_memory();
    let [alice, bob] = [("c1", "alice"), ("c2", "bob")].map(|(id, user)| Client::new(&shards, id, user));
    for client in [&alice, &bob] {
        client.subscribe(Subscribe::to(topic("public:a"))).await;
    }
    let typing = Payload::parse(r#"{"typing":true}"#).unwrap();
    let reply = alice
        .ask(|shards, answer| shards.signal(&alice.publisher(), topic("public:a"), typing, answer))
        .await;
    assert_eq!(reply, Reply::Done);
    let Outgoing::Event(event) = bob.next().await else {
        panic!()
    };
    assert!(matches!(event.event(), ServerEvent::Signal(signal) if signal.from == UserId::new("alice")));
    assert!(alice.hears_nothing());
    assert_eq!(alice.published("m", "public:a", "1").await.seq, 1);
}
