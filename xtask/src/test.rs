//! `cargo xtask test`: everything the tests need, then every test, then one line with the sum.
//!
//! The order is the one that builds each profile once: the two wasm faces, then the native development
//! profile, which the server of the browser tests shares with the Rust tests. A step that fails leaves the
//! later ones their turn; one that cannot run without it is counted as failed too.

mod made;
mod report;
mod scripts;
mod tally;

use crate::failure::Failure;
use crate::tools::{Tools, chromium};
use crate::workspace::Workspace;
use crate::{app, node, npm, process};
use made::Made;
use report::Report;
use tally::Tally;

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
        report.prepare("cargo fmt", Some(()), |()| format(workspace));
        report.prepare("clippy", Some(()), |()| clippy(workspace));
    }
    // The server embeds the app, so the app comes first; the Rust tests do without it.
    let server = report.prepare("server", Some(()), |()| made::server(workspace));

    let with_server = server.as_ref().and(modules);
    let with_package = server.as_ref().and(tarball.as_ref()).map(drop);
    let with_all = with_server.and(app).and(browser.as_ref()).map(drop);
    let made = Made {
        server,
        browser,
        tarball,
    };
    report.test("rust tests", Some(()), |()| rust_tests(workspace, &made, filter));
    report.test("server tests", with_server, |()| {
        scripts::of_folder(workspace, "tests/it", &made, filter)
    });
    report.test("package tests", with_package, |()| {
        scripts::of_folder(workspace, "packages/realtime/test", &made, filter)
    });
    report.test("browser tests", with_all, |()| {
        scripts::of_folder(workspace, "tests/browser", &made, filter)
    });
    report.close()
}

fn format(workspace: &Workspace) -> Result<(), Failure> {
    process::run(workspace.cargo().args(["fmt", "--all", "--check"]))
}

fn clippy(workspace: &Workspace) -> Result<(), Failure> {
    let mut cargo = workspace.cargo();
    cargo.args(["clippy", "--workspace", "--all-targets", "--quiet"]);
    process::run(cargo.args(["--", "-D", "warnings"]))
}

fn rust_tests(workspace: &Workspace, made: &Made, filter: Option<&str>) -> Result<Tally, Failure> {
    let mut cargo = workspace.cargo();
    cargo.args(["test", "--workspace", "--no-fail-fast"]);
    if let Some(filter) = filter {
        cargo.args(["--", filter]);
    }
    tally::of(made.named_in(&mut cargo))
}
