//! `cargo xtask build`: the one binary that people run.

use std::path::PathBuf;

use crate::failure::Failure;
use crate::workspace::Workspace;
use crate::{app, process};

/// Builds the server for release with the web app embedded and says where it is.
pub(crate) fn run(workspace: &Workspace, _arguments: &[String]) -> Result<(), Failure> {
    app::ensure(workspace)?;
    let binary = server(workspace, true)?;
    println!("{}", binary.display());
    Ok(())
}

/// Builds the server with whatever app is in `dist`; answers where the binary is.
pub(crate) fn server(workspace: &Workspace, release: bool) -> Result<PathBuf, Failure> {
    let mut cargo = workspace.cargo();
    cargo.args(["build", "--package", "bmt-server", "--bin", "bmt-server"]);
    if release {
        cargo.arg("--release");
    }
    process::run(&mut cargo)?;
    Ok(server_binary(
        workspace,
        if release { "release" } else { "debug" },
    ))
}

/// Where Cargo puts the server of that profile.
pub(crate) fn server_binary(workspace: &Workspace, profile: &str) -> PathBuf {
    workspace
        .target
        .join(profile)
        .join("bmt-server")
        .with_extension(std::env::consts::EXE_EXTENSION)
}
