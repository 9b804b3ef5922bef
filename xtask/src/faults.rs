//! `cargo xtask faults [--seed N] [--full] [row…]`: the fault suite of `tests/faults`, which is too long for the test command.

use std::process::Command;

use crate::failure::Failure;
use crate::workspace::Workspace;
use crate::{build, node, process};

/// What the suite calls the server of which figures are asked.
const OPTIMISED: &str = "optimised";

/// Builds the servers and the suite and runs the rows that are named, or all.
///
/// Most rows are about what the server does, not how fast, and run the one of development; the optimised one is
/// built where a row asks for it.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<(), Failure> {
    // The official clients among the load.
    node::install_modules(workspace, &workspace.root.join("tests"))?;
    let server = build::server(workspace, false)?;
    let builds = process::output(suite(workspace).arg("--builds").args(arguments))?;
    let mut suite = suite(workspace);
    suite.args(arguments).env("BMT_SERVER_BIN", server);
    if builds.lines().any(|build| build == OPTIMISED) {
        suite.env("BMT_OPTIMISED_SERVER_BIN", build::server(workspace, true)?);
    }
    process::run(&mut suite)
}

/// The suite, to be given arguments.
fn suite(workspace: &Workspace) -> Command {
    let mut cargo = workspace.cargo();
    cargo.args(["run", "--quiet", "--package", "bmt-faults", "--"]);
    cargo
}
