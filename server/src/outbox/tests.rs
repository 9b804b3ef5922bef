//! Order, places and bounds.

use std::sync::Arc;
use std::thread;

use bmt_shared::channel::ChannelName;
use bmt_shared::event::{Closing, HeartbeatAck, ServerEvent};
use bmt_shared::id::{MessageId, ServerMessageId, UserId};
use bmt_shared::message::{Message, MessageKind, Priority, Reactions};
use bmt_shared::payload::Payload;
use bmt_shared::reply::Reply;
use proptest::prelude::*;
use tokio::time::{Duration, Instant, advance};

use super::{Bounds, Encoded, Next, Outbox, Outgoing, ReplyTo};

const LARGE: Bounds = Bounds {
    bytes: 1_024 * 1_024,
    entries: 8_192,
};

fn outbox() -> Outbox {
    Outbox::new(LARGE)
}

fn bounded(entries: usize) -> Outbox {
    Outbox::new(Bounds { bytes: 0, entries })
}

fn message(topic: &str, seq: u64, priority: Priority) -> Outgoing {
    let event = ServerEvent::Message(Message {
        id: ServerMessageId::new("id"),
        topic: ChannelName::parse(topic).unwrap(),
        kind: MessageKind::Event,
        payload: Payload::parse("1").unwrap(),
        timestamp: 0,
        from: UserId::new("u"),
        seq,
        client_message_id: None,
        prev: None,
        edited: None,
        deleted: false,
        reactions: Reactions::default(),
        require_delivery: false,
    });
    Outgoing::Event(Arc::new(Encoded::with_priority(event, priority)))
}

fn normal(seq: u64) -> Outgoing {
    message("a", seq, Priority::Normal)
}

fn reply(call: u64) -> Outgoing {
    let to = ReplyTo {
        message_id: MessageId::parse("m").unwrap(),
        call,
    };
    Outgoing::Reply(to, Reply::Done)
}

fn close() -> Outgoing {
    Outgoing::Close(Closing {
        code: 1012,
        reason: "restart".to_owned(),
        retry_after_ms: Some(1),
    })
}

/// A word for each thing that can be sent now: `a1` a message, `r1` a reply, `close`.
fn sendable(outbox: &Outbox) -> Vec<String> {
    let mut sent = Vec::new();
    while let Next::Send(outgoing) = outbox.next() {
        sent.push(match outgoing {
            Outgoing::Event(event) => match event.event() {
                ServerEvent::Message(message) => format!("{}{}", message.topic, message.seq),
                other => other.name().to_owned(),
            },
            Outgoing::Reply(to, _) => format!("r{}", to.call),
            Outgoing::Close(_) => "close".to_owned(),
        });
    }
    sent
}

#[test]
fn what_is_pushed_comes_out_in_order() {
    let outbox = outbox();
    outbox.push(normal(1));
    outbox.push(reply(1));
    outbox.push(normal(2));
    assert_eq!(sendable(&outbox), ["a1", "r1", "a2"]);
    assert_eq!(outbox.load(), (0, 0));
}

#[test]
fn what_comes_after_a_slot_waits_for_it() {
    let outbox = outbox();
    outbox.push(normal(1));
    let [first, second] = [outbox.reserve(), outbox.reserve()];
    outbox.push(normal(2));
    assert_eq!(sendable(&outbox), ["a1"]);
    second.fill(reply(2));
    assert!(sendable(&outbox).is_empty());
    first.fill(reply(1));
    assert_eq!(sendable(&outbox), ["r1", "r2", "a2"]);
}

#[test]
fn a_slot_that_is_dropped_holds_nothing_up() {
    let outbox = outbox();
    let slots: Vec<_> = (0..3).map(|_| outbox.reserve()).collect();
    outbox.push(normal(1));
    drop(slots);
    assert_eq!(sendable(&outbox), ["a1"]);
}

#[test]
fn urgent_messages_pass_other_channels_and_nothing_else() {
    let outbox = outbox();
    let high = |topic, seq| message(topic, seq, Priority::High);
    outbox.push(message("b", 1, Priority::Low));
    outbox.push(message("b", 2, Priority::Normal));
    outbox.push(high("a", 1));
    outbox.push(high("a", 2));
    assert_eq!(sendable(&outbox), ["a1", "a2", "b1", "b2"]);

    // Not its own channel, not a reply, not a slot, not what belongs to no channel.
    outbox.push(normal(3));
    outbox.push(high("a", 4));
    assert_eq!(sendable(&outbox), ["a3", "a4"]);
    outbox.push(reply(1));
    outbox.push(high("a", 5));
    let heartbeat = ServerEvent::HeartbeatAck(HeartbeatAck { timestamp: 1 });
    outbox.push(Outgoing::Event(Arc::new(Encoded::new(heartbeat))));
    outbox.push(high("a", 6));
    assert_eq!(sendable(&outbox), ["r1", "a5", "heartbeat_ack", "a6"]);
    let slot = outbox.reserve();
    outbox.push(message("b", 3, Priority::Normal));
    outbox.push(high("a", 7));
    slot.fill(reply(2));
    assert_eq!(sendable(&outbox), ["r2", "a7", "b3"]);
}

#[test]
fn at_the_bound_low_priority_goes_first() {
    let outbox = bounded(4);
    for seq in [1, 3] {
        outbox.push(message("low", seq, Priority::Low));
        outbox.push(normal(seq));
    }
    outbox.push(normal(4));
    assert_eq!(sendable(&outbox), ["a1", "a3", "a4"]);
}

#[test]
fn after_the_bound_low_priority_stays_out_until_half_is_sent() {
    let outbox = bounded(4);
    for seq in 1..=4 {
        outbox.push(normal(seq));
    }
    outbox.push(message("low", 1, Priority::Low));
    assert!(matches!(outbox.next(), Next::Send(_)));
    outbox.push(message("low", 2, Priority::Low));
    assert_eq!(outbox.load().0, 3);
    assert!(matches!(outbox.next(), Next::Send(_)));
    outbox.push(message("low", 3, Priority::Low));
    assert_eq!(sendable(&outbox), ["a3", "a4", "low3"]);
}

#[test]
fn behind_a_slot_low_priority_does_not_pile_up() {
    let outbox = bounded(4);
    let slot = outbox.reserve();
    for seq in 0..10_000 {
        outbox.push(message("low", seq, Priority::Low));
    }
    assert!(outbox.load().0 <= 4);
    slot.fill(reply(1));
    assert_eq!(sendable(&outbox)[0], "r1");
}

#[test]
fn what_may_not_be_dropped_overflows() {
    for outbox in [
        bounded(3),
        Outbox::new(Bounds {
            bytes: 800,
            entries: 0,
        }),
    ] {
        for seq in 1..=4 {
            outbox.push(normal(seq));
        }
        assert!(matches!(outbox.next(), Next::Overflowed));
        // From now on it holds nothing, whatever comes.
        let slot = outbox.reserve();
        outbox.push(normal(5));
        slot.fill(reply(1));
        assert_eq!(outbox.load(), (0, 0));
        assert!(matches!(outbox.next(), Next::Overflowed));
    }
}

#[test]
fn a_slot_from_before_the_overflow_is_harmless() {
    let outbox = bounded(2);
    let slot = outbox.reserve();
    for seq in 1..=3 {
        outbox.push(normal(seq));
    }
    slot.fill(reply(1));
    assert_eq!(outbox.load(), (0, 0));
    assert!(matches!(outbox.next(), Next::Overflowed));
}

#[test]
fn without_bounds_everything_waits() {
    let outbox = Outbox::new(Bounds { bytes: 0, entries: 0 });
    for seq in 0..20_000 {
        outbox.push(normal(seq));
    }
    assert_eq!(sendable(&outbox).len(), 20_000);
}

#[test]
fn a_close_is_the_last_thing_and_what_was_owed_comes_before() {
    let outbox = outbox();
    let slot = outbox.reserve();
    outbox.push(close());
    outbox.push(normal(1));
    let late = outbox.reserve();
    late.fill(reply(2));
    slot.fill(reply(1));
    assert_eq!(sendable(&outbox), ["r1", "close"]);
}

#[tokio::test]
async fn the_writer_is_woken_by_a_push_a_fill_and_an_overflow() {
    let outbox = bounded(3);
    let pushing = outbox.clone();
    let pusher = thread::spawn(move || pushing.push(normal(1)));
    outbox.ready().await;
    pusher.join().unwrap();
    assert_eq!(sendable(&outbox), ["a1"]);
    let slot = outbox.reserve();
    let filler = thread::spawn(move || slot.fill(reply(1)));
    outbox.ready().await;
    filler.join().unwrap();
    assert_eq!(sendable(&outbox), ["r1"]);
    let pushing = outbox.clone();
    let pusher = thread::spawn(move || (0..9).for_each(|seq| pushing.push(normal(seq))));
    pusher.join().unwrap();
    outbox.ready().await;
    assert!(matches!(outbox.next(), Next::Overflowed));
}

proptest! {
    /// Whatever is pushed, reserved, filled and given up: each channel's messages keep their order, replies keep
    /// theirs, and once every slot is filled everything comes out.
    #[test]
    fn order_holds_within_each_channel(
        steps in prop::collection::vec((0..6_u8, 0..3_usize), 0..120),
    ) {
        let outbox = outbox();
        let (mut slots, mut seqs, mut calls) = (Vec::new(), [0_u64; 3], 0);
        let (mut sent, mut owed) = (Vec::new(), 0);
        for (step, at) in steps {
            match step {
                0..=2 => {
                    seqs[at] += 1;
                    owed += 1;
                    let priority = [Priority::Low, Priority::Normal, Priority::High][usize::from(step)];
                    outbox.push(message(["a", "b", "c"][at], seqs[at], priority));
                }
                3 => {
                    calls += 1;
                    slots.push((calls, outbox.reserve()));
                }
                4 if at < slots.len() => {
                    let (call, slot) = slots.swap_remove(at);
                    owed += 1;
                    slot.fill(reply(call));
                }
                5 if at < slots.len() => drop(slots.swap_remove(at)),
                _ => sent.extend(sendable(&outbox)),
            }
        }
        drop(slots);
        sent.extend(sendable(&outbox));
        prop_assert_eq!(sent.len(), owed);
        prop_assert_eq!(outbox.load(), (0, 0));
        for kind in ["a", "b", "c", "r"] {
            let numbers: Vec<u64> = sent
                .iter()
                .filter_map(|word| word.strip_prefix(kind)?.parse().ok())
                .collect();
            prop_assert!(numbers.is_sorted(), "{}: {:?}", kind, numbers);
        }
    }
}

#[test]
fn while_low_priority_is_shed_requests_are_still_answered() {
    let outbox = bounded(2);
    for seq in 1..=3 {
        outbox.push(message("a", seq, Priority::Low));
    }
    outbox.push(normal(4));
    assert!(outbox.is_open(), "a reply would be sent");
    outbox.push(reply(1));
    assert_eq!(sendable(&outbox).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_close_does_not_wait_for_ever_for_what_is_before_it() {
    let grace = std::time::Duration::from_secs(1);
    let outbox = outbox();
    let _never = outbox.reserve();
    outbox.push(normal(1));
    let waiting = tokio::time::timeout(10 * grace, outbox.overdue(grace));
    assert!(waiting.await.is_err(), "nobody has closed it");
    outbox.push(close());
    assert!(matches!(outbox.next(), Next::Wait));
    tokio::time::timeout(2 * grace, outbox.overdue(grace))
        .await
        .unwrap();
    assert!(matches!(outbox.skip_to_close(), Next::Send(Outgoing::Close(_))));
    assert!(matches!(outbox.skip_to_close(), Next::Wait));
    assert_eq!(outbox.load(), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn an_overflow_does_not_wait_for_the_writer() {
    let grace = std::time::Duration::from_secs(1);
    let outbox = bounded(1);
    outbox.push(normal(1));
    outbox.push(normal(2));
    tokio::time::timeout(2 * grace, outbox.overdue(grace))
        .await
        .unwrap();
    assert!(matches!(outbox.skip_to_close(), Next::Overflowed));
}

/// A message that is sent within the next so many seconds, or not at all.
fn lasting(topic: &str, seq: u64, prev: Option<u64>, seconds: u64) -> Outgoing {
    let Outgoing::Event(event) = message(topic, seq, Priority::Normal) else {
        unreachable!("a message is an event")
    };
    let ServerEvent::Message(message) = event.event().clone() else {
        unreachable!("of that kind")
    };
    let event = ServerEvent::Message(Message { prev, ..message });
    let ends_at = Instant::now() + Duration::from_secs(seconds);
    Outgoing::Event(Arc::new(Encoded::new(event).until(Some(ends_at))))
}

/// What can be sent now: the channel, the seq, and the `prev` as it stands on the wire.
fn places(outbox: &Outbox) -> Vec<(String, u64, Option<u64>)> {
    let mut sent = Vec::new();
    while let Next::Send(Outgoing::Event(event)) = outbox.next() {
        let body: serde_json::Value = serde_json::from_str(event.body().get()).unwrap();
        let topic = body["topic"].as_str().unwrap().to_owned();
        sent.push((topic, body["seq"].as_u64().unwrap(), body["prev"].as_u64()));
    }
    sent
}

#[tokio::test(start_paused = true)]
async fn a_message_whose_time_is_over_is_not_sent_and_the_next_one_says_so() {
    let outbox = outbox();
    outbox.push(normal(4));
    for seq in 5..=6 {
        outbox.push(lasting("a", seq, None, 1));
    }
    outbox.push(message("b", 9, Priority::Normal));
    outbox.push(normal(7));
    outbox.push(normal(8));
    advance(Duration::from_secs(1)).await;
    let expected = [("a", 4, None), ("b", 9, None), ("a", 7, Some(4)), ("a", 8, None)];
    let expected = expected.map(|(topic, seq, prev)| (topic.to_owned(), seq, prev));
    assert_eq!(places(&outbox), expected);
    assert_eq!(outbox.load(), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_in_time_is_sent_as_it_is() {
    let outbox = outbox();
    outbox.push(lasting("a", 5, None, 2));
    outbox.push(lasting("a", 6, None, 2));
    advance(Duration::from_secs(1)).await;
    let expected = [("a".to_owned(), 5, None), ("a".to_owned(), 6, None)];
    assert_eq!(places(&outbox), expected);
}

#[tokio::test(start_paused = true)]
async fn an_outbox_of_nothing_but_late_messages_has_nothing_to_send() {
    let outbox = outbox();
    outbox.push(lasting("a", 5, Some(2), 1));
    advance(Duration::from_secs(2)).await;
    assert!(matches!(outbox.next(), Next::Wait));
    assert_eq!(outbox.load(), (0, 0));
    outbox.push(normal(6));
    assert_eq!(
        places(&outbox),
        [("a".to_owned(), 6, Some(2))],
        "told by the next, whenever it comes"
    );
}

#[tokio::test(start_paused = true)]
async fn a_message_that_was_dropped_stays_a_gap_behind_one_that_was_late() {
    let outbox = outbox();
    outbox.push(lasting("a", 5, None, 1));
    // 6 was dropped for slowness: nothing that follows may cover it.
    outbox.push(lasting("a", 7, None, 1));
    outbox.push(normal(8));
    advance(Duration::from_secs(1)).await;
    assert_eq!(
        places(&outbox),
        [("a".to_owned(), 8, Some(6))],
        "the reader stands at 4, and sees it"
    );
    outbox.push(lasting("a", 9, None, 1));
    outbox.push(normal(11));
    advance(Duration::from_secs(1)).await;
    assert_eq!(
        places(&outbox),
        [("a".to_owned(), 11, None)],
        "the reader stands at 8, and misses 10"
    );
}

#[tokio::test(start_paused = true)]
async fn a_late_repetition_of_what_was_sent_moves_nothing() {
    let outbox = outbox();
    outbox.push(lasting("a", 9, None, 1));
    outbox.push(lasting("a", 5, None, 1));
    outbox.push(normal(10));
    advance(Duration::from_secs(1)).await;
    assert_eq!(places(&outbox), [("a".to_owned(), 10, Some(8))]);
}
