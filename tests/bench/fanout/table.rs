//! The outcomes as tables for people.
#![expect(clippy::print_stdout, reason = "a bench tells its figures on standard output")]

use super::Kind;
use super::load::{Load, Outcome};

/// Every server once, one after the other.
type Round = Vec<(Kind, Outcome)>;
type Row = (Load, Vec<Round>);
type Figure = fn(&Outcome) -> f64;

/// One load on every server: of each figure the middle one of all rounds.
pub(super) fn print(load: &Load, rounds: &[Round]) {
    println!(
        "\n{} × {} subscribers, {} in flight; 128-byte payloads, memory durability, WebSocket",
        load.channels, load.subscribers, load.in_flight
    );
    println!(
        "{:>7} {:>13} {:>16} {:>9} {:>9} {:>9} {:>11}",
        "", "deliveries/s", "per CPU-second", "p50 ms", "p99 ms", "RSS MiB", "load cores"
    );
    for kind in Kind::ALL {
        let all = || rounds.iter().filter_map(|round| of(round, kind));
        if all().next().is_none() {
            continue;
        }
        let figure = |figure: Figure| median(all().map(figure)).unwrap_or(f64::NAN);
        println!(
            "{:>7} {:>13.0} {:>16.0} {:>9.2} {:>9.2} {:>9.1} {:>11.2}",
            kind.name(),
            figure(|outcome| outcome.deliveries_per_second),
            figure(|outcome| outcome.deliveries_per_cpu_second),
            figure(|outcome| outcome.p50_ms),
            figure(|outcome| outcome.p99_ms),
            figure(|outcome| outcome.resident_mib),
            figure(|outcome| outcome.load_cores),
        );
    }
}

fn of(round: &Round, wanted: Kind) -> Option<&Outcome> {
    let found = round.iter().find(|(kind, _)| *kind == wanted);
    found.map(|(_, outcome)| outcome)
}

fn median(figures: impl Iterator<Item = f64>) -> Option<f64> {
    quartiles(figures).map(|[_, median, _]| median)
}

fn quartiles(figures: impl Iterator<Item = f64>) -> Option<[f64; 3]> {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    let last = figures.len().checked_sub(1)?;
    Some([1, 2, 3].map(|quarter| figures[(last * quarter + 2) / 4]))
}

/// Ratios of all loads: deliveries per CPU-second to Node's and to the plain server's, p99 to Node's. Each is the middle
/// one of the ratios of all rounds, with the quarters in brackets: half of all rounds lie between them.
pub(super) fn summarise(rows: &[Row]) {
    println!("\nratios of deliveries per CPU-second, and of p99");
    println!(
        "{:>16} {:>18} {:>18} {:>18} {:>18} {:>18} {:>18}",
        "", "plain/node", "ours/node", "raw/node", "ours/plain", "p99 ours/node", "p99 raw/node"
    );
    for (load, rounds) in rows {
        let ratio = |one: Kind, other: Kind, figure: Figure| {
            let ratios = rounds
                .iter()
                .filter_map(|round| Some(figure(of(round, one)?) / figure(of(round, other)?)));
            quartiles(ratios).map_or_else(
                || "-".to_owned(),
                |[low, ratio, high]| format!("{ratio:.2} [{low:.2} {high:.2}]"),
            )
        };
        let speed = |one, other| ratio(one, other, |outcome| outcome.deliveries_per_cpu_second);
        let p99 = |one| ratio(one, Kind::Node, |outcome| outcome.p99_ms);
        println!(
            "{:>16} {:>18} {:>18} {:>18} {:>18} {:>18} {:>18}",
            format!("{} × {}, W {}", load.channels, load.subscribers, load.in_flight),
            speed(Kind::Plain, Kind::Node),
            speed(Kind::SocketIo, Kind::Node),
            speed(Kind::Raw, Kind::Node),
            speed(Kind::SocketIo, Kind::Plain),
            p99(Kind::SocketIo),
            p99(Kind::Raw),
        );
    }
}
