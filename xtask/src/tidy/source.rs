//! What the rules look at: the text files of the checkout.

use std::path::Path;

use crate::failure::{Failure, Naming};
use crate::process;
use crate::workspace::Workspace;

/// A text file, by its path from the root with `/` between folders.
pub(super) struct Source {
    pub(super) path: String,
    pub(super) text: String,
}

impl Source {
    pub(super) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Lines with their number, from 1.
    pub(super) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text
            .lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line))
    }

    /// The same without what follows `//`: what the code does, not what is said about it.
    pub(super) fn code_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.lines().map(|(number, line)| (number, code_of(line)))
    }
}

/// A line up to its comment. `//` after a colon is the middle of an address.
fn code_of(line: &str) -> &str {
    let comment = line
        .match_indices("//")
        .find(|(at, _)| !line[..*at].ends_with(':'));
    comment.map_or(line, |(at, _)| &line[..at])
}

/// Folders of what is made, not written; only asked where there is no git to know it.
const MADE: &[&str] = &[
    ".git",
    "artifacts",
    "data",
    "dist",
    "node_modules",
    "target",
    "wasm",
];

/// All files that are tracked or would be by `git add`; those that are not text are left out.
pub(super) fn tracked(workspace: &Workspace) -> Result<Vec<Source>, Failure> {
    let mut git = workspace.command("git");
    // The checkout may belong to another user than the one who tests it.
    git.args([
        "-c",
        "safe.directory=*",
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]);
    let mut paths: Vec<String> = match process::probe(&mut git) {
        Some(listed) => listed.split_terminator('\0').map(str::to_owned).collect(),
        None => walk(&workspace.root, "")?,
    };
    paths.sort();
    paths.dedup();
    // A file that was deleted but is still tracked, or is no text, has nothing to look at.
    let read = |path: String| {
        let text = std::fs::read_to_string(workspace.root.join(&path)).ok()?;
        Some(Source { path, text })
    };
    Ok(paths.into_iter().filter_map(read).collect())
}

/// The files below a folder: what an unpacked archive of the sources has instead of a list by git.
fn walk(folder: &Path, prefix: &str) -> Result<Vec<String>, Failure> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).naming(folder.display())? {
        let entry = entry.naming(folder.display())?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_folder = entry.file_type().naming(entry.path().display())?.is_dir();
        if is_folder && !MADE.contains(&name.as_str()) {
            paths.extend(walk(&entry.path(), &format!("{prefix}{name}/"))?);
        } else if !is_folder {
            paths.push(format!("{prefix}{name}"));
        }
    }
    Ok(paths)
}

#[cfg(test)]
pub(super) fn planted(path: &str, text: &str) -> Vec<Source> {
    vec![Source {
        path: path.to_owned(),
        text: text.to_owned(),
    }]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_without_git_is_walked_past_what_is_made() {
        let folder = std::env::temp_dir().join(format!("bmt-walk-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("server/src")).unwrap();
        std::fs::create_dir_all(folder.join("tests/node_modules/ws")).unwrap();
        for name in [
            "Cargo.toml",
            "server/src/lib.rs",
            "tests/node_modules/ws/index.js",
        ] {
            std::fs::write(folder.join(name), "").unwrap();
        }
        let mut found = walk(&folder, "").unwrap();
        found.sort();
        assert_eq!(found, ["Cargo.toml", "server/src/lib.rs"]);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn code_ends_where_its_comment_begins() {
        assert_eq!(code_of("let a = 1; // why"), "let a = 1; ");
        assert_eq!(code_of("/// words"), "");
        assert_eq!(code_of("let a = \"http://x/\"; // b"), "let a = \"http://x/\"; ");
    }
}
