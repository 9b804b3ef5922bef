//! Rules about walls: which part of the workspace may know of what.

use super::Finding;
use super::source::Source;

/// The library behind the Socket.IO endpoint, and the only module that names it.
const SOCKETIO_LIBRARIES: &[&str] = &["socketioxide", "engineioxide"];
const SOCKETIO_MODULE: &str = "server/src/connection/socketio";
/// A server that is only there to be measured against; no part of the product.
const YARDSTICK: &str = "tests/bench/plain/";

/// What each crate may depend on, of ours. A crate that is not listed may have none.
const ARROWS: &[(&str, &[&str])] = &[
    ("shared", &[]),
    ("client/core", &["bmt-shared"]),
    ("client/web", &["bmt-client-core", "bmt-shared"]),
    ("client/app", &["bmt-client-web", "bmt-client-core", "bmt-shared"]),
    ("client/js", &["bmt-client-web", "bmt-client-core", "bmt-shared"]),
    ("server/core", &["bmt-shared"]),
    ("server", &["bmt-server-core", "bmt-shared"]),
    (
        "tests",
        &["bmt-shared", "bmt-client-core", "bmt-server-core", "bmt-server"],
    ),
    // The checker judges by what was recorded, so it may know nothing of the product.
    ("tests/histcheck", &[]),
    // The proxy sees bytes, not the protocol.
    ("tests/faultproxy", &[]),
    (
        "tests/faults",
        &["bmt-shared", "bmt-client-core", "bmt-faultproxy", "bmt-histcheck"],
    ),
    ("tests/autobahn", &["bmt-server"]),
    ("fuzz", &["bmt-shared", "bmt-client-core", "bmt-server-core"]),
    ("xtask", &[]),
];

/// The crates that are values in, values out.
const CORES: &[&str] = &[
    "shared/src/",
    "client/core/src/",
    "server/core/src/",
    "tests/histcheck/src/",
];
/// The outside: clocks, randomness, an executor.
const OUTSIDE: &[&str] = &["SystemTime", "Instant::now", "tokio", "rand::", "async fn"];

/// All of socketioxide is behind one module, so that its weaknesses are covered in one place.
pub(super) fn socketioxide_stays_in_one_module(sources: &[Source]) -> Vec<Finding> {
    let outside = |source: &&Source| {
        let inside = source
            .path
            .strip_prefix(SOCKETIO_MODULE)
            .is_some_and(|rest| rest.starts_with(['.', '/']));
        let apart = source.path.starts_with("xtask/") || source.path.starts_with(YARDSTICK);
        source.is_rust() && !inside && !apart
    };
    code_lines_with(sources.iter().filter(outside), |line| {
        let library = SOCKETIO_LIBRARIES
            .iter()
            .find(|library| line.contains(**library))?;
        Some(format!("`{library}` is named under `{SOCKETIO_MODULE}` only"))
    })
}

/// Crates depend on each other as ARCHITECTURE draws them.
pub(super) fn crates_follow_the_arrows(sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in sources {
        let Some(folder) = source.path.strip_suffix("/Cargo.toml") else {
            continue;
        };
        let allowed = ARROWS
            .iter()
            .find(|(from, _)| *from == folder)
            .map_or(&[][..], |(_, to)| to);
        for (line, dependency) in own_dependencies(&source.text) {
            if !allowed.contains(&dependency) {
                let sentence = format!("`{folder}` may not depend on `{dependency}`: no arrow leads there");
                findings.push(Finding {
                    path: source.path.clone(),
                    line: Some(line),
                    sentence,
                });
            }
        }
    }
    findings
}

/// The cores know no clock, no randomness and no executor: time and bytes are arguments.
pub(super) fn cores_have_no_outside(sources: &[Source]) -> Vec<Finding> {
    let of_a_core =
        |source: &&Source| source.is_rust() && CORES.iter().any(|core| source.path.starts_with(core));
    code_lines_with(sources.iter().filter(of_a_core), |line| {
        let name = OUTSIDE.iter().find(|name| line.contains(**name))?;
        Some(format!(
            "`{name}` in a core: what comes from outside is an argument"
        ))
    })
}

/// No function takes or answers an `Arc<Mutex<_>>`: one owner, or a type that hides its lock.
pub(super) fn signatures_share_no_lock(sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in sources.iter().filter(|source| source.is_rust()) {
        let mut in_signature = false;
        for (number, line) in source.code_lines() {
            let begins =
                line.trim_start().split("fn ").next().is_some_and(is_before_fn) && line.contains("fn ");
            in_signature |= begins;
            let signature = line.split('{').next().unwrap_or(line);
            if in_signature
                && [concat!("Arc<", "Mutex"), concat!("Arc<", "RwLock")]
                    .iter()
                    .any(|lock| signature.contains(lock))
            {
                let sentence = "a lock in a signature: give it one owner, or a type of its own".to_owned();
                findings.push(Finding {
                    path: source.path.clone(),
                    line: Some(number),
                    sentence,
                });
            }
            in_signature &= !line.contains(['{', ';']);
        }
    }
    findings
}

/// Whether only visibility and qualifiers stand there.
fn is_before_fn(text: &str) -> bool {
    text.split_whitespace().all(|word| {
        word.starts_with("pub")
            || word.ends_with(')')
            || ["async", "const", "extern", "\"C\""].contains(&word)
    })
}

/// Our own crates that a Cargo.toml depends on outside its tests, with their lines.
fn own_dependencies(manifest: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut linked = false;
    for (index, line) in manifest.lines().enumerate() {
        if let Some(section) = line.trim().strip_prefix('[') {
            linked = section.contains("dependencies")
                && !section.contains("dev-")
                && !section.contains("workspace");
            // [dependencies.bmt-shared]
            let table = section
                .trim_end_matches(']')
                .rsplit("dependencies.")
                .next()
                .unwrap_or_default();
            if linked && table.starts_with("bmt-") {
                found.push((index + 1, table));
            }
            continue;
        }
        let name = line
            .split(['=', '.', ' '])
            .next()
            .unwrap_or_default()
            .trim_matches('"');
        if linked && name.starts_with("bmt-") {
            found.push((index + 1, name));
        }
    }
    found
}

fn code_lines_with<'a>(
    sources: impl Iterator<Item = &'a Source>,
    judge: impl Fn(&str) -> Option<String>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in sources {
        for (number, line) in source.code_lines() {
            if let Some(sentence) = judge(line) {
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

#[cfg(test)]
mod tests {
    use super::super::source::planted;
    use super::*;

    #[test]
    fn socketioxide_outside_its_module_is_found() {
        let code = "//! A.\n// socketioxide is only mentioned here\nuse socketioxide::SocketIo;\n";
        let found = socketioxide_stays_in_one_module(&planted("server/src/http.rs", code));
        assert_eq!((found.len(), found[0].line), (1, Some(3)));
        for inside in [
            "server/src/connection/socketio.rs",
            "server/src/connection/socketio/outbox.rs",
            "tests/bench/plain/main.rs",
        ] {
            assert!(socketioxide_stays_in_one_module(&planted(inside, code)).is_empty());
        }
        assert_eq!(
            socketioxide_stays_in_one_module(&planted("server/src/connection/socketiox.rs", code)).len(),
            1
        );
    }

    #[test]
    fn a_dependency_against_the_arrows_is_found_in_every_spelling() {
        for spelling in [
            "[dependencies]\nbmt-client-web = { workspace = true }\n",
            "[dependencies]\nbmt-client-web.workspace = true\n",
            "[dependencies.bmt-client-web]\nworkspace = true\n",
            "[target.'cfg(unix)'.dependencies]\nbmt-client-web = { path = \"../client/web\" }\n",
        ] {
            assert_eq!(
                crates_follow_the_arrows(&planted("server/Cargo.toml", spelling)).len(),
                1,
                "{spelling}"
            );
            assert!(
                crates_follow_the_arrows(&planted("client/app/Cargo.toml", spelling)).is_empty(),
                "{spelling}"
            );
        }
        let of_tests = "[dev-dependencies]\nbmt-server = { workspace = true }\n";
        assert!(crates_follow_the_arrows(&planted("client/core/Cargo.toml", of_tests)).is_empty());
    }

    #[test]
    fn the_outside_in_a_core_is_found() {
        for (path, line) in [
            ("shared/src/message.rs", "let now = std::time::SystemTime::now();"),
            ("client/core/src/link.rs", "let at = Instant::now();"),
            ("server/core/src/session.rs", "use tokio::sync::mpsc;"),
            ("client/core/src/backoff.rs", "let jitter = rand::random();"),
        ] {
            assert_eq!(cores_have_no_outside(&planted(path, line)).len(), 1, "{line}");
        }
        assert!(cores_have_no_outside(&planted("server/src/clock.rs", "SystemTime::now()")).is_empty());
        assert!(cores_have_no_outside(&planted("shared/src/id.rs", "// no rand::random() here")).is_empty());
    }

    #[test]
    fn a_lock_in_a_signature_is_found_on_whichever_line() {
        let lock = concat!("Arc<", "Mutex<u8>>");
        let one = format!("pub fn share(state: {lock}) {{\n");
        let many = format!("    pub(crate) async fn share(\n        state: {lock},\n    ) {{\n");
        for code in [one, many] {
            assert_eq!(
                signatures_share_no_lock(&planted("a.rs", &code)).len(),
                1,
                "{code}"
            );
        }
        let inside = format!("fn share() {{\n    let state: {lock} = Default::default();\n}}\n");
        assert!(signatures_share_no_lock(&planted("a.rs", &inside)).is_empty());
    }
}
