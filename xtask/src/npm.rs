//! `cargo xtask npm`: the package `@bmt/realtime`, from the Rust client to the tarball.

mod compile;
mod names;
mod order;

use std::path::{Path, PathBuf};

use crate::failure::{Failure, Naming};
use crate::tools::Tools;
use crate::workspace::Workspace;
use crate::{node, process};

/// Builds and packs, and says where the tarball is.
pub(crate) fn run(workspace: &Workspace, _arguments: &[String]) -> Result<(), Failure> {
    let tools = Tools::ensure(workspace)?;
    let tarball = pack(workspace, &tools)?;
    println!("{}", tarball.display());
    Ok(())
}

/// Builds the bindings into `packages/realtime/wasm`, the package around them, and the tarball.
pub(crate) fn pack(workspace: &Workspace, tools: &Tools) -> Result<PathBuf, Failure> {
    let package = workspace.root.join("packages/realtime");
    bind(workspace, tools, &package.join("wasm"))?;
    node::install_modules(workspace, &package)?;
    process::run(
        workspace
            .command(node::NPM)
            .args(["run", "build"])
            .current_dir(&package),
    )?;
    let destination = workspace.target.join("npm");
    std::fs::create_dir_all(&destination).naming(destination.display())?;
    let mut npm = workspace.command(node::NPM);
    npm.current_dir(&package)
        .args(["pack", "--loglevel=warn", "--pack-destination"])
        .arg(&destination);
    // npm writes the file's name last, after whatever the package's own scripts write.
    let written = process::output(&mut npm)?;
    let name = written.lines().rfind(|line| line.ends_with(".tgz"));
    let name =
        name.ok_or_else(|| Failure::new(format!("`npm pack` named no tarball but wrote: {written}")))?;
    Ok(destination.join(name.trim()))
}

/// How `wasm-opt` makes the engine small. Nothing of it relies on more than the compiler promises: the first kilobyte
/// of memory holds nothing, because it is the far end of the stack.
const OPTIMISE: &[&str] = &[
    "-Oz",
    "--converge",
    "--low-memory-unused",
    // Functions that grow by all that they call alone say less in fewer bytes, and those bytes are packed worse.
    "--one-caller-inline-max-function-size=50",
    // The same of a value that is kept in a local instead of being read again.
    "--skip-pass=local-cse",
    names::OPTION,
];
/// How it arranges what it has made, without what is for compilers alone.
const ARRANGE: &[&str] = &[order::OPTION, "--strip-producers", "--strip-target-features"];

/// client/js, compiled, bound and made small: `bmt_client_js.js` and `bmt_client_js_bg.wasm`.
fn bind(workspace: &Workspace, tools: &Tools, wasm: &Path) -> Result<(), Failure> {
    let compiled = compile::compile(workspace)?;

    let mut wasm_bindgen = workspace.command("wasm-bindgen");
    tools.first_on_path(&mut wasm_bindgen)?;
    wasm_bindgen.args([
        "--target",
        "web",
        "--no-typescript",
        "--out-name",
        "bmt_client_js",
        "--out-dir",
    ]);
    process::run(wasm_bindgen.arg(wasm).arg(&compiled))?;

    let bound = wasm.join("bmt_client_js_bg.wasm");
    let optimise = |options: &[&str]| {
        let mut wasm_opt = workspace.command("wasm-opt");
        tools.first_on_path(&mut wasm_opt)?;
        process::output(wasm_opt.args(options).arg(&bound).arg("-o").arg(&bound))
    };
    let printed = optimise(OPTIMISE)?;
    let named = order::name(&std::fs::read(&bound).naming(bound.display())?)?;
    std::fs::write(&bound, named).naming(bound.display())?;
    optimise(ARRANGE)?;
    let bindings = wasm.join("bmt_client_js.js");
    let long = std::fs::read_to_string(&bindings).naming(bindings.display())?;
    std::fs::write(&bindings, names::follow(&long, &printed)?).naming(bindings.display())
}
