//! Where things are: the checkout, the build folder, the per-user cache, the versions in Cargo.lock.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::failure::{Failure, Naming};
use crate::process;

/// The places every command works with.
pub(crate) struct Workspace {
    /// The root of the checkout.
    pub(crate) root: PathBuf,
    /// Cargo's build folder, wherever the user's configuration puts it.
    pub(crate) target: PathBuf,
    /// Where tools are kept between clones.
    pub(crate) cache: PathBuf,
}

impl Workspace {
    /// Finds the checkout whose `cargo xtask` runs.
    ///
    /// Cargo tells at run time: a program compiled from one checkout also runs for another that shares its
    /// build folder.
    pub(crate) fn find() -> Result<Self, Failure> {
        let own = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let root = Path::new(&own)
            .parent()
            .ok_or_else(|| {
                Failure::new("xtask has no folder above it: run it as `cargo xtask` in the checkout")
            })?
            .to_path_buf();
        let target = target_folder(&root)?;
        Ok(Self {
            root,
            target,
            cache: cache_folder()?,
        })
    }

    /// A command that runs in the root of the checkout and reads nothing from the terminal.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root).stdin(Stdio::null());
        command
    }

    /// Cargo of the same toolchain that runs this program.
    pub(crate) fn cargo(&self) -> Command {
        self.command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
    }

    /// The version of a crate as Cargo.lock has it.
    pub(crate) fn locked_version(&self, package: &str) -> Result<String, Failure> {
        let path = self.root.join("Cargo.lock");
        let lock = std::fs::read_to_string(&path).naming(path.display())?;
        version_in_lock(&lock, package).ok_or_else(|| {
            Failure::new(format!(
                "Cargo.lock has no {package}: the wasm crates do not use it, so nothing can be bound"
            ))
        })
    }
}

/// Asks Cargo, who alone knows every way to configure it (`CARGO_TARGET_DIR`, `build.target-dir`).
fn target_folder(root: &Path) -> Result<PathBuf, Failure> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .current_dir(root)
        .args(["metadata", "--no-deps", "--format-version=1"]);
    let metadata = process::output(&mut command)?;
    let folder = json_string(&metadata, "target_directory").ok_or_else(|| {
        Failure::new("`cargo metadata` names no target_directory: is this Cargo 1.95 or later?")
    })?;
    Ok(PathBuf::from(folder))
}

/// The per-user cache: `$BMT_CACHE_DIR`, else `bmt-realtime` in `$XDG_CACHE_HOME`, else in `~/.cache`.
fn cache_folder() -> Result<PathBuf, Failure> {
    let set = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let folder = set("BMT_CACHE_DIR")
        .or_else(|| set("XDG_CACHE_HOME").map(|folder| folder.join("bmt-realtime")))
        .or_else(|| std::env::home_dir().map(|home| home.join(".cache/bmt-realtime")))
        .ok_or_else(|| {
            Failure::new("no home folder is known to keep the build tools in: set BMT_CACHE_DIR")
        })?;
    // Programs that use it run in other folders than this one.
    std::path::absolute(&folder).naming(folder.display())
}

fn version_in_lock(lock: &str, package: &str) -> Option<String> {
    let mut lines = lock.lines();
    lines.find(|line| *line == format!("name = \"{package}\""))?;
    let version = lines.next()?.strip_prefix("version = \"")?.strip_suffix('"')?;
    Some(version.to_owned())
}

/// The value of the first string field of that name; a whole JSON parser would be the only dependency here.
pub(crate) fn json_string(json: &str, field: &str) -> Option<String> {
    let (_, rest) = json.split_once(&format!("\"{field}\":"))?;
    let mut characters = rest.trim_start().strip_prefix('"')?.chars();
    let mut value = String::new();
    loop {
        match characters.next()? {
            '"' => return Some(value),
            '\\' => value.push(characters.next()?),
            character => value.push(character),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_locked_version_is_that_of_the_whole_name() {
        let lock = "[[package]]\nname = \"wasm-bindgen-futures\"\nversion = \"0.4.50\"\n\n\
                    [[package]]\nname = \"wasm-bindgen\"\nversion = \"0.2.130\"\n";
        assert_eq!(version_in_lock(lock, "wasm-bindgen").as_deref(), Some("0.2.130"));
        assert_eq!(version_in_lock(lock, "wasm"), None);
    }

    #[test]
    fn a_json_string_is_read_with_its_escapes() {
        let json = r#"{"version":1,"target_directory":"C:\\work\\target","x":"y"}"#;
        assert_eq!(
            json_string(json, "target_directory").as_deref(),
            Some(r"C:\work\target")
        );
        assert_eq!(json_string(json, "missing"), None);
    }
}
