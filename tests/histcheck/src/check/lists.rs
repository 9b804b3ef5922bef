//! What one subscriber was delivered, in its order: (E), (J).

use super::Report;
use crate::record::{Event, Place, Placed};
use crate::violation::Invariant;

/// Where a list stands.
#[derive(Clone, Copy)]
struct Cursor<'a> {
    epoch: &'a str,
    /// Unknown right behind a break: the page that comes may begin anywhere.
    seq: Option<u64>,
    place: &'a Place,
}

/// (E).
pub(super) fn ascends_without_a_hole(client: &str, list: &[&Placed], report: &mut Report) {
    let mut cursor: Option<Cursor> = None;
    for placed in list {
        let place = &placed.place;
        match &placed.record.event {
            Event::Subscribed {
                epoch, recovered, to, ..
            } => match recovered {
                Some(true) => {
                    if let Some(stood) = cursor.filter(|stood| stood.epoch != *epoch) {
                        let sentence = format!(
                            "{client} was told `recovered: true` from epoch {} into epoch {epoch}",
                            stood.epoch
                        );
                        report.add(Invariant::E, sentence, &[], &[], &[stood.place, place]);
                    }
                    let seq = cursor.and_then(|stood| stood.seq);
                    cursor = Some(Cursor { epoch, seq, place });
                }
                // The newest page comes, or nothing.
                Some(false) => {
                    cursor = Some(Cursor {
                        epoch,
                        seq: None,
                        place,
                    });
                }
                None => {
                    // A subscription in place that only changed its options goes on.
                    let goes_on = cursor.is_some_and(|stood| stood.epoch == epoch && stood.seq == Some(*to));
                    if !goes_on {
                        cursor = Some(Cursor {
                            epoch,
                            seq: Some(*to),
                            place,
                        });
                    }
                }
            },
            Event::Gap { .. } => cursor = None,
            Event::Deliver {
                epoch, seq, id, prev, ..
            } => {
                if let Some(stood) = cursor {
                    delivered(client, stood, (epoch, *seq, *prev), (id, place), report);
                }
                cursor = Some(Cursor {
                    epoch,
                    seq: Some(*seq),
                    place,
                });
            }
            _ => {}
        }
    }
}

fn delivered(
    client: &str,
    stood: Cursor,
    (epoch, seq, prev): (&str, u64, Option<u64>),
    (id, place): (&str, &Place),
    report: &mut Report,
) {
    let places = [stood.place, place];
    if stood.epoch != epoch {
        let sentence = format!(
            "{client} was delivered {id} of epoch {epoch} in a list of epoch {}",
            stood.epoch
        );
        report.add(Invariant::E, sentence, &[id], &[seq], &places);
        return;
    }
    let Some(at) = stood.seq else { return };
    let entitled = prev.unwrap_or(seq.saturating_sub(1));
    let what = if seq == at {
        "twice"
    } else if seq < at {
        "backwards"
    } else if entitled > at {
        "over a hole"
    } else {
        return;
    };
    let sentence = format!("{client} stood at seq {at} and was delivered {id}, seq {seq}: {what}");
    report.add(Invariant::E, sentence, &[id], &[at, seq], &places);
}

/// (J).
pub(super) fn holds_nothing_forbidden(client: &str, list: &[&Placed], report: &mut Report) {
    let mut forbidden: Option<&Place> = None;
    for placed in list {
        match &placed.record.event {
            Event::Forbidden { .. } => forbidden = Some(&placed.place),
            Event::Permitted { .. } => forbidden = None,
            Event::Deliver { seq, id, .. } => {
                if let Some(since) = forbidden {
                    let sentence = format!("{client} may not read this and was delivered {id}, seq {seq}");
                    report.add(Invariant::J, sentence, &[id], &[*seq], &[since, &placed.place]);
                }
            }
            _ => {}
        }
    }
}
