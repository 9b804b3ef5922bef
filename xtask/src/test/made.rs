//! What the tests run against, and what it is called in their environment.

use std::path::PathBuf;
use std::process::Command;

use crate::failure::Failure;
use crate::workspace::Workspace;
use crate::{build, process};

/// The things made before the tests, as far as they could be.
pub(super) struct Made {
    /// The server with the app embedded: `BMT_SERVER_BIN`.
    pub(super) server: Option<PathBuf>,
    /// The browser: `BMT_CHROMIUM`.
    pub(super) browser: Option<PathBuf>,
    /// The packed npm package: `BMT_PACKAGE_TARBALL`.
    pub(super) tarball: Option<PathBuf>,
}

impl Made {
    /// Puts their paths into the environment of a test runner.
    pub(super) fn named_in<'a>(&self, runner: &'a mut Command) -> &'a mut Command {
        let names = [
            ("BMT_SERVER_BIN", &self.server),
            ("BMT_CHROMIUM", &self.browser),
            ("BMT_PACKAGE_TARBALL", &self.tarball),
        ];
        for (name, path) in names {
            if let Some(path) = path {
                runner.env(name, path);
            }
        }
        runner
    }
}

/// Builds binaries and tests in one call, so that both see the same features and nothing is built twice.
///
/// A crate that does not compile is the failure of the Rust tests, which build the same; the server is then
/// built by itself, so that the tests that only need the server have it.
pub(super) fn server(workspace: &Workspace) -> Result<PathBuf, Failure> {
    let mut cargo = workspace.cargo();
    cargo.args([
        "build",
        "--workspace",
        "--lib",
        "--bins",
        "--tests",
        "--keep-going",
    ]);
    match process::run(&mut cargo) {
        Ok(()) => Ok(build::server_binary(workspace, "debug")),
        Err(_) => build::server(workspace, false),
    }
}
