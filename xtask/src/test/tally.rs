//! How many tests passed and failed, from the summaries the test runners write.

use std::process::Command;

use crate::failure::Failure;
use crate::process;

/// A count of tests.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl Tally {
    /// Takes in one line of a runner's output, if it is of its summary.
    pub(crate) fn read(&mut self, line: &str) {
        if let Some(summary) = line.strip_prefix("test result: ") {
            self.passed += count_before(summary, " passed");
            self.failed += count_before(summary, " failed");
        } else if let Some((word, count)) = node_summary(line) {
            match word {
                "pass" => self.passed += count,
                // Cancelled: a test that never ended, or whose suite broke before it.
                "fail" | "cancelled" => self.failed += count,
                _ => {}
            }
        }
    }

    /// A runner that failed without naming a failed test (it crashed, it did not compile) failed once.
    pub(crate) fn settle(&mut self, succeeded: bool) {
        if !succeeded && self.failed == 0 {
            self.failed = 1;
        }
    }

    /// Whether any test ran.
    pub(crate) fn is_empty(self) -> bool {
        self == Self::default()
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

/// Runs a test runner and adds up the summaries it writes.
pub(super) fn of(runner: &mut Command) -> Result<Tally, Failure> {
    let mut tally = Tally::default();
    let succeeded = process::watch(runner, |line| tally.read(line))?;
    tally.settle(succeeded);
    Ok(tally)
}

/// `3` of `ok. 3 passed; 0 failed; …` for ` passed`.
fn count_before(summary: &str, word: &str) -> u64 {
    let before = summary.split_once(word).map_or("", |(before, _)| before);
    before
        .rsplit(' ')
        .next()
        .and_then(|count| count.parse().ok())
        .unwrap_or(0)
}

/// `("pass", 3)` of `ℹ pass 3` (Node's reporter for people) or `# pass 3` (its reporter for programs).
fn node_summary(line: &str) -> Option<(&str, u64)> {
    let rest = line.strip_prefix("ℹ ").or_else(|| line.strip_prefix("# "))?;
    let (word, count) = rest.split_once(' ')?;
    Some((word, count.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally_of(output: &str) -> Tally {
        let mut tally = Tally::default();
        output.lines().for_each(|line| tally.read(line));
        tally
    }

    #[test]
    fn the_summaries_of_cargo_test_are_added_up() {
        let output = "running 2 tests\ntest a ... ok\ntest b ... FAILED\n\
            test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 7 filtered out; finished in 0.00s\n\
            test result: ok. 40 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out; finished in 1.20s\n";
        assert_eq!(
            tally_of(output),
            Tally {
                passed: 41,
                failed: 1
            }
        );
    }

    #[test]
    fn the_summaries_of_both_reporters_of_node_are_read() {
        let people =
            "✔ logs in (3.1ms)\nℹ tests 4\nℹ suites 0\nℹ pass 2\nℹ fail 1\nℹ cancelled 1\nℹ skipped 0\n";
        assert_eq!(tally_of(people), Tally { passed: 2, failed: 2 });
        let programs =
            "ok 1 - logs in\n# tests 3\n# pass 3\n# fail 0\n# cancelled 0\n# a comment of a test\n";
        assert_eq!(tally_of(programs), Tally { passed: 3, failed: 0 });
    }

    #[test]
    fn a_runner_that_breaks_without_a_summary_counts_as_one_failure() {
        let mut tally = tally_of("Segmentation fault\n");
        assert!(tally.is_empty());
        tally.settle(false);
        assert_eq!(tally, Tally { passed: 0, failed: 1 });
        tally.settle(false);
        assert_eq!(tally.failed, 1);
    }
}
