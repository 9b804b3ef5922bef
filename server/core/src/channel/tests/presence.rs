//! Who is there, what is only said, and when nobody needs the channel.

use super::*;

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
        assert_eq!(reply.presence.map_or(0, |users| users.len()), listed);
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
