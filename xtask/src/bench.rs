//! `cargo xtask bench <name>`: measurements against the field's own software, side by side in one run.

mod client;

use crate::failure::Failure;
use crate::workspace::Workspace;
use crate::{build, node, process};

/// What there is to measure, each with a word on it.
const BENCHES: [(&str, &str); 5] = [
    (
        "fanout",
        "one publisher, many subscribers: ours, the official Node server, plain socketioxide",
    ),
    ("store", "stored publishes against what the disk takes"),
    ("idle", "memory of 10,000 connections that do nothing"),
    (
        "recovery",
        "1,000 clients that come back at once after the server was killed",
    ),
    (
        CLIENT,
        "the npm package in Chromium beside the official client: size, cost, speed, recovery",
    ),
];

/// The one whose load is a browser.
const CLIENT: &str = "client";

/// Builds what the bench needs, optimised, and runs it. Further arguments go to the bench.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<(), Failure> {
    let known = |name: &str| BENCHES.iter().any(|(bench, _)| *bench == name);
    if !arguments.first().is_some_and(|name| known(name)) {
        let list: Vec<_> = BENCHES
            .iter()
            .map(|(name, about)| format!("`cargo xtask bench {name}` ({about})"))
            .collect();
        return Err(Failure::new(format!("name a bench: {}", list.join("; "))));
    }
    if arguments == [CLIENT] {
        return client::run(workspace);
    }
    node::install_modules(workspace, &workspace.root.join("tests"))?;
    let server = build::server(workspace, true)?;
    // All of them: the yardstick of one bench is a program beside it.
    process::run(
        workspace
            .cargo()
            .args(["build", "--release", "--package", "bmt-tests", "--bins"]),
    )?;
    process::run(
        workspace
            .cargo()
            .args([
                "run",
                "--release",
                "--package",
                "bmt-tests",
                "--bin",
                "bmt-bench",
                "--",
            ])
            .args(arguments)
            .env("BMT_SERVER_BIN", server),
    )
}
