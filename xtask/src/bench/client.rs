//! `cargo xtask bench client`: the npm package beside the official client, in a browser.

use crate::failure::Failure;
use crate::tools::{Tools, chromium};
use crate::workspace::Workspace;
use crate::{build, node, npm, process};

/// Builds the package and the server, and lets Node drive the browser. What can be set is told in the script.
pub(super) fn run(workspace: &Workspace) -> Result<(), Failure> {
    let tools = Tools::ensure(workspace)?;
    let browser = chromium::ensure()?;
    node::install_modules(workspace, &workspace.root.join("tests"))?;
    // Its `dist` is what is measured.
    npm::pack(workspace, &tools)?;
    let server = build::server(workspace, true)?;
    process::run(
        workspace
            .command("node")
            .arg("tests/bench/client/main.mjs")
            .env("BMT_SERVER_BIN", server)
            .env("BMT_CHROMIUM", browser),
    )
}
