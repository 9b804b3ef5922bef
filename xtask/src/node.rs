//! Folders with a package.json: their modules, installed as their lock file says.

use std::path::Path;

use crate::failure::{Failure, Naming};
use crate::process;
use crate::stamp::Stamp;
use crate::workspace::Workspace;

/// What npm is called as a program.
pub(crate) const NPM: &str = if cfg!(windows) { "npm.cmd" } else { "npm" };

/// `npm ci`, unless the modules are those of this lock file already.
pub(crate) fn install_modules(workspace: &Workspace, folder: &Path) -> Result<(), Failure> {
    let stamp_file = folder.join("node_modules/.bmt-stamp");
    let stamp = Stamp::of(&[folder.join("package.json"), folder.join("package-lock.json")])?;
    if stamp.is_in(&stamp_file) {
        return Ok(());
    }
    process::run(
        workspace
            .command(NPM)
            .args(["ci", "--no-audit", "--no-fund"])
            .current_dir(folder),
    )?;
    // A package without dependencies gets no folder from npm.
    let modules = folder.join("node_modules");
    std::fs::create_dir_all(&modules).naming(modules.display())?;
    stamp.write(&stamp_file)
}
