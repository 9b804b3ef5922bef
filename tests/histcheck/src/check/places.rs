//! Where ids stand: (A) in the store, (B), (C), (D), (F).

use std::collections::{BTreeMap, HashMap};

use super::Report;
use crate::history::{Channel, End, Position, Seen};
use crate::violation::Invariant;

/// (A), as far as the store goes.
pub(super) fn acked_is_stored(channel: &Channel, report: &mut Report) {
    let Some(store) = &channel.store else { return };
    for publish in &channel.publishes {
        let End::Acked {
            at_us,
            seq,
            epoch,
            place,
        } = publish.end
        else {
            continue;
        };
        let same_epoch = epoch.is_none_or(|epoch| epoch == store.epoch);
        let destroyed = channel.destroyed_us.is_some_and(|us| at_us <= us) && epoch != Some(store.epoch);
        let trimmed = same_epoch && seq < store.oldest;
        if destroyed || trimmed {
            continue;
        }
        let kept = store.ids.get(&seq);
        if same_epoch && kept == Some(&publish.id) {
            continue;
        }
        let instead = match kept {
            Some(other) if same_epoch => format!("the store has {other} there"),
            _ if same_epoch => format!("the store, whose top is {}, has nothing there", store.top),
            _ => format!("the store's epoch is {} now", store.epoch),
        };
        let sentence = format!(
            "{} published {}, it was acked as seq {seq}, and {instead}",
            publish.client, publish.id
        );
        report.add(
            Invariant::A,
            sentence,
            &[publish.id],
            &[seq],
            &[publish.place, place, store.place],
        );
    }
}

/// (B).
pub(super) fn refused_is_nowhere(channel: &Channel, report: &mut Report) {
    let seen: HashMap<&str, &Seen> = channel.seen.iter().map(|seen| (seen.id, seen)).collect();
    for publish in &channel.publishes {
        let End::Refused { place } = publish.end else {
            continue;
        };
        let Some(seen) = seen.get(publish.id) else {
            continue;
        };
        let sentence = format!(
            "{} of {} was refused and yet is seq {}",
            publish.id, publish.client, seen.at.1
        );
        report.add(
            Invariant::B,
            sentence,
            &[publish.id],
            &[seen.at.1],
            &[place, seen.place],
        );
    }
}

/// (C).
pub(super) fn one_seq_per_id(channel: &Channel, report: &mut Report) {
    let mut first: HashMap<&str, &Seen> = HashMap::new();
    let mut told: BTreeMap<(&str, Position), ()> = BTreeMap::new();
    for seen in &channel.seen {
        let known = *first.entry(seen.id).or_insert(seen);
        if known.at == seen.at || told.insert((seen.id, seen.at), ()).is_some() {
            continue;
        }
        let sentence = format!("{} is {} and {}", seen.id, position(known.at), position(seen.at));
        report.add(
            Invariant::C,
            sentence,
            &[seen.id],
            &[known.at.1, seen.at.1],
            &[known.place, seen.place],
        );
    }
}

/// (F).
pub(super) fn one_id_per_seq(channel: &Channel, report: &mut Report) {
    let mut first: HashMap<Position, &Seen> = HashMap::new();
    let mut told: BTreeMap<(Position, &str), ()> = BTreeMap::new();
    for seen in &channel.seen {
        let known = *first.entry(seen.at).or_insert(seen);
        if known.id == seen.id || told.insert((seen.at, seen.id), ()).is_some() {
            continue;
        }
        let sentence = format!("{} is {} and {}", position(seen.at), known.id, seen.id);
        report.add(
            Invariant::F,
            sentence,
            &[known.id, seen.id],
            &[seen.at.1],
            &[known.place, seen.place],
        );
    }
}

/// (D): the store has every seq from its oldest to its top, and nobody saw one above it. In a numbering that the
/// store no longer has, what was seen has no hole.
pub(super) fn seqs_are_contiguous(channel: &Channel, report: &mut Report) {
    let mut by_epoch: BTreeMap<&str, BTreeMap<u64, &Seen>> = BTreeMap::new();
    for seen in &channel.seen {
        by_epoch.entry(seen.at.0).or_default().insert(seen.at.1, seen);
    }
    if let Some(store) = &channel.store {
        let missing: Vec<u64> = (store.oldest.max(1)..=store.top)
            .filter(|seq| !store.ids.contains_key(seq))
            .collect();
        if !missing.is_empty() {
            let sentence = format!(
                "the store says {} to {} and lacks {}",
                store.oldest,
                store.top,
                runs(&missing)
            );
            report.add(Invariant::D, sentence, &[], &missing, &[store.place]);
        }
        let above = by_epoch
            .get(store.epoch)
            .and_then(|seen| seen.range(store.top + 1..).next());
        if let Some((seq, seen)) = above {
            let sentence = format!(
                "{} was seen as seq {seq}, above the store's top {}",
                seen.id, store.top
            );
            report.add(
                Invariant::D,
                sentence,
                &[seen.id],
                &[*seq],
                &[seen.place, store.place],
            );
        }
    }
    for (epoch, seen) in by_epoch {
        if channel.store.as_ref().is_some_and(|store| store.epoch == epoch) {
            continue;
        }
        for (low, high) in seen.iter().zip(seen.iter().skip(1)) {
            if *high.0 != low.0 + 1 {
                let sentence = format!(
                    "in epoch {epoch} nothing was seen between {} and {}",
                    low.0, high.0
                );
                let places = [low.1.place, high.1.place];
                report.add(
                    Invariant::D,
                    sentence,
                    &[low.1.id, high.1.id],
                    &[*low.0, *high.0],
                    &places,
                );
            }
        }
    }
}

fn position((epoch, seq): Position) -> String {
    format!("seq {seq} of epoch {epoch}")
}

/// Numbers as runs: `3–5, 9`.
pub(super) fn runs(seqs: &[u64]) -> String {
    let mut runs: Vec<(u64, u64)> = Vec::new();
    for &seq in seqs {
        match runs.last_mut() {
            Some((_, end)) if *end + 1 == seq => *end = seq,
            _ => runs.push((seq, seq)),
        }
    }
    let texts: Vec<String> = runs
        .iter()
        .map(|(from, to)| {
            if from == to {
                from.to_string()
            } else {
                format!("{from}–{to}")
            }
        })
        .collect();
    texts.join(", ")
}
