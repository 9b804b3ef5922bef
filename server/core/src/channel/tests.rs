//! Sentences about one channel.

mod amendments;
mod crowd;
mod delivery;
mod paging;
mod presence;
mod readers;
mod recovery;
mod rules;

use std::collections::BTreeMap;
use std::sync::Arc;

use bmt_shared::channel::ChannelName;
use bmt_shared::error::{ErrorCode, Failure};
use bmt_shared::event::PresenceAction;
use bmt_shared::id::{ConnectionId, MessageId, UserId};
use bmt_shared::identity::{Role, User};
use bmt_shared::limits::{FALLBACK_PAGE, RECOVERY_BYTES, RECOVERY_MESSAGES};
use bmt_shared::message::Message;
use bmt_shared::namespace::{Access, Durability, Namespace};
use bmt_shared::payload::Payload;
use bmt_shared::position::{Epoch, Position, Seq};
use bmt_shared::reply::{HistoryPage, NotRecovered, Subscribed};
use bmt_shared::request::{HistoryQuery, HistoryRange, Publish, Subscribe};
use bmt_shared::sorted::SortedMap;

use super::{
    Appended, Channel, FLAP_MS, Opened, Output, PAGE_BYTES, Paging, Retention, Stream, Subscriber,
    Subscribing, TAIL_BYTES, TAIL_MESSAGES,
};

const WINDOW_MS: u64 = 60_000;
const START_MS: u64 = 1_000_000;

fn topic() -> ChannelName {
    ChannelName::parse("public:a").unwrap()
}

fn namespace() -> Namespace {
    Namespace {
        history_size: 0,
        history_ttl_ms: 0,
        ..Namespace::stored(Access::Users, Access::Users)
    }
}

/// A channel beside its history, in virtual time; connections are their own names.
struct Room {
    channel: Channel<&'static str>,
    stream: Stream,
    namespace: Namespace,
    now_ms: u64,
    published: u64,
}

impl Room {
    fn new(namespace: Namespace) -> Self {
        let mut stream = Stream::new(Epoch::new("e1"));
        let opened = stream.open(Retention::of(&namespace), START_MS);
        Self {
            channel: Channel::new(topic(), &namespace, opened, START_MS),
            stream,
            namespace,
            now_ms: START_MS,
            published: 0,
        }
    }

    /// The same history behind a channel that has forgotten its tail.
    fn with_cold_tail(mut self) -> Self {
        let mut opened = self.stream.open(Retention::of(&self.namespace), self.now_ms);
        opened.newest = Vec::new();
        self.channel = Channel::new(topic(), &self.namespace, opened, self.now_ms);
        self
    }

    fn publish(&mut self, payload: &str) -> Seq {
        self.publish_for(payload, 0)
    }

    fn publish_for(&mut self, payload: &str, ttl_ms: u64) -> Seq {
        self.publish_payload(Payload::parse(payload).unwrap(), ttl_ms)
    }

    /// Publishes a message with so many binary parts.
    fn publish_parts(&mut self, parts: usize) -> Seq {
        let placeholders: Vec<String> = (0..parts)
            .map(|num| format!("{{\"_placeholder\":true,\"num\":{num}}}"))
            .collect();
        let json = format!("[{}]", placeholders.join(","));
        let parts = vec![b"part".as_slice().into(); parts];
        self.publish_payload(Payload::from_json(&json).with_attachments(parts), 0)
    }

    fn publish_payload(&mut self, payload: Payload, ttl_ms: u64) -> Seq {
        self.published += 1;
        let publish = Publish {
            ttl_ms,
            ..Publish::new(topic(), payload)
        };
        let key = MessageId::parse(&format!("k{}", self.published)).unwrap();
        let (from, random) = (UserId::new("u"), u128::from(self.published));
        let draft = self
            .channel
            .begin_publish(publish, from, key, self.now_ms, random);
        let appended = self
            .stream
            .append(draft, Retention::of(&self.namespace), WINDOW_MS);
        self.channel
            .finish_publish(Ok(appended), self.now_ms)
            .unwrap()
            .seq
    }

    fn fill(&mut self, count: usize) {
        for _ in 0..count {
            self.publish("1");
        }
    }

    fn subscribe(&mut self, who: &'static str, request: &Subscribe) -> Subscribed {
        let subscribing = self
            .channel
            .subscribe(ConnectionId::new(who), subscriber(who), request, self.now_ms)
            .unwrap();
        match subscribing {
            Subscribing::Ready(reply) => reply,
            Subscribing::Cold(cold) => {
                let page = self.stream.read(cold.read());
                cold.finish(Some(&page))
            }
        }
    }

    fn recover(&mut self, who: &'static str, seq: Seq) -> Subscribed {
        let since = Some(Position {
            seq,
            epoch: self.channel.position().epoch,
        });
        self.subscribe(
            who,
            &Subscribe {
                since,
                ..Subscribe::to(topic())
            },
        )
    }

    fn history(&mut self, range: HistoryRange, limit: usize) -> HistoryPage {
        let query = HistoryQuery {
            topic: topic(),
            range,
            limit,
        };
        match self.channel.history(&query, self.now_ms) {
            Paging::Ready(page) => page,
            Paging::Cold(cold) => {
                let page = self.stream.read(cold.read());
                cold.finish(&page)
            }
        }
    }

    /// What each connection gets, as (seq, prev); other outputs are left out.
    fn delivered(&mut self) -> BTreeMap<&'static str, Vec<(Seq, Option<Seq>)>> {
        let mut delivered = BTreeMap::<_, Vec<_>>::new();
        while let Some(output) = self.channel.poll_output() {
            if let Output::Message { entry, prev, to } = output {
                for who in to {
                    delivered.entry(who).or_default().push((entry.seq(), prev));
                }
            }
        }
        delivered
    }

    fn outputs(&mut self) -> Vec<Output<&'static str>> {
        std::iter::from_fn(|| self.channel.poll_output()).collect()
    }
}

/// The connection `alice1` is alice's first one.
fn subscriber(who: &'static str) -> Subscriber<&'static str> {
    let user = who.trim_end_matches(|c: char| c.is_ascii_digit());
    Subscriber {
        to: who,
        user: Arc::new(User {
            user_id: UserId::new(user),
            name: user.to_owned(),
            role: Role::User,
            permissions: Vec::new(),
        }),
    }
}

fn plain() -> Subscribe {
    Subscribe::to(topic())
}

fn with_presence() -> Subscribe {
    Subscribe {
        presence: true,
        ..plain()
    }
}

fn only(field: &str, value: &str) -> Subscribe {
    Subscribe {
        params: SortedMap::from_iter([(field.to_owned(), Payload::parse(value).unwrap())]),
        ..plain()
    }
}

fn seqs(messages: &[Message]) -> Vec<Seq> {
    messages.iter().map(|message| message.seq).collect()
}

#[test]
fn a_subscription_begins_where_its_reply_says() {
    let mut room = Room::new(namespace());
    room.fill(3);
    let reply = room.subscribe("a", &plain());
    assert_eq!((reply.seq, reply.subscriber_count, reply.recovered), (3, 1, None));
    assert!(reply.messages.is_empty());
    assert!(room.delivered().is_empty());
    room.fill(2);
    assert_eq!(room.delivered()["a"], [(4, None), (5, None)]);
}

#[test]
fn subscribing_twice_changes_only_the_options() {
    let mut room = Room::new(namespace());
    room.subscribe("a", &plain());
    let again = room.subscribe("a", &only("k", "1"));
    assert_eq!(again.subscriber_count, 1);
    room.publish(r#"{"k":2}"#);
    room.publish(r#"{"k":1}"#);
    assert_eq!(room.delivered()["a"], [(2, Some(0))]);
}

#[test]
fn a_full_channel_refuses_one_more_but_not_who_is_in() {
    let mut room = Room::new(Namespace {
        max_subscribers: 1,
        ..namespace()
    });
    room.subscribe("a", &plain());
    let refused = room
        .channel
        .subscribe(ConnectionId::new("b"), subscriber("b"), &plain(), START_MS);
    assert_eq!(refused.unwrap_err().code, ErrorCode::SubscribeFailed);
    assert_eq!(room.subscribe("a", &plain()).subscriber_count, 1);
    assert!(room.channel.unsubscribe(&ConnectionId::new("a"), START_MS));
    assert_eq!(room.subscribe("b", &plain()).subscriber_count, 1);
}

#[test]
fn a_filter_passes_what_fits_and_says_what_it_skipped() {
    let mut room = Room::new(namespace());
    room.subscribe("a", &only("room", r#""x""#));
    room.subscribe("b", &plain());
    for value in ["x", "y", "x", "x", "y", "y", "x"] {
        room.publish(&format!(r#"{{"room":"{value}"}}"#));
    }
    let delivered = room.delivered();
    assert_eq!(delivered["a"], [(1, None), (3, Some(1)), (4, None), (7, Some(4))]);
    assert_eq!(delivered["b"].len(), 7);
    assert!(delivered["b"].iter().all(|(_, prev)| prev.is_none()));
}

#[test]
fn subscribers_with_the_same_prev_share_one_encoding() {
    let mut room = Room::new(namespace());
    for who in ["a", "b", "c"] {
        room.subscribe(who, &plain());
    }
    room.publish("1");
    let outputs = room.outputs();
    assert_eq!(outputs.len(), 1);
    assert!(matches!(&outputs[0], Output::Message { to, prev: None, .. } if to.len() == 3));
}

#[test]
fn a_message_that_expired_while_it_was_stored_is_not_delivered() {
    let mut room = Room::new(namespace());
    room.subscribe("a", &plain());
    let publish = Publish {
        ttl_ms: 50,
        ..Publish::new(topic(), Payload::parse("1").unwrap())
    };
    let key = MessageId::parse("k").unwrap();
    let draft = room
        .channel
        .begin_publish(publish, UserId::new("u"), key, START_MS, 1);
    let appended = room
        .stream
        .append(draft, Retention::of(&room.namespace), WINDOW_MS);
    let published = room.channel.finish_publish(Ok(appended), START_MS + 50).unwrap();
    assert_eq!((published.seq, published.delivered_to), (1, 0));
    room.publish("2");
    assert_eq!(room.delivered()["a"], [(2, Some(0))]);
}

#[test]
fn a_namespace_that_keeps_nothing_still_numbers_and_delivers() {
    let mut room = Room::new(Namespace {
        durability: Durability::None,
        ..namespace()
    });
    room.subscribe("a", &plain());
    room.fill(2);
    assert_eq!(room.delivered()["a"], [(1, None), (2, None)]);
    assert!(room.history(HistoryRange::Newest, 9).messages.is_empty());
    assert_eq!(room.recover("b", 1).reason, Some(NotRecovered::Trimmed));
    assert_eq!(room.recover("b", 2).recovered, Some(true));
    assert_eq!(room.channel.tail_bytes(), 0);
}

#[test]
fn a_seq_that_does_not_follow_is_a_gap_for_all_subscribers() {
    let mut room = Room::new(namespace());
    room.subscribe("a", &plain());
    room.publish("1");
    room.delivered();
    // The history holds a message that was never told: its commit was thought to have failed.
    let key = MessageId::parse("lost").unwrap();
    let publish = Publish::new(topic(), Payload::parse("2").unwrap());
    let lost = room
        .channel
        .begin_publish(publish, UserId::new("u"), key, START_MS, 9);
    room.stream
        .append(lost, Retention::of(&room.namespace), WINDOW_MS);
    let refused = Failure::new(ErrorCode::ServerError, "thought to have failed");
    assert!(room.channel.finish_publish(Err(refused), START_MS).is_err());
    assert_eq!(room.publish("3"), 3);
    let outputs = room.outputs();
    let [Output::Gap { gap, to }] = &outputs[..] else {
        panic!("{outputs:?}")
    };
    assert_eq!(
        (gap.seq, gap.epoch.as_str(), to.as_slice()),
        (3, "e1", &["a"][..])
    );
    assert_eq!(seqs(&room.recover("a", 1).messages), [2, 3]);
    room.publish("4");
    assert_eq!(room.delivered()["a"], [(4, None)]);
}

#[test]
fn a_message_that_only_seemed_to_fail_is_told_when_it_is_sent_again() {
    let mut room = Room::new(namespace());
    room.subscribe("a", &plain());
    let draft = |room: &mut Room| {
        let key = MessageId::parse("k").unwrap();
        let publish = Publish::new(topic(), Payload::parse("1").unwrap());
        room.channel
            .begin_publish(publish, UserId::new("u"), key, START_MS, 9)
    };
    let first = draft(&mut room);
    room.stream
        .append(first, Retention::of(&room.namespace), WINDOW_MS);
    let refused = Failure::new(ErrorCode::ServerError, "thought to have failed");
    assert!(room.channel.finish_publish(Err(refused), START_MS).is_err());
    let again = draft(&mut room);
    let appended = room
        .stream
        .append(again, Retention::of(&room.namespace), WINDOW_MS);
    let published = room.channel.finish_publish(Ok(appended), START_MS).unwrap();
    assert_eq!((published.seq, published.duplicate), (1, true));
    let outputs = room.outputs();
    let [Output::Gap { gap, .. }] = &outputs[..] else {
        panic!("{outputs:?}")
    };
    assert_eq!((gap.reason.as_str(), gap.seq), ("missed", 1));
    assert_eq!(seqs(&room.recover("a", 0).messages), [1]);
    room.publish("2");
    assert_eq!(room.delivered()["a"], [(2, None)]);
}

#[test]
fn another_epoch_is_a_gap_and_a_new_numbering() {
    let mut room = Room::new(namespace());
    room.subscribe("a", &plain());
    room.fill(3);
    room.outputs();
    room.stream = Stream::new(Epoch::new("e2"));
    assert_eq!(room.publish("1"), 1);
    let outputs = room.outputs();
    let [Output::Gap { gap, .. }] = &outputs[..] else {
        panic!("{outputs:?}")
    };
    assert_eq!(
        (gap.reason.as_str(), gap.seq, gap.epoch.as_str()),
        ("epoch_changed", 1, "e2")
    );
    room.publish("2");
    assert_eq!(room.delivered()["a"], [(2, None)]);
}

#[test]
fn a_duplicate_and_a_conflict_deliver_nothing() {
    let mut room = Room::new(namespace());
    room.subscribe("a", &plain());
    let mut publish = |payload: &str| {
        let publish = Publish::new(topic(), Payload::parse(payload).unwrap());
        let key = MessageId::parse("k").unwrap();
        let draft = room
            .channel
            .begin_publish(publish, UserId::new("u"), key, START_MS, 1);
        let appended = room
            .stream
            .append(draft, Retention::of(&room.namespace), WINDOW_MS);
        room.channel.finish_publish(Ok(appended), START_MS)
    };
    let first = publish("1").unwrap();
    assert_eq!((first.seq, first.delivered_to, first.duplicate), (1, 1, false));
    let again = publish("1").unwrap();
    assert_eq!(
        (&again.message_id, again.seq, again.duplicate),
        (&first.message_id, 1, true)
    );
    assert_eq!(publish("2").unwrap_err().code, ErrorCode::IdempotencyConflict);
    assert_eq!(room.delivered()["a"], [(1, None)]);
}
