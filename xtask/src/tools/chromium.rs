//! The browser that the browser tests drive.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::Failure;
use crate::process;

/// Names a Chromium goes by; the first that is found is used.
const NAMES: &[&str] = &[
    "chromium",
    "chromium-browser",
    "google-chrome-stable",
    "google-chrome",
];
/// Where it is when it is not on the PATH.
const PLACES: &[&str] = &[
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
];
/// The browser, and letters for every page the tests look at.
const PACKAGES: &[&str] = &["chromium", "fonts-liberation", "fonts-noto-cjk"];

/// The path of a Chromium: `$BMT_CHROMIUM`, one that is installed, or one installed now by apt-get.
pub(crate) fn ensure() -> Result<PathBuf, Failure> {
    if let Some(chosen) = std::env::var_os("BMT_CHROMIUM") {
        let chosen = PathBuf::from(chosen);
        return if runs(&chosen) {
            Ok(chosen)
        } else {
            Err(Failure::new(format!(
                "BMT_CHROMIUM names {}, which does not run",
                chosen.display()
            )))
        };
    }
    if let Some(found) = find() {
        return Ok(found);
    }
    let installed = install();
    find().ok_or_else(|| {
        let why = installed.err().map_or_else(String::new, |failure| format!(" ({failure})"));
        Failure::new(format!(
            "the browser tests need Chromium and none was found{why}. Install it (Debian: `apt-get install {}`), \
             or set BMT_CHROMIUM to the path of one.",
            PACKAGES.join(" ")
        ))
    })
}

fn find() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = NAMES
        .iter()
        .flat_map(|name| std::env::split_paths(&path).map(move |folder| folder.join(name)));
    on_path
        .chain(PLACES.iter().map(PathBuf::from))
        .find(|candidate| candidate.is_file() && runs(candidate))
}

/// Ubuntu's package is a script that only asks for a snap: existing is not enough.
fn runs(browser: &Path) -> bool {
    process::probe(Command::new(browser).arg("--version")).is_some()
}

fn install() -> Result<(), Failure> {
    eprintln!("installing Chromium by apt-get (once; about two minutes)");
    let administrator = process::probe(Command::new("id").arg("-u")).is_some_and(|id| id.trim() == "0");
    if !administrator && process::probe(Command::new("sudo").args(["-n", "true"])).is_none() {
        return Err(Failure::new("this user may not install packages"));
    }
    let apt_get = || {
        let mut command = Command::new(if administrator { "apt-get" } else { "sudo" });
        command
            .stdin(std::process::Stdio::null())
            .env("DEBIAN_FRONTEND", "noninteractive");
        if !administrator {
            command.args(["-n", "apt-get"]);
        }
        command
    };
    process::run(apt_get().args(["update", "-q"]))?;
    process::run(
        apt_get()
            .args(["install", "-q", "-y", "--no-install-recommends"])
            .args(PACKAGES),
    )
}
