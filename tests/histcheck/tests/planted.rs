//! The checker checked: random histories of a world that keeps its promises pass, and one planted fault in them is
//! found under its own letter.

#[path = "planted/world.rs"]
mod world;

use bmt_histcheck::{Event, Invariant, Record, Violation, check};
use proptest::prelude::{ProptestConfig, any, prop_assert, prop_assume, proptest};
use proptest::sample::Index;
use world::{CHANNEL, placed, records, steps};

/// Where the event is one of those, in order.
fn positions(records: &[Record], is: impl Fn(&Record) -> bool) -> Vec<usize> {
    (0..records.len()).filter(|at| is(&records[*at])).collect()
}

fn is_deliver(record: &Record) -> bool {
    matches!(record.event, Event::Deliver { .. })
}

fn is_ok(record: &Record) -> bool {
    matches!(record.event, Event::Ok { .. })
}

fn id_and_seq(event: &Event) -> (String, u64) {
    match event {
        Event::Ok { id, seq, .. } | Event::Deliver { id, seq, .. } | Event::Stored { id, seq, .. } => {
            (id.clone(), *seq)
        }
        other => panic!("{other:?} has no seq"),
    }
}

/// Two messages that trade their places everywhere, as if the server had numbered them the other way round.
fn trade(records: &mut [Record], one: &str, other: &str) {
    let seq_of = |records: &[Record], wanted: &str| {
        records.iter().find_map(|record| match &record.event {
            Event::Stored { id, seq, .. } if id == wanted => Some(*seq),
            _ => None,
        })
    };
    let (low, high) = (
        seq_of(records, one).expect("stored"),
        seq_of(records, other).expect("stored"),
    );
    for record in records {
        match &mut record.event {
            Event::Ok { id, seq, .. } if id == one => *seq = high,
            Event::Ok { id, seq, .. } if id == other => *seq = low,
            Event::Deliver { id, seq, .. } | Event::Stored { id, seq, .. } => {
                if *seq == low {
                    other.clone_into(id);
                } else if *seq == high {
                    one.clone_into(id);
                }
            }
            _ => {}
        }
    }
}

/// Plants one fault of that kind, if this history has a place for it.
fn plant(letter: Invariant, records: &mut Vec<Record>, which: Index) -> Option<()> {
    match letter {
        Invariant::A => lose_what_was_acked(records, which),
        Invariant::B => refuse_what_was_stored(records, which),
        Invariant::C => renumber_one_delivery(records, which),
        Invariant::D => leave_a_hole_in_the_store(records, which),
        Invariant::E => deliver_badly(records, which),
        Invariant::F => mistake_one_id(records, which),
        Invariant::G => swap_neighbours(records, which, |one, other| one.client == other.client),
        Invariant::H => swap_neighbours(records, which, |one, other| one.client != other.client),
        Invariant::I => forget_in_a_recovery(records, which),
        Invariant::J => forbid_before_a_delivery(records, which),
    }
}

fn pick(from: &[usize], which: Index) -> Option<usize> {
    (!from.is_empty()).then(|| from[which.index(from.len())])
}

/// The store shrinks to below an acked message, or a subscriber that stayed to the end misses the last one.
fn lose_what_was_acked(records: &mut Vec<Record>, which: Index) -> Option<()> {
    let (_, lost) = id_and_seq(&records[pick(&positions(records, is_ok), which)?].event);
    records.retain(|record| !matches!(&record.event, Event::Stored { seq, .. } if *seq >= lost));
    for record in records {
        if let Event::Store { top, .. } = &mut record.event {
            *top = lost - 1;
        }
    }
    Some(())
}

fn refuse_what_was_stored(records: &mut [Record], which: Index) -> Option<()> {
    let at = pick(&positions(records, is_ok), which)?;
    let (id, _) = id_and_seq(&records[at].event);
    records[at].event = Event::Fail {
        id,
        channel: CHANNEL.into(),
        reason: "rate_limited".into(),
    };
    Some(())
}

fn renumber_one_delivery(records: &mut [Record], which: Index) -> Option<()> {
    let at = pick(&positions(records, is_deliver), which)?;
    if let Event::Deliver { seq, .. } = &mut records[at].event {
        *seq += 1;
    }
    Some(())
}

fn leave_a_hole_in_the_store(records: &mut Vec<Record>, which: Index) -> Option<()> {
    let stored = positions(records, |record| matches!(record.event, Event::Stored { .. }));
    records.remove(pick(&stored, which)?);
    Some(())
}

/// Twice, in the wrong order, or over a hole.
fn deliver_badly(records: &mut Vec<Record>, which: Index) -> Option<()> {
    let runs: Vec<usize> = positions(records, is_deliver)
        .into_iter()
        .filter(|&at| next_of_client(records, at).is_some_and(|next| is_deliver(&records[next])))
        .collect();
    let at = pick(&runs, which)?;
    let next = next_of_client(records, at)?;
    match which.index(3) {
        0 => records.insert(at, records[at].clone()),
        1 => records.swap(at, next),
        _ => {
            let before = positions(&records[..at], |record| record.client == records[at].client);
            let continues = before.last().is_some_and(|before| is_deliver(&records[*before]));
            if !continues {
                return None;
            }
            records.remove(at);
        }
    }
    Some(())
}

fn next_of_client(records: &[Record], at: usize) -> Option<usize> {
    (at + 1..records.len()).find(|next| records[*next].client == records[at].client)
}

fn mistake_one_id(records: &mut [Record], which: Index) -> Option<()> {
    let at = pick(&positions(records, is_deliver), which)?;
    if let Event::Deliver { id, .. } = &mut records[at].event {
        *id = "somebody-elses".into();
    }
    Some(())
}

/// Two acked messages, the later begun after the earlier's ack, trade places.
fn swap_neighbours(
    records: &mut [Record],
    which: Index,
    fits: impl Fn(&Record, &Record) -> bool,
) -> Option<()> {
    let mut pairs = Vec::new();
    for earlier in positions(records, is_ok) {
        for later in positions(records, is_ok) {
            let (earlier, later) = (&records[earlier], &records[later]);
            let (id, _) = id_and_seq(&later.event);
            let begun = records
                .iter()
                .find(|record| matches!(&record.event, Event::Invoke { id: begun, .. } if *begun == id))?;
            if begun.at_us > earlier.at_us && fits(earlier, later) {
                pairs.push((id_and_seq(&earlier.event).0, id));
            }
        }
    }
    if pairs.is_empty() {
        return None;
    }
    let (one, other) = pairs.swap_remove(which.index(pairs.len()));
    trade(records, &one, &other);
    Some(())
}

fn forget_in_a_recovery(records: &mut Vec<Record>, which: Index) -> Option<()> {
    let mut inside = Vec::new();
    for (at, record) in records.iter().enumerate() {
        let Event::Subscribed {
            recovered: Some(true),
            from: Some(from),
            to,
            ..
        } = &record.event
        else {
            continue;
        };
        let missed = (at..records.len()).filter(|next| {
            records[*next].client == record.client
                && matches!(&records[*next].event, Event::Deliver { seq, .. } if seq > from && seq <= to)
        });
        // The world delivers a recovery at once; later lists may hold the same seqs again.
        inside.extend(missed.take(usize::try_from(to - from).expect("a length")));
    }
    let at = pick(&inside, which)?;
    let (client, (_, lost)) = (records[at].client.clone(), id_and_seq(&records[at].event));
    records.retain(|record| {
        record.client != client || !matches!(&record.event, Event::Deliver { seq, .. } if *seq == lost)
    });
    Some(())
}

fn forbid_before_a_delivery(records: &mut Vec<Record>, which: Index) -> Option<()> {
    let at = pick(&positions(records, is_deliver), which)?;
    let mut forbidden = records[at].clone();
    forbidden.event = Event::Forbidden {
        channel: CHANNEL.into(),
    };
    records.insert(at, forbidden);
    Some(())
}

fn found(records: &[Record]) -> Vec<Violation> {
    check(&placed(records))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, max_global_rejects: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn a_world_that_keeps_its_promises_passes(steps in steps()) {
        let violations = found(&records(&steps));
        prop_assert!(violations.is_empty(), "{}", violations[0]);
    }

    #[test]
    fn every_planted_fault_is_found_under_its_letter(
        steps in steps(),
        letter in 0..LETTERS.len(),
        which in any::<Index>(),
    ) {
        let mut records = records(&steps);
        let letter = LETTERS[letter];
        prop_assume!(plant(letter, &mut records, which).is_some());
        let violations = found(&records);
        let hit = violations.iter().find(|violation| violation.invariant == letter);
        prop_assert!(hit.is_some(), "{letter:?} was not found among {violations:?}");
        let hit = hit.unwrap();
        prop_assert!(!hit.places.is_empty() && hit.to_string().contains("f:"), "{hit}");
    }

    #[test]
    fn a_subscriber_that_misses_the_newest_acked_message_is_found(steps in steps()) {
        let mut records = records(&steps);
        let last = records.iter().rposition(is_ok);
        prop_assume!(last.is_some());
        let (_, lost) = id_and_seq(&records[last.unwrap()].event);
        let before = records.len();
        // All of one subscriber's list from there on, as if its stream had died without a word.
        records.retain(|record| {
            record.client != "s0" || !matches!(&record.event, Event::Deliver { seq, .. } if *seq >= lost)
        });
        let stayed = records.iter().any(|record| record.client == "s0" && matches!(record.event, Event::Covered { .. }));
        // Whoever subscribed anew behind it, or was told of a gap, had no claim to it.
        let claimed = records
            .iter()
            .filter(|record| record.client == "s0")
            .filter_map(|record| match &record.event {
                Event::Subscribed { to, .. } => Some(*to),
                Event::Gap { .. } => Some(u64::MAX),
                _ => None,
            })
            .all(|to| to < lost);
        prop_assume!(records.len() < before && stayed && claimed);
        let violations = found(&records);
        prop_assert!(
            violations.iter().any(|violation| violation.invariant == Invariant::A && violation.seqs == [lost]),
            "{violations:?}"
        );
    }
}

const LETTERS: [Invariant; 10] = [
    Invariant::A,
    Invariant::B,
    Invariant::C,
    Invariant::D,
    Invariant::E,
    Invariant::F,
    Invariant::G,
    Invariant::H,
    Invariant::I,
    Invariant::J,
];

/// A store that lost everything and says so by a new epoch: excused only where the fault itself destroyed it.
#[test]
fn a_new_epoch_excuses_only_what_the_fault_destroyed() {
    let line = |at: u64, event: &str| {
        format!("{{\"at_us\":{at},\"wall_ms\":0,\"client\":\"p\",\"event\":{event}}}\n")
    };
    let published = |epoch: &str| {
        line(1, r#"{"kind":"invoke","id":"m1","channel":"a","body":"1"}"#)
            + &line(
                2,
                &format!(r#"{{"kind":"ok","id":"m1","channel":"a","seq":1,"epoch":"{epoch}"}}"#),
            )
    };
    let store = line(
        9,
        r#"{"kind":"store","channel":"a","epoch":"new","oldest":1,"top":0}"#,
    );
    let letters = |text: String| -> Vec<Invariant> {
        let violations = check(&bmt_histcheck::read("f", &text).unwrap());
        violations.iter().map(|violation| violation.invariant).collect()
    };
    assert_eq!(letters(published("old") + &store), [Invariant::A]);
    let destroyed = line(5, r#"{"kind":"destroyed","channel":"a"}"#);
    assert_eq!(letters(published("old") + &destroyed + &store), []);
    // The shorter store under the old numbering is what must never happen.
    assert!(letters(published("new") + &destroyed + &store).contains(&Invariant::A));
}
