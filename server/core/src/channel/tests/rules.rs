//! Rules that change while a channel is in use.

use super::*;

#[test]
fn a_shorter_history_holds_at_once_and_a_longer_one_from_then_on() {
    let mut room = Room::new(namespace());
    for n in 1..=10 {
        room.publish(&n.to_string());
    }
    let shorter = Namespace {
        history_size: 3,
        ..namespace()
    };
    room.channel.change_rules(&shorter, room.now_ms);
    assert_eq!(room.channel.about().messages, 3);
    room.namespace = namespace();
    room.channel.change_rules(&namespace(), room.now_ms);
    room.publish("11");
    assert_eq!(room.channel.about().messages, 4);
}

#[test]
fn presence_that_is_switched_on_counts_who_is_there_and_tells_no_joins() {
    let without = Namespace {
        presence: false,
        ..namespace()
    };
    let mut room = Room::new(without.clone());
    room.subscribe("a", &plain());
    assert_eq!(room.channel.presence().count, 0);
    room.channel.change_rules(&namespace(), room.now_ms);
    assert_eq!(room.channel.presence().count, 1);
    assert!(room.channel.poll_output().is_none());
    room.channel.change_rules(&without, room.now_ms);
    assert_eq!(room.channel.presence().count, 0);
    assert_eq!(room.channel.poll_timeout(), None);
}

#[test]
fn a_lower_limit_of_subscribers_ends_nobody_and_lets_nobody_in() {
    let mut room = Room::new(namespace());
    room.subscribe("a", &plain());
    room.subscribe("b", &plain());
    let fewer = Namespace {
        max_subscribers: 1,
        ..namespace()
    };
    room.channel.change_rules(&fewer, room.now_ms);
    assert_eq!(room.channel.subscriber_count(), 2);
    let refused = room
        .channel
        .subscribe(ConnectionId::new("c"), subscriber("c"), &plain(), START_MS);
    assert_eq!(refused.unwrap_err().code, ErrorCode::SubscribeFailed);
}
