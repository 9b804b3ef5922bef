//! The web app: built by trunk into `dist`, compressed there, embedded by the server's build script.

use std::path::PathBuf;

use crate::failure::Failure;
use crate::process;
use crate::stamp::Stamp;
use crate::tools::{Tools, WASM_TARGET};
use crate::workspace::Workspace;

/// What the web app is made of.
const SOURCES: &[&str] = &[
    "Cargo.lock",
    "Cargo.toml",
    "Trunk.toml",
    "client/app",
    "client/core",
    "client/web",
    "index.html",
    "shared",
    "xtask/src/app.rs",
    "xtask/src/app",
    "xtask/src/tools/binaryen.rs",
];

/// Writes a `.br` beside each file that gets smaller; Node is there and has the fastest brotli at hand.
const COMPRESS: &str = include_str!("app/compress.mjs");

/// Builds the app unless `dist` holds what these sources make.
pub(crate) fn ensure(workspace: &Workspace) -> Result<(), Failure> {
    let sources: Vec<PathBuf> = SOURCES.iter().map(|name| workspace.root.join(name)).collect();
    let stamp = Stamp::of(&sources)?;
    let dist = workspace.root.join("dist");
    let stamp_file = dist.join(".stamp");
    if stamp.is_in(&stamp_file) {
        return Ok(());
    }
    let tools = Tools::ensure(workspace)?;
    eprintln!("building the web app (the first time about three minutes)");
    fetch(workspace)?;
    let mut trunk = workspace.command("trunk");
    tools.first_on_path(&mut trunk)?;
    // Trunk reads NO_COLOR as a bool and dies of the usual `1`.
    trunk.env_remove("NO_COLOR");
    trunk
        .args([
            "build",
            "--release",
            "--offline",
            "--skip-version-check",
            "--dist",
        ])
        .arg(&dist);
    process::run(&mut trunk)?;
    process::run(
        workspace
            .command("node")
            .args(["--input-type=module", "--eval", COMPRESS, "--"])
            .arg(&dist),
    )?;
    stamp.write(&stamp_file)
}

/// Downloads the crates, which `trunk --offline` passes on to Cargo as forbidden.
fn fetch(workspace: &Workspace) -> Result<(), Failure> {
    let rustc = process::output(workspace.command("rustc").arg("-vV"))?;
    let host = rustc
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .ok_or_else(|| Failure::new("`rustc -vV` names no host: this is not a Rust compiler we know"))?;
    process::run(
        workspace
            .cargo()
            .args(["fetch", "--quiet", "--target", WASM_TARGET, "--target", host]),
    )
}
