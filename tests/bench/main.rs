//! The benches of `cargo xtask bench <name>`. Each starts its servers by itself, loads them from this process and
//! prints figures and ratios.

mod fanout;
mod idle;
mod peer;
mod recovery;
mod server;
mod socket;
mod store;

use tokio::runtime::{Builder, Runtime};

fn main() -> Result<(), String> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.split_first() {
        Some((name, only)) if name == "fanout" => fanout::run(only),
        Some((name, only)) if name == "idle" => idle::run(only),
        Some((name, [])) if name == "store" => store::run(),
        Some((name, [])) if name == "recovery" => recovery::run(),
        _ => Err("name a bench: fanout, idle, store or recovery".to_owned()),
    }
}

#[expect(clippy::print_stdout, reason = "a bench tells its figures on standard output")]
fn say(line: &str) {
    println!("{line}");
}

fn percentile_ms(sorted_us: &[u32], percent: usize) -> f64 {
    let at = (sorted_us.len().saturating_sub(1)) * percent / 100;
    sorted_us.get(at).map_or(f64::NAN, |us| f64::from(*us) / 1_000.0)
}

fn runtime() -> Result<Runtime, String> {
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| format!("the runtime did not start: {error}"))
}
