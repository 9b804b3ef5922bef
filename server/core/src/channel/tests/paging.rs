//! Pages, and what is no longer kept.

use super::*;

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
fn a_page_holds_no_more_binary_parts_than_a_reply_may() {
    for cold in [false, true] {
        let mut room = Room::new(namespace());
        for parts in [4, 4, 0, 4, 11, 0, 1] {
            room.publish_parts(parts);
        }
        if cold {
            room = room.with_cold_tail();
        }
        let mut pages = Vec::new();
        let mut after = 0;
        loop {
            let page = room.history(HistoryRange::After(after), 50);
            after = page.messages.last().unwrap().seq;
            pages.push(seqs(&page.messages));
            if !page.has_more {
                break;
            }
        }
        // A message that has more by itself is given all the same: else its reader would never get past it.
        assert_eq!(
            pages,
            [vec![1, 2, 3], vec![4], vec![5], vec![6, 7]],
            "cold {cold}"
        );
        let newest = room.history(HistoryRange::Newest, 50);
        assert_eq!((seqs(&newest.messages), newest.has_more), (vec![6, 7], true));
        let before = room.history(HistoryRange::Before(5), 50);
        assert_eq!((seqs(&before.messages), before.has_more), (vec![2, 3, 4], true));
    }
}
