//! The outcome as a table for people.
#![expect(clippy::print_stdout, reason = "a bench tells its figures on standard output")]

use crate::load::{Load, Outcome};

pub(crate) fn print(rows: &[(Load, Outcome, Outcome)]) {
    println!("fan-out, 128-byte payloads, memory durability, one publisher, Socket.IO over WebSocket");
    println!(
        "{:>11} {:>9}  {:<5} {:>13} {:>16} {:>9} {:>9} {:>9}",
        "subscribers", "in flight", "", "deliveries/s", "per CPU-second", "p50 ms", "p99 ms", "RSS MiB"
    );
    for (load, node, ours) in rows {
        print_row(load, "node", node);
        print_row(load, "ours", ours);
        println!(
            "{:>27}  {:>13.2} {:>16.2} {:>9.2} {:>9.2} {:>9.2}",
            "ours / node",
            ours.deliveries_per_second / node.deliveries_per_second,
            ours.deliveries_per_cpu_second / node.deliveries_per_cpu_second,
            ours.p50_ms / node.p50_ms,
            ours.p99_ms / node.p99_ms,
            ours.resident_mib / node.resident_mib,
        );
    }
}

fn print_row(load: &Load, name: &str, outcome: &Outcome) {
    println!(
        "{:>11} {:>9}  {:<5} {:>13.0} {:>16.0} {:>9.2} {:>9.2} {:>9.1}",
        load.subscribers,
        load.in_flight,
        name,
        outcome.deliveries_per_second,
        outcome.deliveries_per_cpu_second,
        outcome.p50_ms,
        outcome.p99_ms,
        outcome.resident_mib,
    );
}
