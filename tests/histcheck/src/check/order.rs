//! In which order publishes were numbered: (G), (H).

use std::collections::HashMap;

use super::Report;
use crate::history::{Channel, End, Publish};
use crate::violation::Invariant;

/// (G).
pub(super) fn of_a_connection(channel: &Channel, report: &mut Report) {
    let positions = channel.positions();
    let mut last: HashMap<(&str, u64, &str), (&Publish, u64)> = HashMap::new();
    for publish in &channel.publishes {
        let Some(&(epoch, seq)) = positions.get(publish.id) else {
            continue;
        };
        let lane = (publish.client, publish.conn, epoch);
        if let Some((before, lower)) = last.get(&lane)
            && *lower >= seq
        {
            let sentence = format!(
                "{} published {} before {}, which are seq {lower} and {seq}",
                publish.client, before.id, publish.id
            );
            report.add(
                Invariant::G,
                sentence,
                &[before.id, publish.id],
                &[*lower, seq],
                &[before.place, publish.place],
            );
            continue;
        }
        last.insert(lane, (publish, seq));
    }
}

/// (H).
pub(super) fn after_an_ack(channel: &Channel, report: &mut Report) {
    let positions = channel.positions();
    let mut by_epoch: HashMap<&str, Timeline> = HashMap::new();
    for publish in &channel.publishes {
        let Some(&(epoch, seq)) = positions.get(publish.id) else {
            continue;
        };
        let timeline = by_epoch.entry(epoch).or_default();
        timeline.begun.push((publish.begun_us, seq, publish));
        if let End::Acked { at_us, seq, .. } = publish.end {
            timeline.acked.push((at_us, seq, publish));
        }
    }
    for timeline in by_epoch.values_mut() {
        timeline.sweep(report);
    }
}

/// The publishes of one numbering by time.
#[derive(Default)]
struct Timeline<'a> {
    begun: Vec<(u64, u64, &'a Publish<'a>)>,
    acked: Vec<(u64, u64, &'a Publish<'a>)>,
}

impl Timeline<'_> {
    /// Every publish against the greatest seq that was acked before it began.
    fn sweep(&mut self, report: &mut Report) {
        self.begun.sort_by_key(|(at, ..)| *at);
        self.acked.sort_by_key(|(at, ..)| *at);
        let mut acks = self.acked.iter().peekable();
        let mut greatest: Option<(u64, &Publish)> = None;
        for (begun_us, seq, publish) in &self.begun {
            while let Some((_, acked, of)) = acks.next_if(|(at, ..)| at < begun_us) {
                if greatest.is_none_or(|(known, _)| *acked > known) {
                    greatest = Some((*acked, of));
                }
            }
            if let Some((acked, earlier)) = greatest
                && acked >= *seq
                && earlier.id != publish.id
            {
                let sentence = format!(
                    "{} was acked as seq {acked} before {} began, which is seq {seq}",
                    earlier.id, publish.id
                );
                let places = [earlier.place, publish.place];
                report.add(
                    Invariant::H,
                    sentence,
                    &[earlier.id, publish.id],
                    &[acked, *seq],
                    &places,
                );
            }
        }
    }
}
