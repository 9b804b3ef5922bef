//! The outcomes as tables for people.
#![expect(clippy::print_stdout, reason = "a bench tells its figures on standard output")]

use super::Kind;
use super::load::{Load, Outcome};

type Row = (Load, Vec<(Kind, Outcome)>);

/// One load on every server.
pub(super) fn print(load: &Load, outcomes: &[(Kind, Outcome)]) {
    println!(
        "\n{} × {} subscribers, {} in flight; 128-byte payloads, memory durability, WebSocket",
        load.channels, load.subscribers, load.in_flight
    );
    println!(
        "{:>7} {:>13} {:>16} {:>9} {:>9} {:>9} {:>11}",
        "", "deliveries/s", "per CPU-second", "p50 ms", "p99 ms", "RSS MiB", "load cores"
    );
    for (kind, outcome) in outcomes {
        println!(
            "{:>7} {:>13.0} {:>16.0} {:>9.2} {:>9.2} {:>9.1} {:>11.2}",
            kind.name(),
            outcome.deliveries_per_second,
            outcome.deliveries_per_cpu_second,
            outcome.p50_ms,
            outcome.p99_ms,
            outcome.resident_mib,
            outcome.load_cores,
        );
    }
}

/// Ratios of all loads: deliveries per CPU-second to Node's and to the plain server's, p99 to Node's.
pub(super) fn summarise(rows: &[Row]) {
    println!("\nratios of deliveries per CPU-second, and of p99");
    println!(
        "{:>18} {:>11} {:>11} {:>11} {:>12} {:>13} {:>12}",
        "", "plain/node", "ours/node", "raw/node", "ours/plain", "p99 ours/node", "p99 raw/node"
    );
    for (load, outcomes) in rows {
        let ratio = |of: Kind, to: Kind, figure: fn(&Outcome) -> f64| {
            let find = |wanted| outcomes.iter().find(|(kind, _)| *kind == wanted);
            match (find(of), find(to)) {
                (Some((_, of)), Some((_, to))) => format!("{:.2}", figure(of) / figure(to)),
                _ => "-".to_owned(),
            }
        };
        let speed = |of, to| ratio(of, to, |outcome| outcome.deliveries_per_cpu_second);
        let p99 = |of| ratio(of, Kind::Node, |outcome| outcome.p99_ms);
        println!(
            "{:>18} {:>11} {:>11} {:>11} {:>12} {:>13} {:>12}",
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
