//! Who is on a channel, how far it is read, and that both are right again after a reconnect.

use bmt_client_core::{Event, Roster};
use bmt_shared::request::Subscribe;
use serde_json::{Value, json};

use crate::harness::{Request, World, message, topic};

fn present(user: &str) -> Value {
    json!({"userId": user, "name": user, "connections": 1, "since": 1})
}

/// Subscribes to `public:a` with presence and readers, and answers at `seq` with more fields.
fn joined(seq: u64, more: &Value) -> World {
    let mut world = World::greeted();
    world.act(|client, now| {
        let mut subscribe = Subscribe::to(topic("public:a"));
        subscribe.presence = true;
        subscribe.readers = true;
        client.subscribe(now, subscribe)
    });
    let request = world.request();
    assert_eq!(
        (&request.body["presence"], &request.body["readers"]),
        (&json!(true), &json!(true))
    );
    world.reply_subscribed(&request, seq, more);
    world
}

fn roster(world: &World) -> &Roster {
    world.client.roster(&topic("public:a")).expect("it is subscribed")
}

fn names(world: &World) -> Vec<&str> {
    roster(world)
        .present()
        .map(|user| user.user_id.as_str())
        .collect()
}

fn readers(world: &World) -> Vec<(&str, u64)> {
    let readers = roster(world).readers();
    readers.map(|(user, seq)| (user.as_str(), seq)).collect()
}

fn change(world: &mut World, action: &str, user: &str) {
    let change = json!({"topic": "public:a", "action": action, "user": present(user)});
    world.event("presence", &change);
}

fn receipt(world: &mut World, user: &str, seq: u64) {
    world.event(
        "receipt",
        &json!({"topic": "public:a", "userId": user, "seq": seq}),
    );
}

fn come_back(world: &mut World) -> Request {
    world.cut();
    world.come_back();
    world.request()
}

#[test]
fn who_comes_and_goes_is_folded_over_the_list_of_the_reply() {
    let mut world = joined(3, &json!({"presence": [present("alice"), present("bob")]}));
    assert_eq!(names(&world), ["alice", "bob"]);
    change(&mut world, "join", "carol");
    change(&mut world, "join", "carol");
    change(&mut world, "leave", "bob");
    change(&mut world, "leave", "nobody");
    assert_eq!(names(&world), ["alice", "carol"]);
    assert_eq!(world.client.roster(&topic("public:b")), None);
    world.act(|client, now| client.unsubscribe(now, &topic("public:a")));
    assert_eq!(world.client.roster(&topic("public:a")), None);
}

#[test]
fn who_came_and_went_while_the_connection_was_away_is_known_when_it_is_back() {
    let mut world = joined(3, &json!({"presence": [present("alice"), present("bob")]}));
    world.events.clear();
    let again = come_back(&mut world);
    assert_eq!(again.body["presence"], json!(true));
    assert_eq!(names(&world), ["alice", "bob"], "the last that was known");
    let more = json!({"recovered": true, "messages": [], "presence": [present("alice"), present("dan")]});
    world.reply_subscribed(&again, 3, &more);
    assert_eq!(names(&world), ["alice", "dan"]);
    let told = |event: &Event<_>| matches!(event, Event::Subscribed(told) if told.topic == topic("public:a"));
    assert!(world.events.iter().any(told), "and the application is told");
}

#[test]
fn how_far_others_have_read_only_grows_and_does_not_include_oneself() {
    let listed = json!([{"userId": "alice", "seq": 2}, {"userId": "bob", "seq": 3}]);
    let mut world = joined(5, &json!({"readers": listed}));
    assert_eq!(readers(&world), [("bob", 3)]);
    receipt(&mut world, "bob", 5);
    receipt(&mut world, "bob", 4);
    receipt(&mut world, "carol", 1);
    assert_eq!(readers(&world), [("bob", 5), ("carol", 1)]);
    let again = come_back(&mut world);
    let listed = json!([{"userId": "bob", "seq": 6}]);
    world.reply_subscribed(&again, 5, &json!({"recovered": true, "readers": listed}));
    assert_eq!(readers(&world), [("bob", 6)]);
}

#[test]
fn what_is_unread_follows_messages_reading_and_the_users_other_devices() {
    let mut world = joined(5, &json!({"readSeq": 3, "unread": 2}));
    let unread = |world: &World| (roster(world).read_seq(), roster(world).unread());
    assert_eq!(unread(&world), (3, 2));
    world.message("public:a", 6);
    let own = |seq| {
        let mut own = message("public:a", seq);
        own["from"] = json!("alice");
        own
    };
    world.event("message", &own(7));
    let mut edit = message("public:a", 8);
    edit["payload"] = json!({"type": "edit", "target": "m", "content": "x"});
    world.event("message", &edit);
    world.message("public:a", 9);
    world.message("public:a", 9);
    assert_eq!(
        unread(&world),
        (3, 4),
        "not what is one's own, an edit, or a repetition"
    );
    // Read on another device.
    receipt(&mut world, "alice", 8);
    assert_eq!(unread(&world), (8, 1));
    assert!(readers(&world).is_empty());
    world.act(|client, now| client.read(now, topic("public:a"), 9));
    let request = world.request();
    world.reply(
        &request,
        &json!({"status": "success", "topic": "public:a", "seq": 9, "unread": 0}),
    );
    assert_eq!(unread(&world), (9, 0));
    world.message("public:a", 10);
    assert_eq!(unread(&world), (9, 1));
}

#[test]
fn what_was_missed_is_counted_once_by_the_reply_that_tells_of_it() {
    let mut world = joined(5, &json!({"readSeq": 5, "unread": 0}));
    world.message("public:a", 6);
    let again = come_back(&mut world);
    let missed: Vec<Value> = [7, 8].map(|seq| message("public:a", seq)).to_vec();
    let more = json!({"recovered": true, "messages": missed, "readSeq": 5, "unread": 3});
    world.reply_subscribed(&again, 8, &more);
    assert_eq!(roster(&world).unread(), 3);
    world.message("public:a", 9);
    assert_eq!(roster(&world).unread(), 4);
}

#[test]
fn a_server_of_the_seeds_tells_nothing_and_nothing_is_made_up() {
    let mut world = World::new(bmt_client_core::Config::default());
    world.connect();
    world.greet_as("alice", None);
    world.subscribe("public:a");
    let request = world.request();
    world.reply(&request, &json!({"status": "success"}));
    assert_eq!(roster(&world), &Roster::default());
    world.message("public:a", 1);
    assert_eq!(roster(&world).unread(), 1);
}
