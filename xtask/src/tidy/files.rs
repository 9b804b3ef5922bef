//! Rules about files: what opens them, how long they are, what they are called.

use super::Finding;
use super::source::Source;

/// Lines a file may have; past this it is more than one noun.
const MOST_LINES: usize = 600;

/// Names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] = &["utils", "util", "helpers", "helper", "common", "misc", "manager"];

/// Every file of Rust opens with `//!`: what it is.
pub(super) fn opens_with_its_purpose(sources: &[Source]) -> Vec<Finding> {
    about(sources, |source| {
        let opens = source.text.starts_with("//!");
        (!opens).then(|| "a file opens with `//!` and what it is".to_owned())
    })
}

/// No file of Rust is longer than [`MOST_LINES`].
pub(super) fn stays_short(sources: &[Source]) -> Vec<Finding> {
    about(sources, |source| {
        let lines = source.text.lines().count();
        (lines > MOST_LINES).then(|| format!("{lines} lines; {MOST_LINES} at most, one noun a file"))
    })
}

/// A module's file is `channel.rs`, beside its folder `channel`.
pub(super) fn has_no_mod_rs(sources: &[Source]) -> Vec<Finding> {
    about(sources, |source| {
        let is_mod = source.path.rsplit('/').next() == Some("mod.rs");
        is_mod.then(|| "`foo.rs` beside `foo/`, not `foo/mod.rs`".to_owned())
    })
}

/// No file and no folder is called `utils` or the like.
pub(super) fn is_named_after_its_noun(sources: &[Source]) -> Vec<Finding> {
    about(sources, |source| {
        let mut names = source
            .path
            .split('/')
            .map(|name| name.split('.').next().unwrap_or(name));
        let empty = names.find(|name| EMPTY_NAMES.contains(name));
        empty.map(|name| format!("`{name}` says nothing: name the noun that is inside"))
    })
}

fn about(sources: &[Source], judge: impl Fn(&Source) -> Option<String>) -> Vec<Finding> {
    sources
        .iter()
        .filter(|source| source.is_rust())
        .filter_map(|source| {
            Some(Finding {
                path: source.path.clone(),
                line: None,
                sentence: judge(source)?,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::source::planted;
    use super::*;

    #[test]
    fn a_file_without_its_purpose_is_found() {
        assert_eq!(
            opens_with_its_purpose(&planted("a.rs", "use b;\n//! late")).len(),
            1
        );
        assert!(opens_with_its_purpose(&planted("a.rs", "//! A thing.\n")).is_empty());
        assert!(opens_with_its_purpose(&planted("a.md", "# A\n")).is_empty());
    }

    #[test]
    fn a_file_that_is_too_long_is_found() {
        assert_eq!(stays_short(&planted("a.rs", &"x\n".repeat(601))).len(), 1);
        assert!(stays_short(&planted("a.rs", &"x\n".repeat(600))).is_empty());
    }

    #[test]
    fn a_mod_rs_is_found() {
        assert_eq!(has_no_mod_rs(&planted("server/src/auth/mod.rs", "")).len(), 1);
        assert!(has_no_mod_rs(&planted("server/src/amod.rs", "")).is_empty());
    }

    #[test]
    fn an_empty_name_is_found_as_file_and_as_folder() {
        assert_eq!(
            is_named_after_its_noun(&planted("server/src/utils.rs", "")).len(),
            1
        );
        assert_eq!(
            is_named_after_its_noun(&planted("tests/common/server.rs", "")).len(),
            1
        );
        assert!(is_named_after_its_noun(&planted("server/src/commonplace.rs", "")).is_empty());
    }
}
