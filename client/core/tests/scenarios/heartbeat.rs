//! Knowing that the other side lives.

use bmt_client_core::{Event, Status};
use serde_json::json;

use crate::harness::World;

fn heartbeats(world: &mut World) -> usize {
    let frames = std::mem::take(&mut world.frames);
    frames
        .iter()
        .filter(|frame| frame.contains("\"heartbeat\""))
        .count()
}

#[test]
fn a_heartbeat_goes_out_every_thirty_seconds_and_measures_the_way() {
    let mut world = World::greeted();
    for _ in 0..3 {
        world.advance(29_999);
        assert_eq!(heartbeats(&mut world), 0);
        world.advance(1);
        assert_eq!(heartbeats(&mut world), 1);
        world.advance(40);
        world.event("heartbeat_ack", &json!({"timestamp": 1}));
        assert!(world.events.contains(&Event::Latency(40)));
    }
    assert_eq!(world.client.stats().latency_p50_ms, Some(40));
}

#[test]
fn a_heartbeat_without_an_answer_closes_the_transport() {
    let mut world = World::greeted();
    world.advance(34_999);
    assert_eq!(world.client.status(), Status::Connected);
    world.advance(1);
    assert_eq!(world.closes, [4004]);
    assert_eq!(world.client.status(), Status::Reconnecting);
}

#[test]
fn pings_are_answered_and_their_end_is_noticed() {
    let mut world = World::new(bmt_client_core::Config {
        heartbeat_interval_ms: 0,
        ..Default::default()
    });
    world.connect();
    world.greet();
    world.receive("2");
    assert_eq!(world.frames, ["3"]);
    // An hour between pings and twenty seconds of grace.
    world.advance(3_619_999);
    assert_eq!(world.client.status(), Status::Connected);
    world.advance(1);
    assert_eq!(world.client.status(), Status::Reconnecting);
}

#[test]
fn a_page_that_comes_back_asks_whether_the_connection_lives() {
    let mut world = World::greeted();
    world.act(|client, now| client.handle_visible(now));
    world.act(|client, now| client.handle_visible(now));
    assert_eq!(heartbeats(&mut world), 1);
    world.advance(5_000);
    assert_eq!(world.client.status(), Status::Reconnecting);
}
