//! Embeds the web app: every file of `dist` (or of `$BMT_APP_DIST`) becomes a row of the table in `assets.rs`.
//!
//! Nothing is compressed here: `cargo xtask` left a `.br` beside each file that gains by it. With no app there
//! the table is empty and the server still builds.

use std::fmt::Write;
use std::hash::{DefaultHasher, Hasher};
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// The page itself; it is text, because each response gets a nonce of its own.
const PAGE: &str = "index.html";

fn main() {
    println!("cargo::rerun-if-env-changed=BMT_APP_DIST");
    println!("cargo::rerun-if-changed=build.rs");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("Cargo sets OUT_DIR"));
    let dist = match env::var_os("BMT_APP_DIST") {
        Some(chosen) => PathBuf::from(chosen),
        None => default_dist(),
    };
    println!("cargo::rerun-if-changed={}", dist.display());
    embed(&dist, &out)
        .unwrap_or_else(|error| panic!("the web app in {} cannot be embedded: {error}", dist.display()));
}

/// `dist` in the root of the checkout, from this folder, where Cargo runs the script: two checkouts that share a
/// build folder share its answers, and each is to look into its own.
///
/// Made if missing: Cargo runs a script again and again that waits for a path that is not there, and compiles
/// the server each time.
fn default_dist() -> PathBuf {
    let dist = PathBuf::from("../dist");
    // A source tree that cannot be written to only costs the repeated run.
    let _ = fs::create_dir(&dist);
    dist
}

/// Copies the app to `out`, so that a build of the app beside this one cannot pull files away, and writes the
/// table of its files there.
fn embed(dist: &Path, out: &Path) -> io::Result<()> {
    let copy = out.join("app");
    if copy.exists() {
        fs::remove_dir_all(&copy)?;
    }
    let mut paths = Vec::new();
    if dist.is_dir() {
        list(dist, "", &mut paths)?;
    }
    paths.sort();
    let mut table = String::from("&[\n");
    let mut page = "None".to_owned();
    for path in &paths {
        let bytes = fs::read(dist.join(path))?;
        let copied = copy.join(path);
        fs::create_dir_all(copied.parent().unwrap_or(&copy))?;
        fs::write(&copied, &bytes)?;
        if path == PAGE {
            page = format!("Some(include_str!({copied:?}))");
        } else if !path.ends_with(".br") {
            let brotli = match paths.binary_search(&format!("{path}.br")) {
                Ok(_) => format!("Some(include_bytes!({:?}))", copy.join(format!("{path}.br"))),
                Err(_) => "None".to_owned(),
            };
            let mut hasher = DefaultHasher::new();
            hasher.write(&bytes);
            let etag = format!("W/\"{:016x}\"", hasher.finish());
            writeln!(
                table,
                "    Asset {{ path: {path:?}, etag: {etag:?}, bytes: include_bytes!({copied:?}), brotli: {brotli} }},"
            )
            .map_err(io::Error::other)?;
        }
    }
    table.push_str("]\n");
    fs::write(out.join("assets.rs"), table)?;
    fs::write(out.join("page.rs"), page)
}

/// The files below a folder by their path in an address; what begins with a dot is not the app's.
fn list(folder: &Path, prefix: &str, paths: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry
            .file_name()
            .into_string()
            .map_err(|name| io::Error::other(format!("{name:?} is not UTF-8")))?;
        if name.starts_with('.') {
            continue;
        }
        if entry.file_type()?.is_dir() {
            list(&entry.path(), &format!("{prefix}{name}/"), paths)?;
        } else {
            paths.push(format!("{prefix}{name}"));
        }
    }
    Ok(())
}
