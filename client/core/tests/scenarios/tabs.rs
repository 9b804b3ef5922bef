//! Several tabs with one stored queue.

use bmt_client_core::{Clock, Config, Entry, LockChange, QueuePolicy};
use bmt_shared::id::{MessageId, UserId};
use bmt_shared::request::Publish;

use crate::harness::{START_UNIX_MS, World, text, topic};

fn tab() -> World {
    World::new(Config {
        queue: QueuePolicy {
            shared: true,
            ..QueuePolicy::default()
        },
        ..Config::default()
    })
}

fn left_behind(id: &str) -> Entry {
    Entry {
        message_id: MessageId::parse(id).unwrap(),
        publish: Publish::new(topic("public:a"), text(id)),
        timestamp: START_UNIX_MS,
        clock: Clock::Own,
        user: Some(UserId::new("alice")),
        server: Some(String::new()),
    }
}

fn tab_with(id: &str) -> World {
    let mut world = tab();
    world
        .stored
        .insert(MessageId::parse(id).unwrap(), left_behind(id));
    world.act(|client, now| client.handle_restored(now, vec![left_behind(id)]));
    world.connect();
    world.greet();
    world
}

#[test]
fn what_is_stored_is_sent_under_the_lock_which_is_given_back() {
    let mut world = tab_with("m1");
    assert_eq!(world.locks, [LockChange::Acquire]);
    assert!(world.requests().is_empty());
    world.act(|client, now| client.handle_lock(now, true));
    let request = world.request();
    world.reply_published(&request, 1);
    assert_eq!(world.locks, [LockChange::Acquire, LockChange::Release]);
}

#[test]
fn what_another_tab_has_sent_meanwhile_is_forgotten() {
    let mut world = tab_with("m1");
    world.stored.clear();
    world.act(|client, now| client.handle_restored(now, Vec::new()));
    world.act(|client, now| client.handle_lock(now, true));
    assert!(world.requests().is_empty());
    assert_eq!(world.client.queue_len(), 0);
    assert_eq!(world.locks.last(), Some(&LockChange::Release));
}

#[test]
fn the_lock_lets_a_tab_date_its_own_users_messages_anew_and_nobody_elses() {
    let mut world = tab();
    let others = Entry {
        user: Some(UserId::new("bob")),
        ..left_behind("m2")
    };
    let elsewhere = Entry {
        server: Some("https://elsewhere.example".to_owned()),
        ..left_behind("m3")
    };
    let entries = vec![left_behind("m1"), others.clone(), elsewhere.clone()];
    for entry in &entries {
        world.stored.insert(entry.message_id.clone(), entry.clone());
    }
    world.act(|client, now| client.handle_restored(now, entries));
    world.advance(60_000);
    world.connect();
    world.greet();
    // Their tabs settle theirs in the meantime.
    for entry in [&others, &elsewhere] {
        world.stored.remove(&entry.message_id);
    }
    world.act(|client, now| client.handle_lock(now, true));
    let stored: Vec<_> = world
        .stored
        .values()
        .map(|entry| (entry.message_id.as_str(), entry.clock))
        .collect();
    assert_eq!(
        stored,
        [("m1", Clock::Server)],
        "what others settled is not stored again"
    );
}

#[test]
fn a_message_published_while_connected_needs_no_lock() {
    let mut world = tab();
    world.connect();
    world.greet();
    world.publish("public:a", "m1");
    assert_eq!(world.requests().len(), 1);
    assert!(world.locks.is_empty());
}

#[test]
fn a_lock_that_is_not_given_holds_back_only_what_other_tabs_may_send() {
    let mut world = tab_with("m1");
    world.cut();
    world.publish("public:b", "m2");
    world.come_back();
    world.advance(4_999);
    assert!(world.requests().is_empty());
    world.advance(1);
    let request = world.request();
    assert_eq!(request.body["messageId"], "m2");
}
