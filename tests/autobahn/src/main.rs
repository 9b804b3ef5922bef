//! `bmt-autobahn <wstest> <report folder>`: Autobahn's fuzzing client against the WebSocket code of `/api/v1/ws`
//! (FAULTS 1, 2). Run by `cargo xtask autobahn`, which installs Autobahn first.
//!
//! The product has no echo, and Autobahn needs one. So this program puts one behind the very code that reads and
//! writes the frames of the raw endpoint, [`bmt_server::connection::Wire`], and behind its handshake.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line program talks on its standard streams"
)]

mod echo;
mod report;
mod verdict;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::json;
use tokio::net::TcpListener;
use tokio::process::Command;

use report::Report;

/// What the server is called in the report.
const AGENT: &str = "bmt";
/// Framing, pings, reserved bits, opcodes, fragments, UTF-8, closing; limits and performance; splits; compression.
/// (There is no section 8 or 11.)
const CASES: [&str; 11] = [
    "1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "9.*", "10.*", "12.*", "13.*",
];

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [wstest, folder] = &arguments[..] else {
        eprintln!("usage: bmt-autobahn <wstest> <report folder>; `cargo xtask autobahn` does all of it");
        return ExitCode::from(2);
    };
    match run(wstest, folder).await {
        Ok(report) => {
            println!("{report}");
            println!("each case by itself: {}", folder.join("index.html").display());
            report.exit_code()
        }
        Err(reason) => {
            eprintln!("error: {reason}");
            ExitCode::FAILURE
        }
    }
}

async fn run(wstest: &Path, folder: &Path) -> Result<Report, String> {
    let listener = TcpListener::bind(("127.0.0.1", 0))
        .await
        .map_err(|error| format!("no port to listen on: {error}"))?;
    let address = listener
        .local_addr()
        .map_err(|error| format!("the port is not known: {error}"))?;
    let echo = tokio::spawn(echo::serve(listener));
    let fuzzed = fuzz(wstest, folder, address).await;
    echo.abort();
    fuzzed?;
    let path = folder.join("index.json");
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    Report::parse(&text, AGENT)
}

/// Runs the fuzzing client to its end.
async fn fuzz(wstest: &Path, folder: &Path, address: SocketAddr) -> Result<(), String> {
    let named = |error| format!("{}: {error}", folder.display());
    std::fs::create_dir_all(folder).map_err(named)?;
    let specification = json!({
        "outdir": folder,
        "servers": [{"agent": AGENT, "url": format!("ws://{address}")}],
        "cases": CASES,
        "exclude-cases": [],
        "exclude-agent-cases": {},
    });
    let path = folder.join("fuzzingclient.json");
    std::fs::write(&path, specification.to_string()).map_err(named)?;
    let status = Command::new(wstest)
        .args(["--mode", "fuzzingclient", "--spec"])
        .arg(&path)
        .current_dir(folder)
        .stdout(std::process::Stdio::null())
        .status()
        .await
        .map_err(|error| format!("{} could not be started: {error}", wstest.display()))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{} ended with {status}", wstest.display()))
    }
}
