//! `wasm-opt`, from the npm package `binaryen`: Debian's is too old to know what Rust emits.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{announce, folder_of};
use crate::failure::{Failure, Naming};
use crate::node;
use crate::process;

/// The release of binaryen, on npm with two zeros behind it.
const VERSION: &str = "132";

/// The folder to put on the PATH, or none if the PATH has the right version already.
pub(super) fn ensure(cache: &Path) -> Result<Option<PathBuf>, Failure> {
    if is_right(Path::new("wasm-opt")) {
        return Ok(None);
    }
    let folder = folder_of(cache, "binaryen", VERSION);
    let binaries = folder.join("node_modules/.bin");
    if !is_right(&binaries.join("wasm-opt")) {
        install(&folder)?;
        if !is_right(&binaries.join("wasm-opt")) {
            return Err(Failure::new(format!(
                "binaryen {VERSION} was installed but its wasm-opt does not run. Delete {} and try again.",
                folder.display()
            )));
        }
    }
    Ok(Some(binaries))
}

fn is_right(binary: &Path) -> bool {
    let answer = process::probe(Command::new(binary).arg("--version"));
    // "wasm-opt version 132 (version_132)"
    answer.is_some_and(|text| text.split_whitespace().nth(2) == Some(VERSION))
}

/// Installs beside its final place and moves it there: an interrupted installation never looks whole.
fn install(folder: &Path) -> Result<(), Failure> {
    let unfinished = folder.with_extension(format!("unfinished-{}", std::process::id()));
    announce(&format!("binaryen {VERSION} (wasm-opt)"), &unfinished, "a minute")?;
    let package = format!("binaryen@{VERSION}.0.0");
    let mut npm = Command::new(node::NPM);
    npm.current_dir(&unfinished)
        .args(["install", "--no-audit", "--no-fund", "--no-save", "--prefix"]);
    process::run(npm.arg(&unfinished).arg(package))?;
    if folder.exists() {
        std::fs::remove_dir_all(folder).naming(folder.display())?;
    }
    std::fs::rename(&unfinished, folder).naming(folder.display())
}
