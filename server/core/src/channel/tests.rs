//! Sentences about one channel.

use std::collections::BTreeMap;
use std::sync::Arc;

use bmt_shared::channel::ChannelName;
use bmt_shared::error::ErrorCode;
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

use super::{
    Appended, Channel, FLAP_MS, Opened, Output, PAGE_BYTES, Paging, Retention, Stream, Subscriber,
    Subscribing, TAIL_MESSAGES,
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
        self.published += 1;
        let publish = Publish {
            ttl_ms,
            ..Publish::new(topic(), Payload::parse(payload).unwrap())
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
        params: BTreeMap::from([(field.to_owned(), Payload::parse(value).unwrap())]),
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
fn recovery_tells_all_that_was_missed() {
    for cold in [false, true] {
        let mut room = Room::new(namespace());
        room.fill(10);
        if cold {
            room = room.with_cold_tail();
        }
        let reply = room.recover("a", 4);
        assert_eq!(
            (reply.recovered, reply.seq, reply.reason),
            (Some(true), 10, None),
            "cold {cold}"
        );
        assert_eq!(seqs(&reply.messages), [5, 6, 7, 8, 9, 10]);
        let none = room.recover("b", 10);
        assert_eq!((none.recovered, none.messages.len()), (Some(true), 0));
        room.fill(1);
        assert_eq!(room.delivered()["a"], [(11, None)]);
    }
}

/// FAULTS 77.
#[test]
fn recovery_begins_exactly_at_the_oldest_message() {
    for cold in [false, true] {
        let mut room = Room::new(Namespace {
            history_size: 1_000,
            ..namespace()
        });
        room.fill(1_500);
        if cold {
            room = room.with_cold_tail();
        }
        let reply = room.recover("a", 500);
        assert_eq!(
            (reply.recovered, reply.messages.len()),
            (Some(true), 1_000),
            "cold {cold}"
        );
        assert_eq!(reply.messages[0].seq, 501);
        for lost in [499, 10, 0] {
            let reply = room.recover("b", lost);
            assert_eq!(reply.recovered, Some(false), "{lost}");
            assert_eq!(reply.reason, Some(NotRecovered::Trimmed), "{lost}");
            assert_eq!((reply.oldest_seq, reply.seq), (Some(501), 1_500));
            if !cold {
                assert_eq!(seqs(&reply.messages), (1_451..=1_500).collect::<Vec<_>>());
            }
        }
    }
}

#[test]
fn a_position_of_another_epoch_or_above_the_top_is_not_recovered() {
    let mut room = Room::new(namespace());
    room.fill(60);
    let mut since = |seq, epoch: &str| {
        let since = Some(Position {
            seq,
            epoch: Epoch::new(epoch),
        });
        let reply = room.subscribe("a", &Subscribe { since, ..plain() });
        (
            reply.recovered,
            reply.reason,
            reply.oldest_seq,
            reply.messages.len(),
        )
    };
    let page = |reason| (Some(false), Some(reason), Some(1), FALLBACK_PAGE);
    assert_eq!(since(3, "other"), page(NotRecovered::EpochChanged));
    assert_eq!(since(61, "e1"), page(NotRecovered::PositionAhead));
    assert_eq!(since(60, "e1").0, Some(true));
}

#[test]
fn more_than_a_recovery_may_hold_is_the_newest_page_and_never_a_part() {
    let mut room = Room::new(namespace());
    room.fill(RECOVERY_MESSAGES + 1);
    let reply = room.recover("a", 0);
    assert_eq!(
        (reply.reason, reply.messages.len()),
        (Some(NotRecovered::Limit), FALLBACK_PAGE)
    );
    assert_eq!(room.recover("a", 1).messages.len(), RECOVERY_MESSAGES);

    let mut large = Room::new(namespace());
    let payload = format!("\"{}\"", "x".repeat(60_000));
    for _ in 0..6 {
        large.publish(&payload);
    }
    let reply = large.recover("a", 0);
    assert_eq!(
        (reply.recovered, reply.reason),
        (Some(false), Some(NotRecovered::Limit))
    );
    let bytes: usize = reply
        .messages
        .iter()
        .map(|message| message.payload.size_bytes())
        .sum();
    assert!(
        bytes <= RECOVERY_BYTES && reply.messages.len() == 4,
        "{}",
        reply.messages.len()
    );
    assert_eq!(large.recover("a", 3).messages.len(), 3);
}

#[test]
fn a_recovery_whose_history_cannot_be_read_is_left_to_paging() {
    let mut room = Room::new(namespace());
    room.fill(10);
    room = room.with_cold_tail();
    room.fill(2);
    let since = Some(Position {
        seq: 3,
        epoch: Epoch::new("e1"),
    });
    let request = Subscribe { since, ..plain() };
    let subscribing = room
        .channel
        .subscribe(ConnectionId::new("a"), subscriber("a"), &request, START_MS);
    let Ok(Subscribing::Cold(cold)) = subscribing else {
        panic!("{subscribing:?}")
    };
    let reply = cold.finish(None);
    assert_eq!(
        (reply.recovered, reply.reason),
        (Some(false), Some(NotRecovered::Limit))
    );
    assert_eq!((seqs(&reply.messages), reply.seq), (vec![11, 12], 12));
}

#[test]
fn a_cold_recovery_covers_what_was_known_when_it_was_asked() {
    let mut room = Room::new(namespace());
    room.fill(10);
    room = room.with_cold_tail();
    let since = Some(Position {
        seq: 8,
        epoch: Epoch::new("e1"),
    });
    let request = Subscribe { since, ..plain() };
    let subscribing = room
        .channel
        .subscribe(ConnectionId::new("a"), subscriber("a"), &request, START_MS);
    let Ok(Subscribing::Cold(cold)) = subscribing else {
        panic!("{subscribing:?}")
    };
    // Published while the disk is read: delivered, and not in the reply.
    room.fill(2);
    let page = room.stream.read(cold.read());
    let reply = cold.finish(Some(&page));
    assert_eq!((seqs(&reply.messages), reply.seq), (vec![9, 10], 10));
    assert_eq!(room.delivered()["a"], [(11, None), (12, None)]);
}

#[test]
fn a_filtered_recovery_says_what_it_skipped() {
    let mut room = Room::new(namespace());
    for n in 0..6 {
        room.publish(&format!(r#"{{"even":{}}}"#, n % 2));
    }
    let since = Some(Position {
        seq: 1,
        epoch: Epoch::new("e1"),
    });
    let reply = room.subscribe(
        "a",
        &Subscribe {
            since,
            ..only("even", "0")
        },
    );
    let prevs: Vec<_> = reply
        .messages
        .iter()
        .map(|message| (message.seq, message.prev))
        .collect();
    assert_eq!(prevs, [(3, Some(1)), (5, Some(3))]);
    assert_eq!(reply.seq, 6);
    room.publish(r#"{"even":1}"#);
    room.publish(r#"{"even":0}"#);
    assert_eq!(room.delivered()["a"], [(8, Some(6))]);
}

#[test]
fn an_expired_message_is_skipped_everywhere() {
    let mut room = Room::new(namespace());
    room.subscribe("live", &plain());
    room.publish("1");
    room.publish_for("2", 100);
    room.publish("3");
    assert_eq!(room.delivered()["live"].len(), 3);
    room.now_ms += 100;
    let reply = room.recover("a", 0);
    let prevs: Vec<_> = reply
        .messages
        .iter()
        .map(|message| (message.seq, message.prev))
        .collect();
    assert_eq!(
        (reply.recovered, prevs),
        (Some(true), vec![(1, None), (3, Some(1))])
    );
    assert_eq!(seqs(&room.history(HistoryRange::Newest, 10).messages), [1, 3]);
    let newest = room.subscribe(
        "b",
        &Subscribe {
            history: Some(2),
            ..plain()
        },
    );
    assert_eq!(seqs(&newest.messages), [1, 3]);
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
fn the_newest_messages_come_with_the_subscription_where_asked_for() {
    for cold in [false, true] {
        let mut room = Room::new(namespace());
        room.fill(10);
        if cold {
            room = room.with_cold_tail();
        }
        let request = Subscribe {
            history: Some(3),
            ..plain()
        };
        let reply = room.subscribe("a", &request);
        assert_eq!((reply.recovered, seqs(&reply.messages)), (None, vec![8, 9, 10]));
        let all = Subscribe {
            history: Some(99),
            ..plain()
        };
        assert_eq!(room.subscribe("b", &all).messages.len(), 10);
    }
}

#[test]
fn pages_meet_without_a_hole_wherever_the_tail_begins() {
    for forgotten in [0, 7, TAIL_MESSAGES] {
        let mut room = Room::new(namespace());
        room.fill(25);
        let size = room.channel.tail_bytes() / 25;
        room.channel
            .shrink_tail(room.channel.tail_bytes().saturating_sub(forgotten * size));
        let mut found = Vec::new();
        loop {
            let page = room.history(HistoryRange::After(found.last().copied().unwrap_or(0)), 4);
            found.extend(seqs(&page.messages));
            if !page.has_more {
                break;
            }
        }
        assert_eq!(found, (1..=25).collect::<Vec<_>>(), "forgotten {forgotten}");
        let mut below = 26;
        let mut found = Vec::new();
        loop {
            let page = room.history(HistoryRange::Before(below), 4);
            assert_eq!(page.seq, 25);
            found.splice(0..0, seqs(&page.messages));
            below = found[0];
            if !page.has_more {
                break;
            }
        }
        assert_eq!(found, (1..=25).collect::<Vec<_>>(), "forgotten {forgotten}");
    }
}

#[test]
fn a_page_fits_into_an_outbox() {
    let mut room = Room::new(namespace());
    let payload = format!("\"{}\"", "x".repeat(60_000));
    for _ in 0..20 {
        room.publish(&payload);
    }
    let page = room.history(HistoryRange::Newest, 200);
    let bytes: usize = page
        .messages
        .iter()
        .map(|message| message.payload.size_bytes())
        .sum();
    assert!(bytes <= PAGE_BYTES && page.has_more, "{bytes}");
    assert_eq!(page.messages.last().unwrap().seq, 20);
}

#[test]
fn messages_leave_by_number_and_by_age() {
    let mut room = Room::new(Namespace {
        history_size: 3,
        history_ttl_ms: 1_000,
        ..namespace()
    });
    room.fill(5);
    assert_eq!(seqs(&room.history(HistoryRange::Newest, 9).messages), [3, 4, 5]);
    room.now_ms += 999;
    room.publish("1");
    assert_eq!(seqs(&room.history(HistoryRange::After(0), 9).messages), [4, 5, 6]);
    room.now_ms += 1;
    assert_eq!(seqs(&room.history(HistoryRange::After(0), 9).messages), [6]);
    let reply = room.recover("a", 4);
    assert_eq!(
        (reply.reason, reply.oldest_seq),
        (Some(NotRecovered::Trimmed), Some(6))
    );
    assert_eq!(room.recover("b", 5).recovered, Some(true));
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
    let refused = bmt_shared::error::Failure::new(ErrorCode::ServerError, "thought to have failed");
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

#[test]
fn presence_counts_users_and_tells_who_asked() {
    let mut room = Room::new(namespace());
    let reply = room.subscribe("alice1", &with_presence());
    assert_eq!(reply.presence.unwrap().len(), 1);
    room.subscribe("bob1", &plain());
    room.subscribe("bob2", &plain());
    let outputs = room.outputs();
    let [Output::Presence { change, to }] = &outputs[..] else {
        panic!("{outputs:?}")
    };
    assert_eq!(
        (change.action, change.user.user_id.as_str()),
        (PresenceAction::Join, "bob")
    );
    assert_eq!(to, &["alice1"]);
    let list = room.channel.presence();
    let bob = list
        .users
        .iter()
        .find(|user| user.user_id.as_str() == "bob")
        .unwrap();
    assert_eq!((list.count, bob.connections, bob.since), (2, 2, START_MS));
}

#[test]
fn a_leave_is_told_two_seconds_after_the_last_connection() {
    let mut room = Room::new(namespace());
    room.subscribe("alice1", &with_presence());
    for who in ["bob1", "bob2"] {
        room.subscribe(who, &plain());
    }
    room.outputs();
    for who in ["bob1", "bob2"] {
        room.channel.unsubscribe(&ConnectionId::new(who), START_MS);
    }
    assert_eq!(room.channel.poll_timeout(), Some(START_MS + FLAP_MS));
    room.channel.handle_timeout(START_MS + FLAP_MS - 1);
    assert!(room.outputs().is_empty());
    // A reload: back in time, and nobody hears of it.
    room.now_ms = START_MS + FLAP_MS - 1;
    room.subscribe("bob3", &plain());
    room.channel.handle_timeout(START_MS + 2 * FLAP_MS);
    assert!(room.outputs().is_empty());
    room.channel
        .unsubscribe(&ConnectionId::new("bob3"), START_MS + 3 * FLAP_MS);
    room.channel.handle_timeout(START_MS + 4 * FLAP_MS);
    let outputs = room.outputs();
    let [Output::Presence { change, .. }] = &outputs[..] else {
        panic!("{outputs:?}")
    };
    assert_eq!(change.action, PresenceAction::Leave);
    assert_eq!(room.channel.presence().count, 1);
}

#[test]
fn a_namespace_can_keep_presence_to_itself() {
    let quiet = Namespace {
        join_leave: false,
        ..namespace()
    };
    let none = Namespace {
        presence: false,
        ..namespace()
    };
    for (namespace, listed) in [(quiet, 2), (none, 0)] {
        let mut room = Room::new(namespace);
        room.subscribe("alice1", &with_presence());
        let reply = room.subscribe("bob1", &with_presence());
        assert_eq!(reply.presence.unwrap().len(), listed);
        assert!(room.outputs().is_empty());
    }
}

#[test]
fn a_signal_reaches_all_but_its_sender() {
    let mut room = Room::new(namespace());
    for who in ["a", "b", "c"] {
        room.subscribe(who, &plain());
    }
    let payload = Payload::parse("1").unwrap();
    room.channel
        .signal(UserId::new("u"), payload, Some(&ConnectionId::new("b")), START_MS);
    let outputs = room.outputs();
    let [Output::Signal { to, .. }] = &outputs[..] else {
        panic!("{outputs:?}")
    };
    assert_eq!(to, &["a", "c"]);
    assert_eq!(room.channel.position().seq, 0);
}

#[test]
fn a_channel_is_idle_when_nothing_needs_it() {
    let mut room = Room::new(namespace());
    assert_eq!(room.channel.idle_since_ms(), Some(START_MS));
    room.subscribe("a", &plain());
    assert_eq!(room.channel.idle_since_ms(), None);
    room.channel.unsubscribe(&ConnectionId::new("a"), START_MS + 10);
    // Its leave is still to be told.
    assert_eq!(room.channel.idle_since_ms(), None);
    room.channel.handle_timeout(START_MS + 10 + FLAP_MS);
    assert_eq!(room.channel.idle_since_ms(), Some(START_MS + 10));
    let publish = Publish::new(topic(), Payload::parse("1").unwrap());
    let key = MessageId::parse("k").unwrap();
    let draft = room
        .channel
        .begin_publish(publish, UserId::new("u"), key, START_MS, 1);
    assert_eq!(room.channel.idle_since_ms(), None);
    let appended = room
        .stream
        .append(draft, Retention::of(&room.namespace), WINDOW_MS);
    assert!(matches!(appended, Appended::Stored { .. }));
    room.channel.finish_publish(Ok(appended), START_MS + 99).unwrap();
    assert_eq!(room.channel.idle_since_ms(), Some(START_MS + 99));
}

#[test]
fn the_tail_stays_within_its_bounds() {
    let mut room = Room::new(namespace());
    room.fill(TAIL_MESSAGES + 50);
    assert!(room.channel.tail_bytes() <= RECOVERY_BYTES + TAIL_MESSAGES * super::ENVELOPE_BYTES);
    assert_eq!(room.recover("a", 50).messages.len(), TAIL_MESSAGES);
    room.channel.shrink_tail(0);
    assert_eq!(room.channel.tail_bytes(), 0);
    assert_eq!(
        room.recover("a", 50).messages.len(),
        TAIL_MESSAGES,
        "from the history"
    );
    let empty = Opened {
        epoch: Epoch::new("e"),
        top: 0,
        oldest: 1,
        newest: Vec::new(),
    };
    assert_eq!(
        Channel::<()>::new(topic(), &namespace(), empty, 0).tail_bytes(),
        0
    );
}
