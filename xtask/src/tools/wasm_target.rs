//! The standard library for WebAssembly.

use std::path::Path;
use std::process::Command;

use crate::failure::Failure;
use crate::process;
use crate::workspace::Workspace;

/// What the web app and the npm package are compiled for.
pub(crate) const WASM_TARGET: &str = "wasm32-unknown-unknown";

/// Its sources, as rustup calls them.
const SOURCES: &str = "rust-src";

/// Adds the target through rustup if the compiler does not have it.
pub(super) fn ensure(workspace: &Workspace) -> Result<(), Failure> {
    if is_installed(workspace) {
        return Ok(());
    }
    eprintln!("installing the Rust target {WASM_TARGET} (once; about a minute)");
    let added = process::run(workspace.command("rustup").args(["target", "add", WASM_TARGET]));
    if added.is_ok() && is_installed(workspace) {
        return Ok(());
    }
    Err(Failure::new(format!(
        "the compiler has no target {WASM_TARGET} and rustup did not add it. Run `rustup target add {WASM_TARGET}`, \
         or install that target the way this Rust toolchain was installed."
    )))
}

/// Adds the sources of the standard library through rustup if the compiler does not have them.
pub(crate) fn ensure_sources(workspace: &Workspace) -> Result<(), Failure> {
    if has_sources(workspace) {
        return Ok(());
    }
    eprintln!("installing the sources of Rust's standard library (once; some seconds)");
    let added = process::run(workspace.command("rustup").args(["component", "add", SOURCES]));
    if added.is_ok() && has_sources(workspace) {
        return Ok(());
    }
    Err(Failure::new(format!(
        "the compiler has no sources of its standard library and rustup did not add them. Run `rustup component add \
         {SOURCES}`, or install them the way this Rust toolchain was installed."
    )))
}

/// Asks the compiler itself, so that a toolchain without rustup counts too.
fn is_installed(workspace: &Workspace) -> bool {
    let folder = process::probe(rustc(workspace).args(["--print", "target-libdir", "--target", WASM_TARGET]));
    folder.is_some_and(|folder| Path::new(folder.trim()).is_dir())
}

fn has_sources(workspace: &Workspace) -> bool {
    let root = process::probe(rustc(workspace).args(["--print", "sysroot"]));
    root.is_some_and(|root| {
        Path::new(root.trim())
            .join("lib/rustlib/src/rust/library")
            .is_dir()
    })
}

fn rustc(workspace: &Workspace) -> Command {
    workspace.command(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
}
