//! The benches of `cargo xtask bench <name>`. Each starts its servers by itself, loads them from this process and
//! prints figures and ratios.

mod fanout;
mod peer;
mod server;
mod socket;

use tokio::runtime::{Builder, Runtime};

fn main() -> Result<(), String> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.split_first() {
        Some((name, only)) if name == "fanout" => fanout::run(only),
        _ => Err("name a bench: fanout".to_owned()),
    }
}

fn runtime() -> Result<Runtime, String> {
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| format!("the runtime did not start: {error}"))
}
