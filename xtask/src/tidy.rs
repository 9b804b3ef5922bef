//! `cargo xtask tidy`: the house rules that no compiler or lint checks, as tests instead of reviews.
//!
//! They run under `cargo test` too. Each rule is a function from the sources to what it found, with a test
//! that it finds a planted violation.

mod files;
mod source;
mod walls;
mod words;

use crate::failure::Failure;
use crate::process;
use crate::workspace::Workspace;
use source::Source;

/// One breach: where, and what to do about it.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    path: String,
    /// The line, from 1; none if it is about the whole file.
    line: Option<usize>,
    sentence: String,
}

type Rule = fn(&[Source]) -> Vec<Finding>;

const RULES: &[Rule] = &[
    files::opens_with_its_purpose,
    files::stays_short,
    files::has_no_mod_rs,
    files::is_named_after_its_noun,
    words::leaves_nothing_undone,
    words::names_no_machine,
    words::names_no_other_registry,
    walls::socketioxide_stays_in_one_module,
    walls::crates_follow_the_arrows,
    walls::cores_have_no_outside,
    walls::signatures_share_no_lock,
];

/// Checks every rule, and the dependencies where `cargo deny` is there.
pub(crate) fn run(workspace: &Workspace, _arguments: &[String]) -> Result<(), Failure> {
    let sources = source::tracked(workspace)?;
    let findings = findings(&sources);
    for finding in &findings {
        println!("{finding}");
    }
    dependencies(workspace)?;
    if findings.is_empty() {
        println!("{} files follow {} rules", sources.len(), RULES.len());
        return Ok(());
    }
    Err(Failure::new(format!(
        "{} breaches of the house rules, listed above",
        findings.len()
    )))
}

fn findings(sources: &[Source]) -> Vec<Finding> {
    RULES.iter().flat_map(|rule| rule(sources)).collect()
}

fn dependencies(workspace: &Workspace) -> Result<(), Failure> {
    if process::probe(workspace.cargo().args(["deny", "--version"])).is_none() {
        println!("SKIPPED: the rules of deny.toml (`cargo install --locked cargo-deny` to check them)");
        return Ok(());
    }
    process::run(
        workspace
            .cargo()
            .args(["deny", "check", "bans", "licenses", "sources"]),
    )
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.path, self.sentence),
            None => write!(f, "{}: {}", self.path, self.sentence),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sources_follow_the_house_rules() {
        let workspace = Workspace::find().unwrap();
        let sources = source::tracked(&workspace).unwrap();
        assert!(sources.len() > 10, "tidy sees only {} files", sources.len());
        let found: Vec<String> = findings(&sources).iter().map(ToString::to_string).collect();
        assert!(found.is_empty(), "\n{}\n", found.join("\n"));
    }
}
