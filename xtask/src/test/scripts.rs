//! The tests that are written in JavaScript and run by Node.

use std::path::{Path, PathBuf};

use super::made::Made;
use super::tally::{self, Tally};
use crate::failure::{Failure, Naming};
use crate::workspace::Workspace;

/// Runs the test files of a folder: real servers, sockets and browsers.
pub(super) fn of_folder(
    workspace: &Workspace,
    folder: &str,
    made: &Made,
    filter: Option<&str>,
) -> Result<Tally, Failure> {
    let folder = workspace.root.join(folder);
    let files = test_files(&folder)?;
    if files.is_empty() {
        return Ok(Tally::default());
    }
    let mut node = workspace.command("node");
    // Beside the package.json they belong to.
    node.current_dir(folder.parent().unwrap_or(&workspace.root));
    // One file at a time: a server and a browser fill two cores, and the tests hold them to time limits.
    node.args(["--test", "--test-reporter=spec", "--test-concurrency=1"]);
    if let Some(filter) = filter {
        node.arg("--test-name-pattern").arg(literal(filter));
    }
    tally::of(made.named_in(node.args(files)))
}

/// The files Node runs as tests, sorted. Named one by one: releases of Node differ in what a folder means.
fn test_files(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    if !folder.is_dir() {
        return Ok(files);
    }
    for entry in std::fs::read_dir(folder).naming(folder.display())? {
        let path = entry.naming(folder.display())?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if path.is_dir() && name != "node_modules" {
            files.extend(test_files(&path)?);
        } else if name.ends_with(".test.mjs") || name.ends_with(".test.js") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The filter as a regular expression that means only itself.
fn literal(filter: &str) -> String {
    let mut pattern = String::new();
    for character in filter.chars() {
        if character.is_ascii_punctuation() && character != '_' {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_means_only_itself_as_a_pattern() {
        assert_eq!(literal("a_b (1.5)?"), r"a_b \(1\.5\)\?");
    }

    #[test]
    fn test_files_are_found_in_subfolders_and_nothing_else_is() {
        let folder = std::env::temp_dir().join(format!("bmt-test-files-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("chat/node_modules")).unwrap();
        for name in [
            "login.test.mjs",
            "page.mjs",
            "chat/send.test.js",
            "chat/node_modules/x.test.js",
        ] {
            std::fs::write(folder.join(name), "").unwrap();
        }
        let found = test_files(&folder).unwrap();
        assert_eq!(
            found,
            [folder.join("chat/send.test.js"), folder.join("login.test.mjs")]
        );
        assert!(test_files(&folder.join("missing")).unwrap().is_empty());
        std::fs::remove_dir_all(folder).unwrap();
    }
}
