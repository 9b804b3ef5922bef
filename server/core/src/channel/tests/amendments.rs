//! Edits, deletions and reactions in a channel whose newest messages are in memory.

use super::*;
use crate::channel::Prepared;

fn chat() -> Namespace {
    Namespace {
        chat: true,
        ..namespace()
    }
}

/// Publishes as `user` by the rules of the room's namespace; answers the server's id.
fn publish(room: &mut Room, user: &str, payload: &str) -> Result<String, Failure> {
    room.published += 1;
    let publish = Publish::new(topic(), Payload::parse(payload).unwrap());
    let prepared = Prepared::new(publish, &room.namespace, user == "admin")?;
    let key = MessageId::parse(&format!("k{}", room.published)).unwrap();
    let random = u128::from(room.published);
    let draft = room
        .channel
        .begin_publish(prepared, UserId::new(user), key, room.now_ms, random);
    let appended = room
        .stream
        .append(draft, Retention::of(&room.namespace), WINDOW_MS);
    let published = room.channel.finish_publish(Ok(appended), room.now_ms)?;
    Ok(published.message_id.as_str().to_owned())
}

#[test]
fn history_and_recovery_show_the_current_form_and_the_edit() {
    let mut room = Room::new(chat());
    room.subscribe("b", &plain());
    let id = publish(&mut room, "ann", r#"{"type":"text","content":"hi"}"#).unwrap();
    let edit = format!(r#"{{"type":"edit","target":"{id}","content":"ho"}}"#);
    publish(&mut room, "ann", &edit).unwrap();
    let current = r#"{"type":"text","content":"ho"}"#;
    let shown = |messages: &[Message]| -> Vec<String> {
        let payloads = messages.iter().map(|message| message.payload.json().to_owned());
        payloads.collect()
    };
    assert_eq!(shown(&room.recover("c", 0).messages), [current, &edit]);
    assert_eq!(
        shown(&room.history(HistoryRange::Newest, 9).messages),
        [current, &edit]
    );
    let mut room = room.with_cold_tail();
    assert_eq!(shown(&room.recover("c", 0).messages), [current, &edit]);
}

#[test]
fn the_subscribers_get_the_edit_as_a_message() {
    let mut room = Room::new(chat());
    room.subscribe("b", &plain());
    let id = publish(&mut room, "ann", r#"{"type":"text"}"#).unwrap();
    publish(
        &mut room,
        "ann",
        &format!(r#"{{"type":"delete","target":"{id}"}}"#),
    )
    .unwrap();
    let outputs = std::iter::from_fn(|| room.channel.poll_output());
    let seqs: Vec<Seq> = outputs
        .filter_map(|output| match output {
            Output::Message { entry, .. } => Some(entry.seq()),
            _ => None,
        })
        .collect();
    assert_eq!(seqs, [1, 2]);
}

#[test]
fn what_is_refused_burns_no_seq_and_leaves_the_channel_as_it_was() {
    let mut room = Room::new(chat());
    let id = publish(&mut room, "ann", r#"{"type":"text"}"#).unwrap();
    let edit = format!(r#"{{"type":"edit","target":"{id}","content":"x"}}"#);
    let refused = publish(&mut room, "bob", &edit).unwrap_err();
    assert_eq!(refused.code, ErrorCode::PermissionDenied);
    let malformed = publish(&mut room, "ann", r#"{"type":"edit"}"#).unwrap_err();
    assert_eq!(malformed.code, ErrorCode::InvalidMessage);
    assert_eq!(room.channel.position().seq, 1);
    assert!(room.channel.idle_since_ms().is_some(), "nothing is in flight");
    assert!(publish(&mut room, "admin", &edit).is_ok());
}

#[test]
fn elsewhere_such_a_payload_is_a_plain_one() {
    let mut room = Room::new(namespace());
    publish(&mut room, "ann", r#"{"type":"delete","target":"nothing"}"#).unwrap();
    publish(&mut room, "ann", r#"{"type":"edit"}"#).unwrap();
    assert_eq!(room.channel.position().seq, 2);
    assert_eq!(room.subscribe("b", &plain()).unread, 2);
}

#[test]
fn amendments_are_nothing_to_read() {
    let mut room = Room::new(chat());
    let id = publish(&mut room, "ann", r#"{"type":"text"}"#).unwrap();
    let like = format!(r#"{{"type":"reaction","target":"{id}","emoji":"👍"}}"#);
    publish(&mut room, "cid", &like).unwrap();
    assert_eq!(room.subscribe("b", &plain()).unread, 1);
}
