//! Read positions, receipts and what is left unread.

use bmt_shared::reply::{ReadTo, Reader};

use super::*;
use crate::channel::{Marking, RECEIPT_SUBSCRIBERS};

fn mark(room: &mut Room, who: &str, seq: Seq) -> Result<ReadTo, Failure> {
    match room.channel.begin_read(UserId::new(who), seq, room.now_ms) {
        Marking::Known(read) => Ok(read),
        Marking::Keep(mark) => {
            room.stream.mark(mark.clone());
            let by = ConnectionId::new(who);
            room.channel.finish_read(mark, Some(&by), Ok(()), room.now_ms)
        }
    }
}

fn receipts(room: &mut Room) -> Vec<(String, Seq, Vec<&'static str>)> {
    let outputs = std::iter::from_fn(|| room.channel.poll_output());
    let receipts = outputs.filter_map(|output| match output {
        Output::Receipt { receipt, to } => Some((receipt.user_id.as_str().to_owned(), receipt.seq, to)),
        _ => None,
    });
    receipts.collect()
}

#[test]
fn a_position_moves_up_to_the_newest_message_and_never_back() {
    let mut room = Room::new(namespace());
    room.fill(3);
    let to = |seq, unread| ReadTo {
        topic: topic(),
        seq,
        unread,
    };
    assert_eq!(mark(&mut room, "a", 2), Ok(to(2, 1)));
    assert_eq!(mark(&mut room, "a", 1), Ok(to(2, 1)));
    assert_eq!(mark(&mut room, "a", 99), Ok(to(3, 0)));
    let mut empty = Room::new(namespace());
    assert_eq!(mark(&mut empty, "a", 9), Ok(to(0, 0)));
}

#[test]
fn the_others_hear_of_it_once_it_is_kept_and_the_asker_has_the_reply() {
    let mut room = Room::new(namespace());
    room.fill(3);
    for who in ["a", "b"] {
        room.subscribe(who, &plain());
    }
    let Marking::Keep(kept) = room.channel.begin_read(UserId::new("a"), 2, room.now_ms) else {
        panic!("it is new")
    };
    assert!(
        receipts(&mut room).is_empty(),
        "nothing is told before it is kept"
    );
    let by = ConnectionId::new("a");
    room.channel
        .finish_read(kept, Some(&by), Ok(()), room.now_ms)
        .unwrap();
    assert_eq!(receipts(&mut room), [("a".to_owned(), 2, vec!["b"])]);
    mark(&mut room, "a", 2).unwrap();
    assert!(receipts(&mut room).is_empty(), "it did not move");
}

#[test]
fn a_position_that_was_not_kept_did_not_move() {
    let mut room = Room::new(namespace());
    room.fill(3);
    room.subscribe("b", &plain());
    let Marking::Keep(lost) = room.channel.begin_read(UserId::new("a"), 2, room.now_ms) else {
        panic!("it is new")
    };
    let failure = Failure::new(ErrorCode::ServerError, "the disk is full");
    let refused = room
        .channel
        .finish_read(lost, None, Err(failure.clone()), room.now_ms);
    assert_eq!(refused, Err(failure));
    assert!(receipts(&mut room).is_empty());
    assert_eq!(room.subscribe("a", &plain()).read_seq, 0);
}

#[test]
fn answers_that_come_in_a_row_end_at_the_highest() {
    let mut room = Room::new(namespace());
    room.fill(5);
    let marks = [4, 2, 5].map(|seq| room.channel.begin_read(UserId::new("a"), seq, room.now_ms));
    let reached = marks.map(|marking| {
        let Marking::Keep(mark) = marking else { panic!() };
        let read = room.channel.finish_read(mark, None, Ok(()), room.now_ms);
        read.unwrap().seq
    });
    assert_eq!(reached, [4, 4, 5]);
    assert!(room.channel.idle_since_ms().is_some());
}

#[test]
fn a_subscription_tells_the_users_own_position_and_what_is_unread() {
    let mut room = Room::new(namespace());
    room.fill(5);
    mark(&mut room, "a", 3).unwrap();
    let reply = room.subscribe("a", &plain());
    assert_eq!((reply.read_seq, reply.unread), (3, 2));
    // "u" wrote them all: nothing of that is unread to its author.
    let own = room.subscribe("u", &plain());
    assert_eq!((own.read_seq, own.unread), (0, 0));
    // Behind a cold tail each number counts.
    room = room.with_cold_tail();
    let reply = room.subscribe("a", &plain());
    assert_eq!((reply.read_seq, reply.unread), (3, 2));
}

#[test]
fn what_is_not_kept_any_more_is_not_unread() {
    let mut room = Room::new(Namespace {
        history_size: 4,
        ..namespace()
    });
    room.fill(10);
    assert_eq!(room.subscribe("a", &plain()).unread, 4);
    room.publish_for("1", 10);
    room.now_ms += 10;
    assert_eq!(room.subscribe("b", &plain()).unread, 3);
}

#[test]
fn who_asks_is_told_how_far_the_others_have_read() {
    let mut room = Room::new(namespace());
    room.fill(5);
    mark(&mut room, "b", 5).unwrap();
    mark(&mut room, "a", 3).unwrap();
    assert_eq!(room.subscribe("c", &plain()).readers, None);
    let asked = Subscribe {
        readers: true,
        ..plain()
    };
    let reader = |who: &str, seq| Reader {
        user_id: UserId::new(who),
        seq,
    };
    assert_eq!(
        room.subscribe("c", &asked).readers,
        Some(Box::from([reader("a", 3), reader("b", 5)]))
    );
}

#[test]
fn in_a_crowd_a_receipt_goes_to_the_users_own_connections() {
    let mut room = Room::new(namespace());
    room.fill(1);
    for n in 0..RECEIPT_SUBSCRIBERS {
        let id = ConnectionId::new(&format!("c{n}"));
        let one = room
            .channel
            .subscribe(id, subscriber("crowd"), &plain(), room.now_ms);
        one.unwrap();
    }
    let second = ConnectionId::new("second");
    let one = room
        .channel
        .subscribe(second, subscriber("a"), &plain(), room.now_ms);
    one.unwrap();
    mark(&mut room, "a", 1).unwrap();
    assert_eq!(receipts(&mut room), [("a".to_owned(), 1, vec!["a"])]);
}
