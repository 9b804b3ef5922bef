//! Messages that are to be confirmed, in virtual time.

use bmt_shared::id::ServerMessageId;

use super::*;
use crate::channel::{Author, RESEND_MS, RESENDS, UNCONFIRMED};

/// Publishes a message of "ann" over the connection `by`; answers its id.
fn publish(room: &mut Room, by: &'static str, ttl_ms: u64) -> ServerMessageId {
    room.published += 1;
    let publish = Publish {
        require_delivery: true,
        ttl_ms,
        ..Publish::new(topic(), Payload::parse("1").unwrap())
    };
    let key = MessageId::parse(&format!("k{}", room.published)).unwrap();
    let random = u128::from(room.published);
    let draft = room
        .channel
        .begin_publish(publish, UserId::new("ann"), key, room.now_ms, random);
    let appended = room
        .stream
        .append(draft, Retention::of(&room.namespace), WINDOW_MS);
    let published = room.channel.finish_publish(Ok(appended), room.now_ms).unwrap();
    let author = Author {
        connection: Some(ConnectionId::new(by)),
        to: Some(by),
    };
    room.channel.await_delivery(published.seq, author, room.now_ms);
    published.message_id
}

fn join(room: &mut Room, connection: &'static str, user: &str) {
    let who = Subscriber {
        to: connection,
        ..subscriber(user.to_owned().leak())
    };
    room.channel
        .subscribe(ConnectionId::new(connection), who, &plain(), room.now_ms)
        .unwrap();
}

fn confirm(room: &mut Room, id: &ServerMessageId, connection: &str, user: &str) {
    let (connection, user) = (ConnectionId::new(connection), UserId::new(user));
    room.channel.confirm(id, &connection, &user, room.now_ms);
}

fn wait(room: &mut Room, ms: u64) {
    room.now_ms += ms;
    room.channel.handle_timeout(room.now_ms);
}

/// What goes out, in words: `1>b` is message 1 to "b", `1/2>p` is one confirmed and two pending to "p".
fn words(room: &mut Room) -> Vec<String> {
    let outputs = std::iter::from_fn(|| room.channel.poll_output());
    let words = outputs.filter_map(|output| match output {
        Output::Message { entry, to, .. } => Some(format!("{}>{}", entry.seq(), to.join(","))),
        Output::Delivery { delivery, to } => Some(format!(
            "{}/{}>{}",
            delivery.confirmed,
            delivery.pending,
            to.join(",")
        )),
        _ => None,
    });
    words.collect()
}

#[test]
fn who_does_not_confirm_is_sent_it_three_times_more() {
    let mut room = Room::new(namespace());
    join(&mut room, "b", "bob");
    join(&mut room, "c", "cid");
    let id = publish(&mut room, "p", 0);
    assert_eq!(words(&mut room), ["1>b,c"]);
    confirm(&mut room, &id, "b", "bob");
    assert_eq!(room.channel.poll_timeout(), Some(START_MS + RESEND_MS));
    wait(&mut room, RESEND_MS - 1);
    assert!(words(&mut room).is_empty());
    wait(&mut room, 1);
    assert_eq!(words(&mut room), ["1>c", "1/1>p"]);
    for _ in 1..RESENDS {
        wait(&mut room, RESEND_MS);
        assert_eq!(words(&mut room), ["1>c"], "nothing new is told");
    }
    wait(&mut room, RESEND_MS);
    assert!(words(&mut room).is_empty(), "it was told already how it ended");
    assert!(!room.channel.awaits(&id));
    assert_eq!(room.channel.poll_timeout(), None);
}

#[test]
fn when_all_have_confirmed_the_publisher_hears_at_once() {
    let mut room = Room::new(namespace());
    for (connection, user) in [("p", "ann"), ("b", "bob"), ("c", "cid")] {
        join(&mut room, connection, user);
    }
    let id = publish(&mut room, "p", 0);
    assert_eq!(words(&mut room), ["1>p,b,c"]);
    for _ in 0..2 {
        confirm(&mut room, &id, "b", "bob");
    }
    confirm(&mut room, &id, "nobody", "eve");
    assert!(
        words(&mut room).is_empty(),
        "its own connection owes nothing, \"c\" does"
    );
    confirm(&mut room, &id, "c", "cid");
    assert_eq!(words(&mut room), ["2/0>p"]);
    confirm(&mut room, &id, "c", "cid");
    wait(&mut room, 10 * RESEND_MS);
    assert!(words(&mut room).is_empty());
}

#[test]
fn without_a_subscriber_there_is_nothing_to_wait_for() {
    let mut room = Room::new(namespace());
    publish(&mut room, "p", 0);
    assert_eq!(words(&mut room), ["0/0>p"]);
    assert!(room.channel.idle_since_ms().is_some());
}

#[test]
fn a_reconnect_takes_over_what_the_old_connection_owed() {
    let mut room = Room::new(namespace());
    join(&mut room, "b1", "bob");
    let id = publish(&mut room, "p", 0);
    room.channel.unsubscribe(&ConnectionId::new("b1"), room.now_ms);
    wait(&mut room, RESEND_MS);
    assert_eq!(words(&mut room), ["1>b1", "0/1>p"], "away, and still owed");
    join(&mut room, "b2", "bob");
    wait(&mut room, RESEND_MS);
    assert_eq!(words(&mut room), ["1>b2"]);
    confirm(&mut room, &id, "b2", "bob");
    assert_eq!(words(&mut room), ["1/0>p"]);
}

#[test]
fn an_author_who_is_back_on_the_channel_hears_of_it_there() {
    let mut room = Room::new(namespace());
    join(&mut room, "p1", "ann");
    join(&mut room, "b", "bob");
    let id = publish(&mut room, "p1", 0);
    room.channel.unsubscribe(&ConnectionId::new("p1"), room.now_ms);
    join(&mut room, "p2", "ann");
    words(&mut room);
    confirm(&mut room, &id, "b", "bob");
    assert_eq!(words(&mut room), ["1/0>p2"]);
}

#[test]
fn an_expired_message_is_not_sent_again() {
    let mut room = Room::new(namespace());
    join(&mut room, "b", "bob");
    publish(&mut room, "p", 100);
    words(&mut room);
    wait(&mut room, RESEND_MS);
    assert_eq!(words(&mut room), ["0/1>p"]);
    assert_eq!(room.channel.poll_timeout(), None);
}

#[test]
fn beyond_the_bound_the_oldest_is_given_up() {
    let mut room = Room::new(namespace());
    join(&mut room, "b", "bob");
    let ids: Vec<_> = (0..=UNCONFIRMED).map(|_| publish(&mut room, "p", 0)).collect();
    assert!(!room.channel.awaits(&ids[0]) && room.channel.awaits(&ids[1]));
    assert_eq!(
        words(&mut room).iter().filter(|word| word.contains('/')).count(),
        1
    );
}

#[test]
fn a_channel_with_something_unconfirmed_stays_in_memory() {
    let mut room = Room::new(namespace());
    join(&mut room, "b", "bob");
    publish(&mut room, "p", 0);
    room.channel.unsubscribe(&ConnectionId::new("b"), room.now_ms);
    wait(&mut room, FLAP_MS);
    assert_eq!(room.channel.idle_since_ms(), None);
    for _ in 0..=RESENDS {
        wait(&mut room, RESEND_MS);
    }
    assert_eq!(room.channel.idle_since_ms(), Some(room.now_ms));
}
