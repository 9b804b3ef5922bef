//! What a subscriber gets of the past.

use super::*;

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
fn the_tail_stays_within_its_bounds() {
    let mut room = Room::new(namespace());
    room.fill(TAIL_MESSAGES + 50);
    assert!(room.channel.tail_bytes() <= TAIL_BYTES);
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
        readers: Vec::new(),
        created_ms: None,
    };
    assert_eq!(
        Channel::<()>::new(topic(), &namespace(), empty, 0).tail_bytes(),
        0
    );
}

/// Official clients close the connection on a packet of more parts, and would come back to the same reply.
#[test]
fn a_recovery_of_more_binary_parts_than_a_reply_may_hold_is_left_to_pages() {
    for cold in [false, true] {
        let mut room = Room::new(namespace());
        for parts in [4, 4, 0, 4, 4, 0] {
            room.publish_parts(parts);
        }
        if cold {
            room = room.with_cold_tail();
        }
        let whole = room.recover("a", 3);
        assert_eq!(
            (whole.recovered, seqs(&whole.messages)),
            (Some(true), vec![4, 5, 6])
        );
        let left = room.recover("b", 1);
        assert_eq!(
            (left.recovered, left.reason),
            (Some(false), Some(NotRecovered::Limit)),
            "cold {cold}"
        );
        if !cold {
            assert_eq!(seqs(&left.messages), [3, 4, 5, 6]);
        }
        let request = Subscribe {
            history: Some(50),
            ..plain()
        };
        assert_eq!(seqs(&room.subscribe("c", &request).messages), [3, 4, 5, 6]);
    }
}
