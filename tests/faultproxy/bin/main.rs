//! `bmt-faultproxy ADDRESS SEED`: the proxy for tests that are not written in Rust.
//!
//! It prints the address it listens on, then does what each line of its input says and answers `ok N`, where N is
//! how many connections that ended, or `error …`; with the end of its input it ends too.
//!
//! | line | from now on, or once |
//! | --- | --- |
//! | `fair` | bytes pass as they come |
//! | `stall` | nothing passes |
//! | `silent server`, `silent client` | nothing passes to that side |
//! | `slow LATENCY_MS JITTER_MS SLICE_BYTES` | bytes take their time and come in pieces |
//! | `refuse`, `accept` | new connections are reset, or not any more |
//! | `cut`, `reset` | every open connection ends, by FIN or by RST |

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line program talks on its standard streams"
)]

use std::io::BufRead;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use bmt_faultproxy::{Direction, Proxy, Weather};
use tokio::sync::mpsc;

/// Lines that wait to be done; whoever writes them waits for each answer.
const WAITING_LINES: usize = 16;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let parsed = match arguments.as_slice() {
        [server, seed] => server.parse::<SocketAddr>().ok().zip(seed.parse::<u64>().ok()),
        _ => None,
    };
    let Some((server, seed)) = parsed else {
        eprintln!("Usage: bmt-faultproxy ADDRESS SEED");
        return ExitCode::from(2);
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime.and_then(|runtime| runtime.block_on(run(server, seed))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(server: SocketAddr, seed: u64) -> std::io::Result<()> {
    let proxy = Proxy::start(server, seed).await?;
    println!("{}", proxy.address());
    let (said, mut lines) = mpsc::channel(WAITING_LINES);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if said.blocking_send(line).is_err() {
                return;
            }
        }
    });
    while let Some(line) = lines.recv().await {
        match obey(&proxy, &line) {
            Some(ended) => println!("ok {ended}"),
            None => println!("error unknown: {line}"),
        }
    }
    Ok(())
}

/// Does what a line says; answers how many connections that ended, or [`None`] where it says nothing that is known.
fn obey(proxy: &Proxy, line: &str) -> Option<usize> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let weather = match words.as_slice() {
        ["cut"] => return Some(proxy.cut()),
        ["reset"] => return Some(proxy.reset()),
        ["refuse"] | ["accept"] => {
            proxy.refuse(words == ["refuse"]);
            return Some(0);
        }
        ["fair"] => Weather::fair(),
        ["stall"] => Weather {
            stalled: true,
            ..Weather::fair()
        },
        ["silent", side @ ("server" | "client")] => Weather {
            silent: Some(if *side == "server" {
                Direction::ToServer
            } else {
                Direction::ToClient
            }),
            ..Weather::fair()
        },
        ["slow", latency, jitter, slice] => Weather {
            latency: Duration::from_millis(latency.parse().ok()?),
            jitter: Duration::from_millis(jitter.parse().ok()?),
            slice: Some(slice.parse().ok()?),
            ..Weather::fair()
        },
        _ => return None,
    };
    proxy.set(weather);
    Some(0)
}
