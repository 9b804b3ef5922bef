//! `cargo xtask docs`: the pages of `docs/` that are made from the sources.

use crate::failure::Failure;
use crate::process;
use crate::workspace::Workspace;

/// Runs the tests that compare the pages, told to write what differs instead.
pub(crate) fn run(workspace: &Workspace, _arguments: &[String]) -> Result<(), Failure> {
    process::run(
        workspace
            .cargo()
            .args(["test", "--package", "bmt-server", "--test", "documents"])
            .env("BMT_WRITE_DOCS", "1"),
    )
}
