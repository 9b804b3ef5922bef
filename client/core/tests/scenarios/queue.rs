//! The queue while there is no connection, and over reloads.

use bmt_client_core::{Clock, Config, Entry, Event, Overflow, QueuePolicy};
use bmt_shared::id::{MessageId, UserId};
use bmt_shared::message::Priority;
use bmt_shared::reply::Reply;
use bmt_shared::request::Publish;
use serde_json::{Value, json};

use crate::harness::{START_UNIX_MS, World, failed, published, text, topic};

fn entry(id: &str, user: Option<&str>, server: Option<&str>) -> Entry {
    Entry {
        message_id: MessageId::parse(id).unwrap(),
        publish: Publish::new(topic("public:a"), text(id)),
        timestamp: START_UNIX_MS,
        clock: Clock::Own,
        user: user.map(UserId::new),
        server: server.map(str::to_owned),
    }
}

fn ids(body: &Value) -> Vec<String> {
    let id = |entry: &Value| entry["messageId"].as_str().unwrap().to_owned();
    match body["messages"].as_array() {
        Some(batch) => batch.iter().map(id).collect(),
        None => vec![id(body)],
    }
}

fn with_queue(queue: QueuePolicy) -> World {
    World::new(Config {
        queue,
        ..Config::default()
    })
}

fn restore(world: &mut World, entries: Vec<Entry>) {
    for entry in &entries {
        world.stored.insert(entry.message_id.clone(), entry.clone());
    }
    world.act(|client, now| client.handle_restored(now, entries));
}

#[test]
fn after_a_reconnect_subscriptions_come_first_and_then_the_queue() {
    let mut world = World::greeted();
    world.subscribed("public:a", 0);
    world.cut();
    world.publish("public:a", "m1");
    world.publish("public:b", "m2");
    world.log.clear();
    world.come_back();
    let names: Vec<_> = world
        .requests()
        .iter()
        .map(|request| request.name.clone())
        .collect();
    assert_eq!(names, ["subscribe", "publish"]);
    let greeted = world.log.iter().position(|word| word == "event connected");
    let sent = world.log.iter().position(|word| word.starts_with("send 42"));
    assert!(greeted < sent, "{:?}", world.log);
}

#[test]
fn a_publish_in_flight_when_the_connection_broke_is_sent_again_under_its_id() {
    let mut world = World::greeted();
    let id = world.publish("public:a", "m1");
    world.request();
    world.cut();
    world.come_back();
    let again = world.request();
    let mut reply = published(&again.body, 3);
    reply["duplicate"] = json!(true);
    world.reply(&again, &reply);
    assert!(matches!(world.answer(id), Ok(Reply::Published(reply)) if reply.duplicate));
    assert!(world.stored.is_empty());
}

#[test]
fn batches_hold_fifty_and_one_is_in_flight() {
    let mut world = World::new(Config::default());
    for n in 0..120 {
        world.publish(&format!("public:{}", n % 3), &format!("m{n:03}"));
    }
    world.connect();
    world.greet();
    let mut seen = Vec::new();
    for size in [50, 50, 20] {
        let batch = world.request();
        assert_eq!(ids(&batch.body).len(), size);
        seen.extend(ids(&batch.body));
        let entries = batch.body["messages"].as_array().unwrap();
        let results: Vec<_> = entries
            .iter()
            .zip(1..)
            .map(|(entry, seq)| published(entry, seq))
            .collect();
        world.reply(&batch, &json!({"status": "success", "results": results}));
    }
    let expected: Vec<_> = (0..120).map(|n| format!("m{n:03}")).collect();
    assert_eq!(seen, expected);
    assert_eq!(world.client.queue_len(), 0);
}

#[test]
fn a_channel_with_a_high_entry_goes_first_in_its_own_order() {
    let mut world = World::new(Config::default());
    world.publish("public:a", "a1");
    world.publish("public:b", "b1");
    let mut high = Publish::new(topic("public:b"), text("b2"));
    high.priority = Priority::High;
    world
        .act(|client, now| client.publish(now, high, MessageId::parse("b2").ok()))
        .unwrap();
    world.connect();
    world.greet();
    assert_eq!(ids(&world.request().body), ["b1", "b2", "a1"]);
}

#[test]
fn a_batch_that_is_refused_in_the_middle_goes_on_where_it_stopped() {
    let mut world = World::new(Config::default());
    let requests = ["m1", "m2", "m3", "m4"].map(|id| world.publish("public:a", id));
    world.connect();
    world.greet();
    let batch = world.request();
    let limited = failed("rate_limited", Some(500));
    let results = json!([
        published(&json!({"messageId": "m1", "topic": "public:a"}), 1),
        failed("permission_denied", None),
        limited,
        limited
    ]);
    world.reply(&batch, &json!({"status": "success", "results": results}));
    assert!(world.answer(requests[0]).is_ok());
    assert_eq!(world.answer(requests[1]).unwrap_err().code(), "rejected");
    world.advance(500);
    assert_eq!(ids(&world.request().body), ["m3", "m4"]);
}

#[test]
fn batches_stay_below_the_servers_frames() {
    let mut world = World::new(Config::default());
    for n in 0..4 {
        world.publish("public:a", &format!("m{n}"));
    }
    world.connect();
    world.greet_as("alice", Some(json!({"messageBytes": 1024, "frameBytes": 2600})));
    let batch = world.request();
    assert_eq!(ids(&batch.body), ["m0", "m1"]);
}

#[test]
fn a_message_without_an_ack_does_not_hold_up_what_follows_it() {
    let mut world = World::new(Config::default());
    let mut publish = Publish::new(topic("public:a"), text("x"));
    publish.ack_required = false;
    world
        .act(|client, now| client.publish(now, publish, MessageId::parse("m1").ok()))
        .unwrap();
    world.publish("public:a", "m2");
    world.publish("public:b", "m3");
    world.connect();
    world.greet();
    let sent: Vec<_> = world
        .requests()
        .iter()
        .map(|request| ids(&request.body))
        .collect();
    assert_eq!(sent, [vec!["m1"], vec!["m2", "m3"]]);
}

#[test]
fn an_entry_that_waited_too_long_expires() {
    let mut world = World::new(Config::default());
    let id = world.publish("public:a", "m1");
    world.advance(299_999);
    assert!(!world.is_answered(id));
    world.advance(1);
    assert_eq!(world.answer(id).unwrap_err().code(), "queue_expired");
    assert!(
        world
            .events
            .iter()
            .any(|event| matches!(event, Event::QueueExpired(_)))
    );
    assert!(world.stored.is_empty());
}

#[test]
fn an_entry_waits_no_longer_than_its_message_may_live() {
    let mut world = World::new(Config::default());
    let publish = Publish {
        ttl_ms: 3_000,
        ..Publish::new(topic("public:a"), text("x"))
    };
    let queued = world
        .act(|client, now| client.publish(now, publish, None))
        .unwrap();
    let lasting = world.publish("public:a", "lasting");
    world.advance(2_999);
    assert!(!world.is_answered(queued.request));
    world.advance(1);
    assert_eq!(world.answer(queued.request).unwrap_err().code(), "queue_expired");
    world.connect();
    world.greet();
    let request = world.request();
    assert_eq!(request.body["messageId"], "lasting", "the other one is not sent");
    assert!(!world.is_answered(lasting));
}

#[test]
fn without_an_expiry_entries_live_as_long_as_the_server_remembers_ids() {
    let mut world = with_queue(QueuePolicy {
        expiry_ms: 0,
        ..QueuePolicy::default()
    });
    let id = world.publish("public:a", "m1");
    world.advance(24 * 60 * 60 * 1_000 - 1);
    assert!(!world.is_answered(id));
    world.advance(1);
    assert_eq!(world.answer(id).unwrap_err().code(), "queue_expired");
}

#[test]
fn a_full_queue_drops_its_oldest_or_refuses() {
    let mut drops = with_queue(QueuePolicy {
        max_entries: 2,
        ..QueuePolicy::default()
    });
    let oldest = drops.publish("public:a", "m1");
    drops.publish("public:a", "m2");
    drops.publish("public:a", "m3");
    assert_eq!(drops.answer(oldest).unwrap_err().code(), "queue_overflow");
    assert!(
        drops
            .events
            .iter()
            .any(|event| matches!(event, Event::QueueOverflow(_)))
    );
    assert_eq!(drops.stored.len(), 2);

    let mut refuses = with_queue(QueuePolicy {
        max_entries: 1,
        overflow: Overflow::Refuse,
        ..QueuePolicy::default()
    });
    refuses.publish("public:a", "m1");
    let publish = Publish::new(topic("public:a"), text("m2"));
    let refused = refuses.act(|client, now| client.publish(now, publish, None));
    assert_eq!(refused.unwrap_err().code(), "queue_overflow");
    assert_eq!(refuses.stored.len(), 1);
}

#[test]
fn what_a_page_left_is_sent_by_the_next_and_told_as_an_ack() {
    let mut world = World::new(Config {
        server: "http://here".to_owned(),
        ..Config::default()
    });
    restore(&mut world, vec![entry("m1", Some("alice"), Some("http://here"))]);
    world.connect();
    world.greet();
    let request = world.request();
    world.reply_published(&request, 1);
    assert!(world.events.iter().any(|event| matches!(event, Event::Ack(_))));
    assert!(world.stored.is_empty());
}

#[test]
fn messages_of_one_millisecond_keep_their_order_over_a_reload() {
    let mut before = World::new(Config::default());
    for id in ["m3", "m1", "m2"] {
        before.publish("public:a", id);
    }
    let mut after = World::new(Config::default());
    // Storage is read in the order of its keys.
    restore(&mut after, before.stored.into_values().collect());
    after.publish("public:a", "m0");
    after.connect();
    after.greet();
    assert_eq!(ids(&after.request().body), ["m3", "m1", "m2", "m0"]);
}

#[test]
fn what_another_user_or_another_server_left_is_kept_and_not_sent() {
    let mut world = World::new(Config {
        server: "http://here".to_owned(),
        ..Config::default()
    });
    let entries = vec![
        entry("m1", Some("bob"), Some("http://here")),
        entry("m2", Some("alice"), Some("http://there")),
    ];
    restore(&mut world, entries);
    world.connect();
    world.greet();
    assert!(world.requests().is_empty());
    assert_eq!(world.stored.len(), 2);
    assert_eq!((world.client.queue().count(), world.client.queue_len()), (2, 0));
}

#[test]
fn entries_of_the_seeds_format_belong_to_the_first_login() {
    let mut world = World::new(Config {
        server: "http://here".to_owned(),
        ..Config::default()
    });
    restore(&mut world, vec![entry("m1", None, None)]);
    world.connect();
    world.greet();
    let stored = &world.stored[&MessageId::parse("m1").unwrap()];
    assert_eq!(stored.user, Some(UserId::new("alice")));
    assert_eq!(stored.server.as_deref(), Some("http://here"));
    assert_eq!(world.requests().len(), 1);
}

#[test]
fn the_tokens_subject_owns_what_is_queued_before_the_greeting() {
    let mut world = World::new(Config::default());
    // {"sub":"carol"}
    world.token = Ok(Some("e30.eyJzdWIiOiJjYXJvbCJ9.x".to_owned()));
    world.connect();
    world.publish("public:a", "m1");
    assert_eq!(
        world.stored[&MessageId::parse("m1").unwrap()].user,
        Some(UserId::new("carol"))
    );
    world.greet();
    assert!(
        world.requests().is_empty(),
        "the server greeted alice, so carol's message stays"
    );
}

#[test]
fn what_is_queued_after_a_change_of_tokens_is_not_the_former_users() {
    let mut world = World::greeted();
    world.act(|client, now| client.disconnect(now));
    world.token = Ok(Some("somebody else's".to_owned()));
    world.connect();
    world.publish("public:a", "m1");
    assert_eq!(world.stored[&MessageId::parse("m1").unwrap()].user, None);
    world.greet_as("bob", Some(json!({})));
    assert_eq!(
        world.stored[&MessageId::parse("m1").unwrap()].user,
        Some(UserId::new("bob"))
    );
}

#[test]
fn what_a_guest_queued_follows_the_guests_next_id() {
    let mut world = World::new(Config::default());
    world.connect();
    world.greet_as("guest_1", Some(json!({})));
    world.cut();
    world.publish("public:general", "m1");
    world.advance(2_000);
    world.open();
    world.greet_as("guest_2", Some(json!({})));
    assert_eq!(ids(&world.request().body), ["m1"]);
}

#[test]
fn the_application_is_told_how_many_wait() {
    let mut world = World::new(Config::default());
    world.publish("public:a", "m1");
    world.publish("public:a", "m2");
    let sizes = |world: &World| -> Vec<usize> {
        let size = |event: &Event<_>| match event {
            Event::QueueSize(size) => Some(*size),
            _ => None,
        };
        world.events.iter().filter_map(size).collect()
    };
    assert_eq!(sizes(&world), [1, 2]);
}

#[test]
fn an_entry_of_an_earlier_page_that_is_too_large_is_reported_and_does_not_block_the_rest() {
    let mut world = World::new(Config::default());
    let mut large = entry("m1", Some("alice"), Some(""));
    large.publish.payload = text(&"x".repeat(65_536));
    let after = entry("m2", Some("alice"), Some(""));
    restore(&mut world, vec![large, after]);
    world.connect();
    world.greet();
    let rejected: Vec<_> = world
        .events
        .iter()
        .filter_map(|event| match event {
            Event::QueueRejected { entry, failure } => {
                Some((entry.message_id.as_str(), failure.code.as_str()))
            }
            _ => None,
        })
        .collect();
    assert_eq!(rejected, [("m1", "message_too_large")]);
    let request = world.request();
    assert_eq!(ids(&request.body), ["m2"]);
    world.reply_published(&request, 1);
    assert!(world.stored.is_empty(), "it comes back with no later page");
    assert_eq!(world.client.queue_len(), 0);
}
