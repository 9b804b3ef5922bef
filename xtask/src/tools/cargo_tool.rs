//! A tool that is a crate with a binary: trunk, wasm-bindgen.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{announce, folder_of};
use crate::failure::Failure;
use crate::process;

/// A binary crate at one exact version.
pub(super) struct CargoTool {
    pub(super) package: &'static str,
    pub(super) binary: &'static str,
    pub(super) version: String,
    /// Further arguments of `cargo install`.
    pub(super) options: &'static [&'static str],
    /// How much the compiler optimises it: a choice between the time it takes to build and to run.
    pub(super) opt_level: &'static str,
    /// How long the installation takes, for the person who waits.
    pub(super) duration: &'static str,
}

impl CargoTool {
    /// The folder to put on the PATH, or none if the PATH has the right version already.
    pub(super) fn ensure(&self, cache: &Path) -> Result<Option<PathBuf>, Failure> {
        if self.is_right(Path::new(self.binary)) {
            return Ok(None);
        }
        let folder = folder_of(cache, self.package, &self.version);
        let binaries = folder.join("bin");
        let binary = binaries
            .join(self.binary)
            .with_extension(std::env::consts::EXE_EXTENSION);
        if !self.is_right(&binary) {
            self.install(&folder)?;
            if !self.is_right(&binary) {
                return Err(Failure::new(format!(
                    "{} {} was installed but `{} --version` does not say so. Delete {} and try again.",
                    self.package,
                    self.version,
                    binary.display(),
                    folder.display()
                )));
            }
        }
        Ok(Some(binaries))
    }

    fn is_right(&self, binary: &Path) -> bool {
        let answer = process::probe(Command::new(binary).arg("--version"));
        answer.is_some_and(|text| text.split_whitespace().nth(1) == Some(&self.version))
    }

    fn install(&self, folder: &Path) -> Result<(), Failure> {
        announce(
            &format!("{} {}", self.package, self.version),
            folder,
            self.duration,
        )?;
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        // Outside the checkout: neither its configuration nor its build folder is the tool's.
        cargo
            .current_dir(folder)
            .env_remove("CARGO_TARGET_DIR")
            .env_remove("CARGO_BUILD_TARGET_DIR");
        // The published profile links for minutes to save milliseconds of a tool that runs for seconds.
        cargo
            .env("CARGO_PROFILE_RELEASE_LTO", "off")
            .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", self.opt_level);
        cargo
            .args(["install", self.package, "--version", &self.version, "--force"])
            .args(self.options)
            .arg("--root")
            .arg(folder);
        process::run(&mut cargo)
    }
}
