//! Missing messages: asked for, waited for, reported.

use bmt_client_core::{Config, Event};
use bmt_shared::message::Message;
use serde_json::{Value, json};

use crate::harness::{Request, World, message, seq_of, topic};

fn at(seq: u64) -> World {
    standing_at(seq, World::greeted())
}

fn standing_at(seq: u64, mut world: World) -> World {
    world.subscribed("public:a", seq);
    world.events.clear();
    world
}

fn messages(seqs: std::ops::RangeInclusive<u64>) -> Vec<Value> {
    seqs.map(|seq| message("public:a", seq)).collect()
}

fn recovered(world: &mut World, to: &Request, seqs: std::ops::RangeInclusive<u64>) {
    let top = *seqs.end();
    let more = json!({"recovered": true, "messages": messages(seqs)});
    world.reply_subscribed(to, top, &more);
}

fn gap_reasons(world: &World) -> Vec<String> {
    let reason = |event: &Event<_>| match event {
        Event::Gap(gap) => Some(gap.reason.clone()),
        _ => None,
    };
    world.events.iter().filter_map(reason).collect()
}

#[test]
fn a_gap_is_recovered_exactly_once_and_in_order() {
    let mut world = at(3);
    world.message("public:a", 6);
    world.message("public:a", 7);
    let request = world.request();
    assert_eq!(request.body["since"], json!({"seq": 3, "epoch": "e"}));
    assert!(world.seqs().is_empty(), "later messages wait");
    recovered(&mut world, &request, 4..=7);
    world.message("public:a", 8);
    assert_eq!(world.seqs(), [4, 5, 6, 7, 8]);
    assert_eq!(world.client.stats().recoveries, 1);
}

#[test]
fn a_message_that_the_driver_has_read_goes_the_way_of_its_frame() {
    let read = |world: &mut World, seq| {
        let read: Message = serde_json::from_str(&message("public:a", seq).to_string()).unwrap();
        world.act(|client, now| client.handle_message_frame(now, 9, || Some(read)))
    };
    let mut world = at(3);
    let frames = world.client.stats().frames_received;
    assert!(read(&mut world, 4) && read(&mut world, 6), "both are taken");
    assert_eq!(world.client.stats().frames_received, frames + 2);
    let request = world.request();
    assert_eq!(request.body["since"], json!({"seq": 4, "epoch": "e"}));
    recovered(&mut world, &request, 5..=6);
    assert!(read(&mut world, 6), "it is known to be one, and dropped");
    assert_eq!(world.seqs(), [4, 5, 6]);

    world.receive("451-[\"message\",{}]");
    assert!(!read(&mut world, 7), "a binary part is due");
    world.cut();
    assert!(!read(&mut world, 7), "there is no transport");
    assert!(world.seqs().is_empty());
}

#[test]
fn what_is_still_missing_after_a_recovery_is_asked_for_again() {
    let mut world = at(0);
    world.message("public:a", 3);
    let first = world.request();
    world.message("public:a", 7);
    recovered(&mut world, &first, 1..=4);
    let second = world.request();
    assert_eq!(second.body["since"]["seq"], 4);
    recovered(&mut world, &second, 5..=7);
    assert_eq!(world.seqs(), [1, 2, 3, 4, 5, 6, 7]);
}

#[test]
fn a_skip_that_the_server_tells_is_no_gap() {
    let mut world = at(3);
    let mut skipping = message("public:a", 9);
    skipping["prev"] = json!(3);
    world.event("message", &skipping);
    assert_eq!(world.seqs(), [9]);
    assert!(world.requests().is_empty());
}

#[test]
fn a_recovery_may_skip_and_covers_up_to_its_seq() {
    let mut world = at(3);
    world.message("public:a", 9);
    let request = world.request();
    let more = json!({"recovered": true, "messages": [message("public:a", 5)]});
    world.reply_subscribed(&request, 9, &more);
    world.message("public:a", 10);
    assert_eq!(world.seqs(), [5, 10], "9 was covered, and is not owed");
}

#[test]
fn repetitions_are_dropped() {
    let mut world = at(3);
    for seq in [4, 4, 5, 4, 5, 6] {
        world.message("public:a", seq);
    }
    assert_eq!(world.seqs(), [4, 5, 6]);
    assert_eq!(world.client.stats().duplicates_dropped, 3);
}

#[test]
fn repetitions_are_dropped_by_seq_where_no_ids_are_remembered() {
    let mut world = World::new(Config {
        dedup_window: 0,
        ..Config::default()
    });
    world.connect();
    world.greet();
    world.subscribed("public:a", 3);
    for seq in [4, 4, 5, 4] {
        world.message("public:a", seq);
    }
    assert_eq!(world.seqs(), [4, 5]);
}

#[test]
fn messages_wait_two_seconds_at_most_and_the_gap_is_reported() {
    let mut world = at(3);
    world.message("public:a", 5);
    world.message("public:a", 6);
    world.advance(1_999);
    assert!(world.events.iter().all(|event| seq_of(event).is_none()));
    world.advance(1);
    assert_eq!(gap_reasons(&world), ["timeout"]);
    assert_eq!(world.seqs(), [5, 6]);
    world.message("public:a", 7);
    assert_eq!(world.seqs(), [7]);
}

#[test]
fn every_gap_that_is_given_up_is_reported() {
    let mut world = at(3);
    for seq in [5, 6, 9] {
        world.message("public:a", seq);
    }
    world.advance(2_000);
    let gaps: Vec<_> = world
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Gap(gap) => Some((gap.since.seq, gap.oldest_seq)),
            _ => None,
        })
        .collect();
    assert_eq!(gaps, [(3, Some(5)), (6, Some(9))]);
    assert_eq!(world.seqs(), [5, 6, 9]);
}

#[test]
fn more_than_one_recovery_holds_is_paged_until_it_meets_the_live_stream() {
    let mut world = at(10);
    world.cut();
    world.come_back();
    let request = world.request();
    let limit =
        json!({"recovered": false, "reason": "limit", "oldestSeq": 1, "messages": messages(361..=410)});
    world.reply_subscribed(&request, 410, &limit);
    let page = world.request();
    assert_eq!((page.name.as_str(), &page.body["after"]), ("history", &json!(10)));
    world.message("public:a", 411);
    world.reply(
        &page,
        &json!({"status": "success", "messages": messages(11..=210), "seq": 411, "epoch": "e", "hasMore": true}),
    );
    let page = world.request();
    assert_eq!(page.body["after"], 210);
    world.message("public:a", 412);
    world.reply(
        &page,
        &json!({"status": "success", "messages": messages(211..=411), "seq": 411, "epoch": "e", "hasMore": false}),
    );
    world.message("public:a", 413);
    assert!(gap_reasons(&world).is_empty());
    assert_eq!(world.seqs(), (11..=413).collect::<Vec<_>>());
}

#[test]
fn the_live_stream_waits_for_pages_that_take_longer_than_a_gap_may() {
    let mut world = at(10);
    world.cut();
    world.come_back();
    let request = world.request();
    world.reply_subscribed(&request, 411, &json!({"recovered": false, "reason": "limit"}));
    world.message("public:a", 412);
    for (from, to, more) in [(11, 210, true), (211, 410, true), (411, 412, false)] {
        let page = world.request();
        world.advance(4_000);
        world.reply(
            &page,
            &json!({"status": "success", "messages": messages(from..=to), "seq": 412, "epoch": "e", "hasMore": more}),
        );
    }
    assert!(gap_reasons(&world).is_empty(), "everything came");
    assert_eq!(world.seqs(), (11..=412).collect::<Vec<_>>());
    // Once there, a gap has its two seconds again.
    world.message("public:a", 414);
    world.advance(2_000);
    assert_eq!(gap_reasons(&world), ["timeout"]);
}

#[test]
fn pages_that_do_not_come_hold_up_the_live_stream_no_longer_than_a_minute_and_a_gap() {
    let mut world = standing_at(10, World::greeted_without_heartbeats());
    world.cut();
    world.come_back();
    let request = world.request();
    world.reply_subscribed(&request, 411, &json!({"recovered": false, "reason": "limit"}));
    world.message("public:a", 412);
    world.advance(60_000);
    assert!(world.seqs().is_empty(), "the page may still come");
    world.message("public:a", 413);
    world.advance(2_000);
    assert_eq!(gap_reasons(&world), ["timeout"]);
    assert_eq!(world.seqs(), [412, 413]);
}

#[test]
fn pages_go_on_where_the_live_stream_has_overtaken_them() {
    let mut world = at(3);
    world.cut();
    world.come_back();
    let request = world.request();
    world.reply_subscribed(&request, 4, &json!({"recovered": false, "reason": "limit"}));
    let page = world.request();
    for seq in [4, 5, 6, 8] {
        world.message("public:a", seq);
    }
    world.reply(
        &page,
        &json!({"status": "success", "messages": messages(4..=5), "seq": 8, "epoch": "e", "hasMore": true}),
    );
    let page = world.request();
    assert_eq!(page.body["after"], 6);
    world.reply(
        &page,
        &json!({"status": "success", "messages": messages(7..=8), "seq": 8, "epoch": "e", "hasMore": false}),
    );
    assert!(gap_reasons(&world).is_empty());
    assert_eq!(world.seqs(), [4, 5, 6, 7, 8]);
}

#[test]
fn a_page_that_leads_nowhere_is_asked_for_again_later() {
    let mut world = at(3);
    world.cut();
    world.come_back();
    let request = world.request();
    world.reply_subscribed(&request, 9, &json!({"recovered": false, "reason": "limit"}));
    let page = world.request();
    world.reply(
        &page,
        &json!({"status": "success", "messages": [], "seq": 9, "epoch": "e", "hasMore": true}),
    );
    assert!(world.requests().is_empty(), "not at once");
    world.advance(2_000);
    assert_eq!(world.request().body["since"]["seq"], 3);
}

#[test]
fn what_is_no_longer_kept_is_reported_and_the_stream_goes_on() {
    for (reason, epoch) in [
        ("trimmed", "e"),
        ("epoch_changed", "e2"),
        ("position_ahead", "e2"),
    ] {
        let mut world = at(10);
        world.cut();
        world.come_back();
        let request = world.request();
        let top = if epoch == "e" { 60 } else { 4 };
        let newest = messages(top - 1..=top).into_iter().map(|mut message| {
            message["id"] = json!(format!("new-{}", message["seq"]));
            message
        });
        let more = json!({"recovered": false, "reason": reason, "oldestSeq": top - 1, "epoch": epoch,
            "messages": newest.collect::<Vec<_>>()});
        world.reply_subscribed(&request, top, &more);
        world.event("message", &{
            let mut next = message("public:a", top + 1);
            next["id"] = json!("next");
            next
        });
        assert_eq!(gap_reasons(&world), [reason]);
        assert_eq!(world.seqs(), [top - 1, top, top + 1], "{reason}");
        let position = world.client.position(&topic("public:a")).unwrap();
        assert_eq!((position.seq, position.epoch.as_str()), (top + 1, epoch));
    }
}

#[test]
fn a_break_that_the_server_tells_of_is_recovered() {
    let mut world = at(3);
    world.event(
        "gap",
        &json!({"topic": "public:a", "reason": "slow_consumer", "seq": 5, "epoch": "e"}),
    );
    let request = world.request();
    recovered(&mut world, &request, 4..=5);
    assert_eq!(world.seqs(), [4, 5]);
}

#[test]
fn an_answer_that_takes_longer_than_a_request_may_brings_all_and_tells_no_gap() {
    let mut world = at(3);
    world.cut();
    world.come_back();
    let request = world.request();
    for seq in 8..=10 {
        world.advance(9_000);
        world.message("public:a", seq);
    }
    assert!(world.requests().is_empty(), "the answer is on its way");
    recovered(&mut world, &request, 4..=9);
    assert!(gap_reasons(&world).is_empty(), "nothing was lost");
    assert_eq!(world.seqs(), [4, 5, 6, 7, 8, 9, 10]);
    // Once it is there, a gap has its two seconds again.
    world.message("public:a", 12);
    world.advance(2_000);
    assert_eq!(gap_reasons(&world), ["timeout"]);
}

#[test]
fn a_page_that_takes_longer_than_a_request_may_is_not_asked_for_twice() {
    let mut world = at(10);
    world.cut();
    world.come_back();
    let request = world.request();
    world.reply_subscribed(&request, 12, &json!({"recovered": false, "reason": "limit"}));
    let page = world.request();
    world.message("public:a", 13);
    world.advance(25_000);
    assert!(world.requests().is_empty());
    world.reply(
        &page,
        &json!({"status": "success", "messages": messages(11..=12), "seq": 12, "epoch": "e", "hasMore": false}),
    );
    assert!(gap_reasons(&world).is_empty());
    assert_eq!(world.seqs(), [11, 12, 13]);
}

#[test]
fn an_answer_that_never_comes_holds_up_the_live_stream_no_longer_than_a_minute_and_a_gap() {
    let mut world = standing_at(3, World::greeted_without_heartbeats());
    world.cut();
    world.come_back();
    world.request();
    world.message("public:a", 8);
    world.advance(60_000);
    assert_eq!(
        world.request().body["since"]["seq"],
        3,
        "it is asked for once more"
    );
    assert!(world.seqs().is_empty());
    world.advance(2_000);
    assert_eq!(gap_reasons(&world), ["timeout"]);
    assert_eq!(world.seqs(), [8]);
}

#[test]
fn a_break_that_is_told_while_an_answer_is_on_its_way_is_recovered_behind_it() {
    for (covered, is_asked) in [(6, true), (9, false)] {
        let mut world = at(3);
        world.cut();
        world.come_back();
        let request = world.request();
        let broke = json!({"topic": "public:a", "reason": "slow_consumer", "seq": 9, "epoch": "e"});
        world.event("gap", &broke);
        assert!(world.requests().is_empty(), "one answer at a time");
        recovered(&mut world, &request, 4..=covered);
        let asked: Vec<Value> = world.requests().into_iter().map(|request| request.body).collect();
        assert_eq!(asked.len(), usize::from(is_asked), "{asked:?}");
        assert!(asked.iter().all(|body| body["since"]["seq"] == json!(covered)));
    }
}

#[test]
fn a_message_that_cannot_be_read_is_recovered_too() {
    let mut world = at(3);
    world.event("message", &json!({"topic": "public:a"}));
    assert!(matches!(world.events[..], [Event::Error(_)]));
    world.message("public:a", 5);
    let request = world.request();
    recovered(&mut world, &request, 4..=5);
    assert_eq!(world.seqs(), [4, 5]);
}

#[test]
fn a_gap_is_forgotten_with_its_connection() {
    let mut world = at(3);
    world.message("public:a", 5);
    world.cut();
    world.come_back();
    world.requests();
    assert!(
        world
            .client
            .position(&topic("public:a"))
            .is_some_and(|position| position.seq == 3)
    );
    assert!(world.seqs().is_empty());
}
