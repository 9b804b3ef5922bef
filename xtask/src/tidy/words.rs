//! Rules about words: what must be in no file at all.
//!
//! The words are put together from parts here, or this file would break its own rules.

use super::Finding;
use super::source::Source;

/// What is left for later, in any language of this repository.
const UNDONE: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("todo", "!("),
    concat!("unimplemented", "!("),
];

/// Where people and build machines keep their checkouts and homes.
const MACHINE_ROOTS: &[&str] = &[
    concat!("/ho", "me/"),
    concat!("/ro", "ot/"),
    concat!("/Us", "ers/"),
    concat!("/wo", "rk/"),
    concat!("/bui", "lds/"),
    concat!("/works", "pace/"),
    concat!("C:\\Us", "ers\\"),
];

/// Signs of a private package registry or of a configuration that points at one.
const OTHER_REGISTRIES: &[&str] = &[
    concat!("artif", "actory"),
    concat!("replace", "-with"),
    concat!("[source", "."),
    concat!("[regis", "tries"),
    concat!("//nex", "us."),
];

/// The one host that a lock file of npm may name.
const NPM_HOST: &str = "https://registry.npmjs.org/";

/// Nothing is left for later: what is missing is an issue, not a comment.
pub(super) fn leaves_nothing_undone(sources: &[Source]) -> Vec<Finding> {
    lines_with(sources, |_, line| {
        let word = UNDONE.iter().find(|word| holds_word(line, word))?;
        Some(format!("`{word}`: do it, or leave it out and open an issue"))
    })
}

/// No file names a folder of the machine it was written on.
pub(super) fn names_no_machine(sources: &[Source]) -> Vec<Finding> {
    lines_with(sources, |_, line| {
        let root = MACHINE_ROOTS.iter().find(|root| holds_path(line, root))?;
        Some(format!(
            "`{root}…` is a path of one machine: make it relative, or take it from the environment"
        ))
    })
}

/// Everything comes from the public registries, whatever the writer's machine is set to.
pub(super) fn names_no_other_registry(sources: &[Source]) -> Vec<Finding> {
    lines_with(sources, |source, line| {
        if let Some(sign) = OTHER_REGISTRIES.iter().find(|sign| line.contains(**sign)) {
            return Some(format!(
                "`{sign}` points at a registry of one machine; only the public ones are named"
            ));
        }
        let resolved = source.path.ends_with("package-lock.json")
            && line.trim_start().starts_with("\"resolved\": \"http");
        (resolved && !line.contains(NPM_HOST)).then(|| {
            "resolved from another registry: set `omit-lockfile-registry-resolved` and lock again".to_owned()
        })
    })
}

fn lines_with(sources: &[Source], judge: impl Fn(&Source, &str) -> Option<String>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in sources {
        for (number, line) in source.lines() {
            if let Some(sentence) = judge(source, line) {
                findings.push(Finding {
                    path: source.path.clone(),
                    line: Some(number),
                    sentence,
                });
            }
        }
    }
    findings
}

/// Whether the word stands alone: the letters may be part of a longer name or of base64.
fn holds_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        let joins =
            |character: Option<char>| character.is_some_and(|c| c.is_alphanumeric() || "_+/=-".contains(c));
        !joins(before) && (word.ends_with('(') || !joins(after))
    })
}

/// Whether the path begins there: a folder of that name further down a tree is no path of a machine.
fn holds_path(line: &str, root: &str) -> bool {
    line.match_indices(root).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || "._-~}*/".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::super::source::planted;
    use super::*;

    #[test]
    fn what_is_left_for_later_is_found() {
        for word in UNDONE {
            assert_eq!(
                leaves_nothing_undone(&planted("a.ts", &format!("// {word}: later"))).len(),
                1,
                "{word}"
            );
        }
        assert!(leaves_nothing_undone(&planted("a.lock", concat!("sha512-ab/TO", "DO+x=="))).is_empty());
    }

    #[test]
    fn a_path_of_a_machine_is_found_and_a_relative_one_is_not() {
        let found = names_no_machine(&planted("a.toml", concat!("dir = \"/ho", "me/ada/bmt\"")));
        assert_eq!((found.len(), found[0].line), (1, Some(1)));
        assert!(names_no_machine(&planted("a.toml", concat!("dir = \"tests/ho", "me/ada\""))).is_empty());
        assert!(names_no_machine(&planted("a.ts", concat!("`${base}/ro", "ot/x`"))).is_empty());
    }

    #[test]
    fn another_registry_is_found_in_settings_and_in_lock_files() {
        let settings = planted(
            ".cargo/config.toml",
            concat!("[source", ".crates-io]\nreplace", "-with = \"x\"\n"),
        );
        assert_eq!(names_no_other_registry(&settings).len(), 2);
        let other = "      \"resolved\": \"https://npm.example/ws/-/ws-8.0.0.tgz\",";
        assert_eq!(
            names_no_other_registry(&planted("tests/package-lock.json", other)).len(),
            1
        );
        let public = "      \"resolved\": \"https://registry.npmjs.org/ws/-/ws-8.0.0.tgz\",";
        assert!(names_no_other_registry(&planted("tests/package-lock.json", public)).is_empty());
    }
}
