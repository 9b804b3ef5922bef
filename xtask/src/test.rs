//! `cargo xtask test`: everything the tests need, then every test, then one line with the sum.
//!
//! The order is the one that builds each profile once: the two wasm faces, then the native development
//! profile, which the server of the browser tests shares with the Rust tests. A step that fails leaves the
//! later ones their turn; one that cannot run without it is counted as failed too.

mod report;
mod tally;

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Failure, Naming};
use crate::tools::{Tools, chromium};
use crate::workspace::Workspace;
use crate::{app, build, node, npm, process};
use report::Report;
use tally::Tally;

/// What the built things are called in the environment of the tests.
struct Built {
    server: PathBuf,
    chromium: PathBuf,
    tarball: PathBuf,
}

/// Runs every test, or those whose name contains the filter.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<(), Failure> {
    let filter = match arguments {
        [] => None,
        [filter] => Some(filter.as_str()),
        _ => {
            return Err(Failure::new(
                "`test` takes one filter at most; quote a filter with spaces",
            ));
        }
    };
    let mut report = Report::new(filter.is_some());
    let tests = workspace.root.join("tests");

    let tools = report.prepare("build tools", Some(()), |()| Tools::ensure(workspace));
    let browser = report.prepare("chromium", Some(()), |()| chromium::ensure());
    let modules = report.prepare("modules of tests", Some(()), |()| {
        node::install_modules(workspace, &tests)
    });
    let app = report.prepare("web app", tools.as_ref(), |_| app::ensure(workspace));
    let tarball = report.prepare("npm package", tools.as_ref(), |tools| npm::pack(workspace, tools));
    // A filter asks for tests, not for the state of the sources.
    if filter.is_none() {
        report.prepare("cargo fmt", Some(()), |()| {
            process::run(workspace.cargo().args(["fmt", "--all", "--check"]))
        });
        report.prepare("clippy", Some(()), |()| clippy(workspace));
    }
    // The server embeds the app, so the app comes first; the Rust tests do without it.
    let server = report.prepare("server", Some(()), |()| native_build(workspace));
    let rust_environment = server
        .iter()
        .map(|server| ("BMT_SERVER_BIN", server.as_path()))
        .collect::<Vec<_>>();
    report.test("rust tests", Some(()), |()| {
        rust_tests(workspace, &rust_environment, filter)
    });

    let built = server
        .zip(browser)
        .zip(tarball)
        .map(|((server, chromium), tarball)| Built {
            server,
            chromium,
            tarball,
        });
    report.test("package tests", built.as_ref(), |built| {
        package_tests(workspace, built, filter)
    });
    let ready = built.as_ref().filter(|_| app.is_some() && modules.is_some());
    report.test("browser tests", ready, |built| {
        browser_tests(workspace, built, filter)
    });
    report.close()
}

fn clippy(workspace: &Workspace) -> Result<(), Failure> {
    process::run(workspace.cargo().args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--quiet",
        "--",
        "-D",
        "warnings",
    ]))
}

/// Builds binaries and tests in one call, so that both see the same features and nothing is built twice.
fn native_build(workspace: &Workspace) -> Result<PathBuf, Failure> {
    process::run(
        workspace
            .cargo()
            .args(["build", "--workspace", "--lib", "--bins", "--tests"]),
    )?;
    Ok(build::server_binary(workspace, "debug"))
}

fn rust_tests(
    workspace: &Workspace,
    environment: &[(&str, &Path)],
    filter: Option<&str>,
) -> Result<Tally, Failure> {
    let mut cargo = workspace.cargo();
    cargo
        .args(["test", "--workspace", "--no-fail-fast"])
        .envs(environment.iter().copied());
    if let Some(filter) = filter {
        cargo.args(["--", filter]);
    }
    counted(&mut cargo)
}

/// The package's own tests, on the tarball.
fn package_tests(workspace: &Workspace, built: &Built, filter: Option<&str>) -> Result<Tally, Failure> {
    let mut npm = workspace.command(node::NPM);
    npm.current_dir(workspace.root.join("packages/realtime"))
        .args(["test", "--"]);
    if let Some(filter) = filter {
        npm.arg("--test-name-pattern").arg(literal(filter));
    }
    counted(built.name_in(&mut npm))
}

/// The journeys through the pages, in a real browser against the real server.
fn browser_tests(workspace: &Workspace, built: &Built, filter: Option<&str>) -> Result<Tally, Failure> {
    let mut files = test_files(&workspace.root.join("tests/browser"))?;
    files.sort();
    if files.is_empty() {
        return Ok(Tally::default());
    }
    let mut node = workspace.command("node");
    // One file at a time: two browsers and a server already fill two cores, and time limits are limits.
    node.args(["--test", "--test-reporter=spec", "--test-concurrency=1"]);
    if let Some(filter) = filter {
        node.arg("--test-name-pattern").arg(literal(filter));
    }
    counted(built.name_in(node.args(files)))
}

impl Built {
    fn name_in<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("BMT_SERVER_BIN", &self.server)
            .env("BMT_CHROMIUM", &self.chromium)
            .env("BMT_PACKAGE_TARBALL", &self.tarball)
    }
}

/// Runs a test runner and adds up the summaries it writes.
fn counted(runner: &mut Command) -> Result<Tally, Failure> {
    let mut tally = Tally::default();
    let succeeded = process::watch(runner, |line| tally.read(line))?;
    tally.settle(succeeded);
    Ok(tally)
}

/// The files Node runs as tests. Named one by one: releases of Node differ in what a folder means to them.
fn test_files(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    if !folder.is_dir() {
        return Ok(files);
    }
    for entry in std::fs::read_dir(folder).naming(folder.display())? {
        let path = entry.naming(folder.display())?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if path.is_dir() && name != "node_modules" {
            files.extend(test_files(&path)?);
        } else if name.ends_with(".test.mjs") || name.ends_with(".test.js") {
            files.push(path);
        }
    }
    Ok(files)
}

/// The filter as a regular expression that means only itself.
fn literal(filter: &str) -> String {
    let mut pattern = String::new();
    for character in filter.chars() {
        if !character.is_alphanumeric() && character != '_' && character != ' ' {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_means_only_itself_as_a_pattern() {
        assert_eq!(literal("a_b (1.5)?"), r"a_b \(1\.5\)\?");
    }

    #[test]
    fn test_files_are_found_in_subfolders_and_nothing_else_is() {
        let folder = std::env::temp_dir().join(format!("bmt-test-files-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("chat/node_modules")).unwrap();
        for name in [
            "login.test.mjs",
            "page.mjs",
            "chat/send.test.js",
            "chat/node_modules/x.test.js",
        ] {
            std::fs::write(folder.join(name), "").unwrap();
        }
        let mut found = test_files(&folder).unwrap();
        found.sort();
        assert_eq!(
            found,
            [folder.join("chat/send.test.js"), folder.join("login.test.mjs")]
        );
        assert!(test_files(&folder.join("missing")).unwrap().is_empty());
        std::fs::remove_dir_all(folder).unwrap();
    }
}
