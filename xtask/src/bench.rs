//! `cargo xtask bench <name>`: measurements against the field's own software, side by side in one run.

use crate::failure::Failure;
use crate::workspace::Workspace;
use crate::{build, node, process};

/// Builds what the bench needs, optimised, and runs it.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<(), Failure> {
    match arguments {
        [name] if name == "fanout" => fanout(workspace),
        _ => Err(Failure::new(
            "name a bench: `cargo xtask bench fanout` (one publisher, many subscribers)",
        )),
    }
}

fn fanout(workspace: &Workspace) -> Result<(), Failure> {
    node::install_modules(workspace, &workspace.root.join("tests"))?;
    let server = build::server(workspace, true)?;
    process::run(
        workspace
            .cargo()
            .args(["run", "--release", "--package", "bmt-tests", "--bin", "bmt-bench"])
            .env("BMT_SERVER_BIN", server),
    )
}
