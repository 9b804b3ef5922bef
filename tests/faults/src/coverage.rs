//! Holds docs/FAULTS.md to what exists: each fault has its line, each named test is there, each row of this suite
//! is named.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::rows::ROWS;

/// The faults by their numbers; some numbers were given up.
const NUMBERS: &[u16] = &[
    1, 2, 3, 6, 7, 8, 10, 12, 14, 15, 17, 18, 19, 21, 23, 24, 27, 28, 30, 33, 34, 35, 37, 38, 39, 40, 41, 43,
    45, 48, 49, 50, 51, 52, 54, 56, 57, 58, 59, 61, 62, 63, 64, 65, 66, 67, 68, 71, 73, 75, 77, 78, 79, 81,
    82, 84, 85, 86, 88, 89, 91, 93, 94, 96, 97, 99, 100, 103, 104, 105, 106, 108, 110, 112,
];

/// What the suite's own rows look like on the page.
const SUITE: &str = "cargo xtask faults ";
/// Autobahn's cases are a suite of their own.
const AUTOBAHN: &str = "cargo xtask autobahn";

/// One line of the page.
struct Line {
    number: u16,
    shown_by: Vec<String>,
    /// What it says is not shown.
    left: String,
}

fn root() -> &'static Path {
    let two_up = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    two_up.expect("the crate is two folders below the root")
}

fn page() -> Vec<Line> {
    let text = fs::read_to_string(root().join("docs/FAULTS.md")).expect("the page is there");
    let lines = text.lines().filter_map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let number = cells.get(1)?.parse().ok()?;
        // What stands between backticks.
        let shown_by = cells.get(3)?.split('`').skip(1).step_by(2).map(str::to_owned);
        Some(Line {
            number,
            shown_by: shown_by.collect(),
            left: (*cells.get(4)?).to_owned(),
        })
    });
    lines.collect()
}

/// Whether a test of that name is in that file.
fn exists(reference: &str) -> Result<(), String> {
    let (file, name) = reference
        .split_once("::")
        .ok_or_else(|| format!("`{reference}` is neither `file::test` nor `{SUITE}<row>`"))?;
    let text = fs::read_to_string(root().join(file)).map_err(|error| format!("{file}: {error}"))?;
    let found = if file.ends_with(".rs") {
        text.contains(&format!("fn {name}("))
    } else {
        let begins = |word: &str| {
            text.contains(&format!("{word}(\"{name}")) || text.contains(&format!("{word}(`{name}"))
        };
        begins("test") || begins("it")
    };
    if found {
        Ok(())
    } else {
        Err(format!("{file} has no test `{name}`"))
    }
}

#[test]
fn each_fault_has_its_line_on_the_page() {
    let numbers: Vec<u16> = page().iter().map(|line| line.number).collect();
    assert_eq!(numbers, NUMBERS);
}

#[test]
fn what_the_page_names_exists() {
    let rows: BTreeSet<String> = ROWS.iter().map(|row| format!("{SUITE}{}", row.number)).collect();
    let mut wrong = Vec::new();
    for line in page() {
        for reference in &line.shown_by {
            if reference == AUTOBAHN {
                continue;
            }
            if reference.starts_with(SUITE) {
                if *reference != format!("{SUITE}{}", line.number) || !rows.contains(reference) {
                    wrong.push(format!("{}: the suite has no such row: {reference}", line.number));
                }
            } else if let Err(reason) = exists(reference) {
                wrong.push(format!("{}: {reason}", line.number));
            }
        }
        if line.shown_by.is_empty() && line.left.is_empty() {
            wrong.push(format!("{}: neither shown nor said not to be", line.number));
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn each_row_of_the_suite_is_on_the_page() {
    let named: BTreeSet<String> = page().into_iter().flat_map(|line| line.shown_by).collect();
    for row in ROWS {
        let name = format!("{SUITE}{}", row.number);
        assert!(named.contains(&name), "the page does not name `{name}`");
    }
}
