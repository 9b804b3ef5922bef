//! `docs/PROTOCOL.md`: each case of the official suites has its line, and each test it names exists.

use std::fs;
use std::path::Path;

/// How many cases the suites have: Engine.IO's and Socket.IO's.
const CASES: [(char, usize); 2] = [('E', 25), ('S', 32)];

fn root() -> &'static Path {
    let up = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    up.expect("the crate is a folder below the root")
}

fn page() -> String {
    fs::read_to_string(root().join("docs/PROTOCOL.md")).expect("the page is there")
}

/// What stands between backticks and names a test, as `file::test`.
fn references(page: &str) -> impl Iterator<Item = (&str, &str)> {
    let quoted = page.split('`').skip(1).step_by(2);
    quoted
        .filter_map(|text| text.split_once("::"))
        .filter(|(file, _)| file.contains('/'))
}

#[test]
fn each_case_of_the_suites_has_its_line_and_a_test() {
    let page = page();
    let expected: Vec<String> = CASES
        .iter()
        .flat_map(|&(suite, cases)| (1..=cases).map(move |case| format!("{suite}{case}")))
        .collect();
    let lines: Vec<(&str, &str)> = page
        .lines()
        .filter_map(|line| {
            let case = line.strip_prefix("| ")?.split(' ').next()?;
            expected.iter().any(|known| known == case).then_some((case, line))
        })
        .collect();
    let cases: Vec<&str> = lines.iter().map(|&(case, _)| case).collect();
    assert_eq!(cases, expected);
    for (case, line) in lines {
        assert!(references(line).next().is_some(), "{case} names no test");
    }
}

#[test]
fn what_the_page_names_exists() {
    let page = page();
    let wrong: Vec<String> = references(&page)
        .filter(|(file, test)| {
            let source = fs::read_to_string(root().join(file)).unwrap_or_default();
            let names = [
                format!("fn {test}("),
                format!("test(\"{test}"),
                format!("test(`{test}"),
            ];
            !names.iter().any(|name| source.contains(name))
        })
        .map(|(file, test)| format!("{file} has no test `{test}`"))
        .collect();
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}
