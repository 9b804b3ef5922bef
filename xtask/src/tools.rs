//! The tools of the web build: the wasm target, trunk, wasm-bindgen and wasm-opt.
//!
//! A tool on the PATH at the right version is used as it is. Otherwise it is installed once into the per-user
//! cache, a folder per tool and version, so clones share it and nothing of the user's own is replaced.

mod binaryen;
mod cargo_tool;
pub(crate) mod chromium;
mod wasm_target;

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Failure, Naming};
use crate::workspace::Workspace;
use cargo_tool::CargoTool;

pub(crate) use wasm_target::{WASM_TARGET, ensure_sources};

/// As Trunk.toml asks for it.
const TRUNK_VERSION: &str = "0.21.14";

/// The folders that go first on the PATH so that the right versions are found.
pub(crate) struct Tools {
    folders: Vec<PathBuf>,
}

/// `cargo xtask tools`
pub(crate) fn run(workspace: &Workspace, _arguments: &[String]) -> Result<(), Failure> {
    let tools = Tools::ensure(workspace)?;
    for folder in &tools.folders {
        println!("{}", folder.display());
    }
    println!("the build tools are ready");
    Ok(())
}

impl Tools {
    /// Makes sure that every tool is there, installing what is missing.
    pub(crate) fn ensure(workspace: &Workspace) -> Result<Self, Failure> {
        wasm_target::ensure(workspace)?;
        let trunk = CargoTool {
            package: "trunk",
            binary: "trunk",
            version: TRUNK_VERSION.to_owned(),
            // Its default features look for newer releases and download tools; both are done here instead.
            options: &["--locked", "--no-default-features"],
            // Most of its time it waits for Cargo: optimising it would take twice as long as building it.
            opt_level: "0",
            duration: "3 minutes",
        };
        let wasm_bindgen = CargoTool {
            package: "wasm-bindgen-cli",
            binary: "wasm-bindgen",
            // It refuses to touch what another version of the library made.
            version: workspace.locked_version("wasm-bindgen")?,
            // Not `--locked`: its own lock pins crates that were yanked since.
            options: &[],
            // It works through megabytes of WebAssembly in each build.
            opt_level: "1",
            duration: "2 minutes",
        };
        let found = [
            trunk.ensure(&workspace.cache)?,
            wasm_bindgen.ensure(&workspace.cache)?,
            binaryen::ensure(&workspace.cache)?,
        ];
        Ok(Self {
            folders: found.into_iter().flatten().collect(),
        })
    }

    /// Puts the tools first on the PATH of a command.
    pub(crate) fn first_on_path(&self, command: &mut Command) -> Result<(), Failure> {
        let inherited = std::env::var_os("PATH").unwrap_or_default();
        let folders = self
            .folders
            .iter()
            .cloned()
            .chain(std::env::split_paths(&inherited));
        let path = std::env::join_paths(folders)
            .map_err(|error| Failure::new(format!("the tools cannot be put on the PATH: {error}")))?;
        command.env("PATH", path);
        Ok(())
    }
}

/// The folder of one tool in one version.
fn folder_of(cache: &Path, package: &str, version: &str) -> PathBuf {
    cache.join("tools").join(format!("{package}-{version}"))
}

/// Says what is about to be installed, where, and how long that takes.
fn announce(what: &str, folder: &Path, duration: &str) -> Result<(), Failure> {
    eprintln!(
        "installing {what} into {} (once; about {duration} on two cores)",
        folder.display()
    );
    std::fs::create_dir_all(folder).naming(folder.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trunk_that_is_installed_is_the_one_its_configuration_asks_for() {
        let workspace = Workspace::find().unwrap();
        let configuration = std::fs::read_to_string(workspace.root.join("Trunk.toml")).unwrap();
        assert!(configuration.contains(&format!("trunk-version = \"={TRUNK_VERSION}\"")));
    }

    #[test]
    fn tools_come_before_what_the_path_had() {
        let tools = Tools {
            folders: vec![PathBuf::from("first"), PathBuf::from("second")],
        };
        let mut command = Command::new("trunk");
        tools.first_on_path(&mut command).unwrap();
        let path = command
            .get_envs()
            .find_map(|(name, value)| (name == "PATH").then_some(value)?);
        let folders: Vec<PathBuf> = std::env::split_paths(path.unwrap()).collect();
        assert_eq!(folders[..2], tools.folders);
        assert!(folders.len() > 2);
    }
}
