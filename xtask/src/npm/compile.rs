//! Compiles client/js, and the standard library with it, for size alone.
//!
//! The standard library comes compiled for speed, and words its panics: with the place in the source and the values
//! that were met. Nobody hears them, because the package sets no hook and WebAssembly has no standard error: the host
//! sees `RuntimeError: unreachable` with or without a sentence.
//!
//! Leaving it out is not stable yet. So the compiler is told to take the options of a nightly one, for this build
//! alone; the sources of the standard library are those of the very compiler, and its own dependencies come from the
//! registry like all others. It has a folder of its own: in one that others build in, each would build the macros anew.

use std::path::PathBuf;

use crate::failure::Failure;
use crate::process;
use crate::tools::{self, WASM_TARGET};
use crate::workspace::Workspace;

/// Compiles the standard library too, in its smaller form.
const STANDARD_LIBRARY: &[&str] = &[
    "-Zbuild-std=std,panic_abort",
    "-Zbuild-std-features=optimize_for_size",
];

/// What is left out: the words of a panic, the places they name, and `Debug`, which only they ask for.
///
/// The stack is a quarter of what is usual, which the deepest JSON needs a fraction of: addresses behind it then take
/// a byte less wherever the code names one.
const OPTIONS: &str = "-Zunstable-options -Cpanic=immediate-abort -Zlocation-detail=none -Zfmt-debug=none \
                       -Clink-arg=-zstack-size=262144";

/// Where the module is that was compiled.
pub(super) fn compile(workspace: &Workspace) -> Result<PathBuf, Failure> {
    tools::ensure_sources(workspace)?;
    let target = workspace.target.join("engine");
    let mut cargo = workspace.cargo();
    cargo
        .env("RUSTC_BOOTSTRAP", "1")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env("RUSTFLAGS", OPTIONS)
        .args(["build", "--package", "bmt-client-js", "--lib"])
        .args(["--profile", "wasm-release", "--target", WASM_TARGET])
        .arg("--target-dir")
        .arg(&target)
        .args(STANDARD_LIBRARY);
    process::run(&mut cargo).map_err(|failure| {
        Failure::new(format!(
            "{failure}\nThe engine is compiled with options that are not stable yet, as Rust 1.95 has them. If the \
             compiler does not know one, run this with that version: `rustup run 1.95 cargo xtask npm`."
        ))
    })?;
    Ok(target.join(WASM_TARGET).join("wasm-release/bmt_client_js.wasm"))
}
