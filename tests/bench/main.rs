//! The fan-out bench: one publisher, many subscribers of one channel, our server and the official Node server in
//! turn in one run. Prints what each delivers per second and per CPU-second, its latencies and its memory, and
//! the ratios. Run by `cargo xtask bench fanout`.

mod load;
mod server;
mod table;

use std::time::Duration;

use load::{Load, Outcome};
use server::Server;

/// How long each measurement runs, after a second of warming up.
const MEASURE: Duration = Duration::from_secs(8);
/// Subscribers, and publishes in flight.
const LOADS: [(usize, usize); 4] = [(200, 1), (200, 8), (1_000, 1), (1_000, 8)];

fn main() -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| format!("the runtime did not start: {error}"))?;
    let mut rows = Vec::new();
    for (subscribers, in_flight) in LOADS {
        let load = Load {
            subscribers,
            in_flight,
            measure: MEASURE,
        };
        let mut measured = Vec::new();
        for start in [Server::node, Server::ours] {
            let server = start()?;
            measured.push(runtime.block_on(load.run(&server))?);
        }
        let [node, ours]: [Outcome; 2] = measured.try_into().map_err(|_| "two servers, two outcomes")?;
        rows.push((load, node, ours));
    }
    table::print(&rows);
    Ok(())
}
