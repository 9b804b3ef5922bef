//! `cargo xtask faults [--seed N] [--full] [row…]`: the fault suite of `tests/faults`, which is too long for the test command.

use crate::failure::Failure;
use crate::workspace::Workspace;
use crate::{build, process};

/// Builds the server and the suite and runs the rows that are named, or all.
///
/// The server is the one of development: faults are about what it does, not how fast.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<(), Failure> {
    let server = build::server(workspace, false)?;
    let mut cargo = workspace.cargo();
    cargo.args(["run", "--quiet", "--package", "bmt-faults", "--"]);
    process::run(cargo.args(arguments).env("BMT_SERVER_BIN", server))
}
