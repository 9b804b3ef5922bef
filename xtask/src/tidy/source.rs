//! What the rules look at: the text files of the checkout.

use crate::failure::Failure;
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

/// All files that are tracked or would be by `git add`; those that are not text are left out.
pub(super) fn tracked(workspace: &Workspace) -> Result<Vec<Source>, Failure> {
    let mut git = workspace.command("git");
    let paths = process::output(git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]))?;
    let mut sources: Vec<Source> = paths
        .split('\0')
        .filter(|path| !path.is_empty())
        // A file that was deleted but is still tracked, or is no text, is none of ours.
        .filter_map(|path| {
            let text = std::fs::read_to_string(workspace.root.join(path)).ok()?;
            Some(Source { path: path.to_owned(), text })
        })
        .collect();
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources.dedup_by(|a, b| a.path == b.path);
    Ok(sources)
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
    fn code_ends_where_its_comment_begins() {
        assert_eq!(code_of("let a = 1; // why"), "let a = 1; ");
        assert_eq!(code_of("/// words"), "");
        assert_eq!(code_of("let a = \"http://x/\"; // b"), "let a = \"http://x/\"; ");
    }
}
