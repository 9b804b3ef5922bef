//! Edits, deletions and reactions: with their append, in one step.

use bmt_server_core::channel::{Amends, EDITS, Prepared};
use bmt_shared::error::ErrorCode;
use bmt_shared::namespace::{Access, Namespace};

use super::*;

/// A draft of a chat namespace.
fn chat(on: &str, user: &str, key: &str, payload: &str) -> Draft {
    let namespace = Namespace {
        chat: true,
        ..Namespace::stored(Access::Users, Access::Users)
    };
    let publish = Publish::new(topic(on), Payload::parse(payload).unwrap());
    let prepared = Prepared::new(publish, &namespace, user == "admin").unwrap();
    let random = u128::from(getrandom::u64().unwrap());
    Draft::new(
        prepared,
        UserId::new(user),
        MessageId::parse(key).unwrap(),
        NOW_MS,
        random,
    )
}

pub(super) fn text(on: &str, user: &str, key: &str) -> Draft {
    chat(on, user, key, r#"{"type":"text","content":"hi"}"#)
}

pub(super) fn edit(user: &str, key: &str, target: &Draft, content: &str) -> Draft {
    let target = &target.id;
    let payload = format!(r#"{{"type":"edit","target":"{target}","content":"{content}"}}"#);
    chat("a", user, key, &payload)
}

fn delete(user: &str, key: &str, target: &Draft) -> Draft {
    let payload = format!(r#"{{"type":"delete","target":"{}"}}"#, target.id);
    chat("a", user, key, &payload)
}

pub(super) fn react(user: &str, key: &str, target: &Draft, on: bool) -> Draft {
    let target = &target.id;
    let payload = format!(r#"{{"type":"reaction","target":"{target}","emoji":"👍","on":{on}}}"#);
    chat("a", user, key, &payload)
}

fn refused(appended: &[Appended]) -> ErrorCode {
    match appended {
        [Appended::Refused(failure)] => failure.code.clone(),
        other => panic!("{other:?}"),
    }
}

fn payloads(store: &Subject) -> Vec<String> {
    let page = store.all("a");
    let payloads = page.entries.iter();
    payloads
        .map(|entry| entry.message.payload.json().to_owned())
        .collect()
}

pub(super) fn an_edit_rewrites_its_target_and_is_a_message_itself(store: &Subject) {
    let first = text("a", "ann", "k1");
    let change = edit("ann", "k2", &first, "ho");
    store.append(vec![first.clone()]);
    let appended = store.append(vec![change.clone()]);
    let Appended::Stored { entry, amended, .. } = &appended[0] else {
        panic!("{appended:?}")
    };
    assert_eq!(
        (entry.seq(), entry.amends.clone()),
        (2, Some(Amends::edit_of(&first.id)))
    );
    let page = store.all("a");
    assert_eq!(page.entries, [amended[0].clone(), entry.clone()]);
    let now = &page.entries[0].message;
    assert_eq!(now.payload.json(), r#"{"type":"text","content":"ho"}"#);
    assert_eq!((now.edited, now.deleted, now.seq), (Some(NOW_MS), false, 1));
    assert_eq!(store.open("a", KEEP_ALL, NOW_MS).newest, page.entries);
}

pub(super) fn a_target_may_stand_in_the_same_batch(store: &Subject) {
    let first = text("a", "ann", "k1");
    let change = edit("ann", "k2", &first, "ho");
    store.append(vec![first, change]);
    assert_eq!(payloads(store)[0], r#"{"type":"text","content":"ho"}"#);
}

pub(super) fn a_refused_amendment_leaves_no_trace(store: &Subject) {
    let first = text("a", "ann", "k1");
    let elsewhere = text("b", "ann", "k1");
    store.append(vec![first.clone(), elsewhere.clone()]);
    let before = store.all("a");
    let theirs = store.append(vec![edit("bob", "k2", &first, "mine now")]);
    assert_eq!(refused(&theirs), ErrorCode::PermissionDenied);
    let theirs = store.append(vec![delete("bob", "k2", &first)]);
    assert_eq!(refused(&theirs), ErrorCode::PermissionDenied);
    let of_another_channel = store.append(vec![edit("ann", "k2", &elsewhere, "x")]);
    assert_eq!(refused(&of_another_channel), ErrorCode::InvalidOperation);
    assert_eq!(store.all("a"), before);
    // The key is free, and no seq is burned.
    let next = store.append(vec![edit("bob", "k2", &first, "x"), text("a", "bob", "k2")]);
    assert_eq!(stored(&next[1]).0, 2);
    let by_admin = store.append(vec![delete("admin", "k3", &first)]);
    assert_eq!(stored(&by_admin[0]).0, 3);
}

pub(super) fn a_repeated_edit_is_not_carried_out_again(store: &Subject) {
    let first = text("a", "ann", "k1");
    let once = edit("ann", "k2", &first, "one");
    store.append(vec![
        first.clone(),
        once.clone(),
        edit("ann", "k3", &first, "two"),
    ]);
    let again = store.append(vec![once]);
    assert!(matches!(again[0], Appended::Duplicate { seq: 2, .. }));
    assert_eq!(payloads(store)[0], r#"{"type":"text","content":"two"}"#);
}

pub(super) fn a_deletion_empties_the_message_and_its_edits(store: &Subject) {
    let (first, other) = (text("a", "ann", "k1"), text("a", "ann", "k2"));
    store.append(vec![
        first.clone(),
        other.clone(),
        edit("ann", "k3", &first, "a secret"),
        edit("ann", "k4", &other, "no secret"),
        react("bob", "k5", &first, true),
    ]);
    let appended = store.append(vec![delete("ann", "k6", &first)]);
    let Appended::Stored { amended, .. } = &appended[0] else {
        panic!("{appended:?}")
    };
    assert_eq!(
        amended.iter().map(|entry| entry.seq()).collect::<Vec<_>>(),
        [1, 3]
    );
    let page = store.all("a");
    let first_now = &page.entries[0].message;
    assert_eq!(first_now.payload.json(), "{}");
    assert!(first_now.deleted && first_now.reactions.is_empty());
    let all = payloads(store).join("\n");
    assert!(!all.contains("a secret") && all.contains("no secret"), "{all}");
    let late = store.append(vec![edit("ann", "k7", &first, "back again")]);
    assert_eq!(refused(&late), ErrorCode::InvalidOperation);
}

pub(super) fn reactions_fold_into_their_target(store: &Subject) {
    let first = text("a", "ann", "k1");
    store.append(vec![
        first.clone(),
        react("bob", "k2", &first, true),
        react("cid", "k2", &first, true),
        react("bob", "k3", &first, false),
    ]);
    let entry = store.all("a").entries[0].clone();
    assert_eq!(entry.message.reactions.of("👍"), [UserId::new("cid")]);
    assert_eq!(entry.message.edited, None);
    store.append(vec![react("cid", "k4", &first, false)]);
    assert!(store.all("a").entries[0].message.reactions.is_empty());
}

pub(super) fn what_is_not_kept_any_more_is_gone(store: &Subject) {
    let few = Retention {
        messages: Some(2),
        ttl_ms: 0,
    };
    let first = text("a", "ann", "k1");
    store.append_kept(
        vec![first.clone(), text("a", "ann", "k2"), text("a", "ann", "k3")],
        few,
    );
    let late = store
        .hand_over(0, vec![edit("ann", "k4", &first, "x")], few)
        .recv()
        .unwrap()
        .unwrap();
    assert_eq!(refused(&late), ErrorCode::InvalidOperation);
    let unknown = chat("a", "ann", "k5", r#"{"type":"delete","target":"nowhere"}"#);
    assert_eq!(refused(&store.append(vec![unknown])), ErrorCode::InvalidOperation);
    let publish = Publish {
        ttl_ms: 10,
        ..Publish::new(topic("a"), Payload::parse(r#"{"type":"text"}"#).unwrap())
    };
    let short = draft_of(publish, "ann", "k6", NOW_MS - 10);
    store.append(vec![short.clone()]);
    let expired = store.append(vec![edit("ann", "k7", &short, "x")]);
    assert_eq!(refused(&expired), ErrorCode::InvalidOperation);
}

pub(super) fn a_message_is_edited_only_so_often(store: &Subject) {
    let first = text("a", "ann", "k1");
    store.append(vec![first.clone()]);
    for n in 0..EDITS {
        store.append(vec![edit("ann", &format!("e{n}"), &first, "x")]);
    }
    let last = store.append(vec![edit("ann", "last", &first, "x")]);
    assert_eq!(refused(&last), ErrorCode::InvalidOperation);
    assert!(matches!(
        store.append(vec![delete("ann", "d", &first)])[0],
        Appended::Stored { .. }
    ));
}
