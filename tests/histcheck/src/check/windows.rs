//! Which seqs a subscriber has to have: (A) in lists, (I).

use std::collections::{BTreeSet, HashMap};

use super::Report;
use super::places::runs;
use crate::history::{Channel, End};
use crate::record::{Event, Place, Placed};
use crate::violation::Invariant;

/// A stretch of one numbering that a subscriber followed: `after` < seq ≤ `to`.
pub(super) struct Window<'a> {
    epoch: &'a str,
    after: u64,
    to: u64,
    /// What it was delivered, and what it was told it is not entitled to.
    had: BTreeSet<u64>,
    place: &'a Place,
    /// Nothing was delivered since it was told of a break: the page to come says where it begins.
    open_begin: bool,
}

/// The windows of a list, in its order.
pub(super) fn of<'a>(list: &[&'a Placed]) -> Vec<Window<'a>> {
    let mut windows: Vec<Window> = Vec::new();
    for placed in list {
        let place = &placed.place;
        let last = windows.last_mut();
        match &placed.record.event {
            Event::Subscribed {
                epoch,
                recovered,
                from,
                to,
                ..
            } => match (recovered, last) {
                (Some(true), Some(window)) if window.epoch == epoch => window.to = window.to.max(*to),
                (Some(true), _) => windows.push(begin(epoch, from.unwrap_or(0), *to, place)),
                (None, Some(window)) if window.epoch == epoch && window.to == *to => {}
                (None, _) => windows.push(begin(epoch, *to, *to, place)),
                (Some(false), _) => {
                    let mut window = begin(epoch, *to, *to, place);
                    window.open_begin = true;
                    windows.push(window);
                }
            },
            Event::Deliver { epoch, seq, prev, .. } => {
                let (seq, prev) = (*seq, prev.unwrap_or(seq.saturating_sub(1)));
                match last {
                    Some(window) if window.epoch == epoch => {
                        if window.open_begin {
                            window.open_begin = false;
                            window.after = window.after.min(prev);
                        }
                        window.had.extend(prev + 1..=seq);
                        window.to = window.to.max(seq);
                    }
                    _ => {
                        let mut window = begin(epoch, prev, seq, place);
                        window.had.insert(seq);
                        windows.push(window);
                    }
                }
            }
            Event::Gap { .. } => {
                if let Some(window) = last {
                    let epoch = window.epoch;
                    // Nothing is owed until something comes: what was missed has been told.
                    let mut window = begin(epoch, u64::MAX, 0, place);
                    window.open_begin = true;
                    windows.push(window);
                }
            }
            Event::Covered { epoch, to, .. } => {
                if let Some(window) = last.filter(|window| window.epoch == epoch) {
                    window.to = window.to.max(*to);
                }
            }
            _ => {}
        }
    }
    windows
}

fn begin<'a>(epoch: &'a str, after: u64, to: u64, place: &'a Place) -> Window<'a> {
    Window {
        epoch,
        after,
        to,
        had: BTreeSet::new(),
        place,
        open_begin: false,
    }
}

/// (A), as far as subscribers go.
pub(super) fn hold_what_was_acked(client: &str, windows: &[Window], channel: &Channel, report: &mut Report) {
    let mut had: HashMap<&str, BTreeSet<u64>> = HashMap::new();
    for window in windows {
        had.entry(window.epoch).or_default().extend(&window.had);
    }
    for publish in &channel.publishes {
        let End::Acked {
            seq,
            epoch: Some(epoch),
            place,
            ..
        } = publish.end
        else {
            continue;
        };
        let covers = |window: &&Window| window.epoch == epoch && window.after < seq && seq <= window.to;
        let Some(window) = windows.iter().find(covers) else {
            continue;
        };
        if had.get(epoch).is_some_and(|seqs| seqs.contains(&seq)) {
            continue;
        }
        let sentence = format!(
            "{client} followed {}–{} and was never delivered {}, acked as seq {seq}",
            window.after + 1,
            window.to,
            publish.id
        );
        report.add(
            Invariant::A,
            sentence,
            &[publish.id],
            &[seq],
            &[place, window.place],
        );
    }
}

/// (I).
pub(super) fn hold_what_was_recovered(
    client: &str,
    windows: &[Window],
    list: &[&Placed],
    report: &mut Report,
) {
    for placed in list {
        let Event::Subscribed {
            epoch,
            recovered: Some(true),
            from: Some(from),
            to,
            ..
        } = &placed.record.event
        else {
            continue;
        };
        let had = |seq: &u64| {
            windows
                .iter()
                .any(|window| window.epoch == epoch && window.had.contains(seq))
        };
        let missing: Vec<u64> = (from + 1..=*to).filter(|seq| !had(seq)).collect();
        if !missing.is_empty() {
            let sentence = format!(
                "{client} was told that {}–{to} is recovered and was never delivered {}",
                from + 1,
                runs(&missing)
            );
            report.add(Invariant::I, sentence, &[], &missing, &[&placed.place]);
        }
    }
}
