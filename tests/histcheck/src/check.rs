//! The checks, one file for each kind of evidence.

mod lists;
mod order;
mod places;
mod windows;

use crate::history::{Channel, channels};
use crate::record::{Place, Placed};
use crate::violation::{Invariant, Violation};

/// All violations, by channel and invariant.
#[must_use]
pub fn check(records: &[Placed]) -> Vec<Violation> {
    let mut found = Vec::new();
    for (name, channel) in channels(records) {
        let mut report = Report {
            channel: name,
            found: Vec::new(),
        };
        all(&channel, &mut report);
        report.found.sort_by_key(|violation| violation.invariant);
        found.append(&mut report.found);
    }
    found
}

fn all(channel: &Channel, report: &mut Report) {
    places::acked_is_stored(channel, report);
    places::refused_is_nowhere(channel, report);
    places::one_seq_per_id(channel, report);
    places::one_id_per_seq(channel, report);
    places::seqs_are_contiguous(channel, report);
    order::of_a_connection(channel, report);
    order::after_an_ack(channel, report);
    for (client, list) in &channel.lists {
        lists::ascends_without_a_hole(client, list, report);
        lists::holds_nothing_forbidden(client, list, report);
        let windows = windows::of(list);
        windows::hold_what_was_acked(client, &windows, channel, report);
        windows::hold_what_was_recovered(client, &windows, list, report);
    }
}

/// Where the violations of one channel gather.
struct Report<'a> {
    channel: &'a str,
    found: Vec<Violation>,
}

impl Report<'_> {
    fn add(&mut self, invariant: Invariant, sentence: String, ids: &[&str], seqs: &[u64], places: &[&Place]) {
        self.found.push(Violation {
            invariant,
            channel: self.channel.to_owned(),
            sentence,
            ids: ids.iter().map(|id| (*id).to_owned()).collect(),
            seqs: seqs.to_vec(),
            places: places.iter().map(|place| (*place).clone()).collect(),
        });
    }
}
