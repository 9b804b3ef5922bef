//! The window holds what it promises.

use bmt_shared::channel::ChannelName;
use bmt_shared::message::{MessageKind, Reactions};

use super::items::{Item, Shown};
use super::*;

fn me() -> UserId {
    UserId::new("me")
}

fn message(seq: Seq, from: &str) -> Message<Payload> {
    Message {
        id: ServerMessageId::new(&format!("s{seq}")),
        topic: ChannelName::parse("public:x").unwrap(),
        kind: MessageKind::Event,
        payload: Payload::parse(&format!(r#"{{"type":"text","content":"m{seq}"}}"#)).unwrap(),
        timestamp: seq * 60_000,
        from: UserId::new(from),
        seq,
        client_message_id: None,
        prev: None,
        edited: None,
        deleted: false,
        reactions: Reactions::default(),
        require_delivery: false,
    }
}

fn own(seq: Seq, id: &str) -> Message<Payload> {
    Message {
        client_message_id: Some(MessageId::parse(id).unwrap()),
        ..message(seq, "me")
    }
}

fn range(from: Seq, to: Seq) -> Vec<Message<Payload>> {
    (from..=to).map(|seq| message(seq, "you")).collect()
}

fn loaded(messages: &[Message<Payload>], has_more: bool) -> Timeline {
    let mut timeline = Timeline::at_newest();
    timeline.replace(Page { messages, has_more }, &Epoch::new("e"), &me());
    timeline
}

fn seqs(timeline: &Timeline) -> Vec<Seq> {
    timeline.sent().iter().filter_map(|row| row.seq).collect()
}

fn shown(timeline: &Timeline) -> Vec<Shown> {
    timeline
        .items(&me(), |at| i64::try_from(at / 86_400_000).unwrap())
        .into_iter()
        .filter_map(|item| match item {
            Item::Message(shown) => Some(shown),
            Item::Day(..) => None,
        })
        .collect()
}

#[test]
fn a_written_row_becomes_sent_under_the_same_key_by_its_ack() {
    let mut timeline = loaded(&range(1, 2), false);
    let id = MessageId::parse("msg_1").unwrap();
    timeline.write(Row::written(id.clone(), &me(), "hi", 5));
    let before = shown(&timeline).pop().unwrap();
    assert_eq!(before.row.state, RowState::Sending);
    timeline.settle(&id, &ServerMessageId::new("s3"), 3);
    let after = shown(&timeline).pop().unwrap();
    assert_eq!((after.row.key, after.row.state), (before.row.key, RowState::Sent));
    assert_eq!(seqs(&timeline), [1, 2, 3]);
    assert!(!timeline.take(&own(3, "msg_1"), &me()), "its own copy is no news");
    assert_eq!(seqs(&timeline), [1, 2, 3]);
}

#[test]
fn a_written_row_becomes_sent_by_its_own_copy_even_before_the_ack() {
    let mut timeline = loaded(&[], false);
    let id = MessageId::parse("msg_1").unwrap();
    timeline.write(Row::written(id.clone(), &me(), "hi", 5));
    assert!(timeline.take(&own(1, "msg_1"), &me()));
    assert!(timeline.pending().is_empty());
    assert_eq!(timeline.sent()[0].key, RowKey::Own(id.clone()));
    timeline.settle(&id, &ServerMessageId::new("s1"), 1);
    assert_eq!(seqs(&timeline), [1]);
}

#[test]
fn the_client_made_id_of_somebody_else_settles_nothing() {
    let mut timeline = loaded(&[], false);
    timeline.write(Row::written(MessageId::parse("msg_1").unwrap(), &me(), "hi", 5));
    let theirs = Message {
        from: UserId::new("you"),
        ..own(1, "msg_1")
    };
    timeline.take(&theirs, &me());
    assert_eq!(timeline.pending().len(), 1);
    assert_eq!(timeline.sent().len(), 1);
}

#[test]
fn a_refused_row_keeps_its_text_and_is_sent_again_under_the_same_id() {
    let mut timeline = loaded(&[], false);
    let id = MessageId::parse("msg_1").unwrap();
    timeline.write(Row::written(id.clone(), &me(), "hi", 5));
    timeline.fail(&id, "permission_denied");
    assert_eq!(
        timeline.pending()[0].state,
        RowState::Failed("permission_denied".into())
    );
    timeline.retry(&id);
    assert_eq!(timeline.pending()[0].state, RowState::Sending);
    assert_eq!(timeline.discard(&id).as_deref(), Some("hi"));
    assert!(timeline.pending().is_empty());
}

#[test]
fn five_hundred_messages_leave_at_most_four_hundred_rows_and_the_newest_are_among_them() {
    let mut timeline = loaded(&[], false);
    for message in range(1, 500) {
        assert!(timeline.take(&message, &me()));
    }
    assert_eq!(timeline.sent().len(), MAX_ROWS);
    assert_eq!((timeline.oldest(), timeline.newest()), (Some(101), Some(500)));
    assert_eq!(timeline.older, Edge::More);
    assert_eq!(timeline.newer, Edge::End);
}

#[test]
fn what_a_reader_further_up_looks_at_is_never_dropped() {
    let mut timeline = loaded(&range(1, 390), false);
    timeline.at_bottom = false;
    for message in range(391, 450) {
        timeline.take(&message, &me());
    }
    assert_eq!(timeline.oldest(), Some(1));
    assert_eq!(timeline.sent().len(), MAX_ROWS);
    assert_eq!(
        timeline.newer,
        Edge::More,
        "the way to the newest leads over pages"
    );
    assert_eq!(timeline.below, 60);
    timeline.append(
        Page {
            messages: &range(401, 450),
            has_more: false,
        },
        &Epoch::new("e"),
        &me(),
    );
    assert_eq!((timeline.oldest(), timeline.newest()), (Some(51), Some(450)));
    assert_eq!((timeline.older, timeline.newer), (Edge::More, Edge::End));
}

#[test]
fn an_older_page_goes_before_and_drops_at_the_far_end() {
    let mut timeline = loaded(&range(401, 780), true);
    timeline.at_bottom = false;
    assert!(timeline.older.begin());
    assert!(!timeline.older.begin(), "asked for once");
    timeline.prepend(
        Page {
            messages: &range(341, 400),
            has_more: true,
        },
        &Epoch::new("e"),
        &me(),
    );
    assert_eq!((timeline.oldest(), timeline.newest()), (Some(341), Some(740)));
    assert_eq!((timeline.older, timeline.newer), (Edge::More, Edge::More));
}

#[test]
fn a_page_of_another_epoch_is_not_mixed_in() {
    let mut timeline = loaded(&range(10, 20), true);
    timeline.prepend(
        Page {
            messages: &range(1, 9),
            has_more: false,
        },
        &Epoch::new("other"),
        &me(),
    );
    assert_eq!(timeline.oldest(), Some(10));
}

#[test]
fn a_late_message_finds_its_place_and_a_second_copy_none() {
    let mut timeline = loaded(&range(1, 2), false);
    timeline.take(&message(4, "you"), &me());
    assert!(timeline.take(&message(3, "you"), &me()));
    assert!(!timeline.take(&message(3, "you"), &me()));
    assert_eq!(seqs(&timeline), [1, 2, 3, 4]);
}

#[test]
fn own_messages_are_never_counted_as_new() {
    let mut timeline = loaded(&range(1, 2), false);
    timeline.at_bottom = false;
    timeline.take(&own(3, "msg_3"), &me());
    timeline.take(&message(4, "you"), &me());
    assert_eq!(timeline.below, 1);
    timeline.reach_bottom();
    assert_eq!(timeline.below, 0);
}

#[test]
fn messages_are_grouped_by_author_within_five_minutes_and_by_day() {
    let mut messages = range(1, 3);
    messages.push(message(4, "me"));
    messages.push(message(10, "me"));
    messages.push(Message {
        timestamp: 86_400_000 + 1,
        ..message(11, "me")
    });
    let timeline = loaded(&messages, false);
    let leads: Vec<bool> = shown(&timeline).iter().map(|row| row.leads).collect();
    assert_eq!(leads, [true, false, false, true, true, true]);
    let days = timeline
        .items(&me(), |at| i64::try_from(at / 86_400_000).unwrap())
        .iter()
        .filter(|item| matches!(item, Item::Day(..)))
        .count();
    assert_eq!(days, 2);
}

#[test]
fn the_unread_line_stands_before_the_first_message_of_somebody_else() {
    let mut messages = range(1, 2);
    messages.push(own(3, "msg_3"));
    messages.extend(range(4, 5));
    let mut timeline = loaded(&messages, false);
    timeline.unread_after = Some(2);
    let first: Vec<bool> = shown(&timeline).iter().map(|row| row.first_unread).collect();
    assert_eq!(first, [false, false, false, true, false]);
}
