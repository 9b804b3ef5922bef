//! The steps of a test run: each announced, timed and remembered, with one line for the sum at the end.

use std::time::{Duration, Instant};

use super::tally::Tally;
use crate::failure::Failure;

/// What came of one step.
enum Outcome {
    Done,
    Tested(Tally),
    Failed(Failure),
    /// Something it needs failed before.
    NotRun,
}

struct Row {
    name: &'static str,
    duration: Duration,
    outcome: Outcome,
}

/// The steps so far.
pub(super) struct Report {
    rows: Vec<Row>,
    /// With a filter a step may find no test of that name; without one it may not.
    filtered: bool,
}

impl Report {
    pub(super) fn new(filtered: bool) -> Self {
        Self {
            rows: Vec::new(),
            filtered,
        }
    }

    /// Runs a step that makes something, if what it needs was made.
    pub(super) fn prepare<N, T>(
        &mut self,
        name: &'static str,
        needs: Option<N>,
        step: impl FnOnce(N) -> Result<T, Failure>,
    ) -> Option<T> {
        self.run(name, needs, step, |made| (Some(made), Outcome::Done))
    }

    /// Runs a step that runs tests, if what it needs was made.
    pub(super) fn test<N>(
        &mut self,
        name: &'static str,
        needs: Option<N>,
        step: impl FnOnce(N) -> Result<Tally, Failure>,
    ) {
        let filtered = self.filtered;
        self.run(name, needs, step, |tally| {
            let outcome = if tally.is_empty() && !filtered {
                Outcome::Failed(Failure::new("no test ran"))
            } else {
                Outcome::Tested(tally)
            };
            (None::<()>, outcome)
        });
    }

    fn run<N, T, U>(
        &mut self,
        name: &'static str,
        needs: Option<N>,
        step: impl FnOnce(N) -> Result<T, Failure>,
        judge: impl FnOnce(T) -> (Option<U>, Outcome),
    ) -> Option<U> {
        let start = Instant::now();
        let (made, outcome) = match needs {
            None => (None, Outcome::NotRun),
            Some(needs) => {
                println!("\n== {name}");
                match step(needs) {
                    Ok(result) => judge(result),
                    Err(failure) => (None, Outcome::Failed(failure)),
                }
            }
        };
        let row = Row {
            name,
            duration: start.elapsed(),
            outcome,
        };
        println!("{row}");
        self.rows.push(row);
        made
    }

    /// Prints every step and the sum, which is the last line; fails if anything did.
    pub(super) fn close(self) -> Result<(), Failure> {
        println!("\n== summary");
        for row in &self.rows {
            println!("{row}");
        }
        let sum = self.sum();
        println!("{} passed, {} failed", sum.passed, sum.failed);
        if sum.failed > 0 {
            return Err(Failure::told());
        }
        Ok(())
    }

    /// All tests; a step that failed or could not run counts as one failure, so none hides behind good tests.
    fn sum(&self) -> Tally {
        let mut sum = Tally::default();
        for row in &self.rows {
            match &row.outcome {
                Outcome::Done => {}
                Outcome::Tested(tally) => sum.add(*tally),
                Outcome::Failed(_) | Outcome::NotRun => sum.failed += 1,
            }
        }
        if sum.is_empty() {
            // A filter that no test's name contains is a mistake, not a success.
            sum.failed = 1;
        }
        sum
    }
}

impl std::fmt::Display for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:<18} {:>7.1} s  ", self.name, self.duration.as_secs_f64())?;
        match &self.outcome {
            Outcome::Done => write!(f, "ok"),
            Outcome::Tested(tally) => write!(f, "{} passed, {} failed", tally.passed, tally.failed),
            Outcome::Failed(failure) => write!(f, "FAILED: {failure}"),
            Outcome::NotRun => write!(f, "NOT RUN: a step it needs failed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three_passed(_: ()) -> Result<Tally, Failure> {
        Ok(Tally { passed: 3, failed: 0 })
    }

    #[test]
    fn good_steps_add_up_and_close_well() {
        let mut report = Report::new(false);
        assert_eq!(report.prepare("tools", Some(()), |()| Ok(7)), Some(7));
        report.test("rust tests", Some(()), three_passed);
        report.test("browser tests", Some(()), three_passed);
        assert_eq!(report.sum(), Tally { passed: 6, failed: 0 });
        assert!(report.close().is_ok());
    }

    #[test]
    fn a_failed_step_fails_the_run_and_leaves_later_steps_their_turn() {
        let mut report = Report::new(false);
        let app = report.prepare("web app", Some(()), |()| Err::<(), _>(Failure::new("no")));
        report.test("rust tests", Some(()), three_passed);
        report.test("browser tests", app, three_passed);
        // The app, and the browser tests that could not run without it.
        assert_eq!(report.sum(), Tally { passed: 3, failed: 2 });
        assert!(report.close().is_err());
    }

    #[test]
    fn a_step_that_runs_no_test_fails_the_run() {
        let mut report = Report::new(false);
        report.test("rust tests", Some(()), three_passed);
        report.test("browser tests", Some(()), |()| Ok(Tally::default()));
        assert!(report.close().is_err());
    }

    #[test]
    fn a_filter_may_miss_a_step_but_not_all_of_them() {
        let mut report = Report::new(true);
        report.test("rust tests", Some(()), three_passed);
        report.test("browser tests", Some(()), |()| Ok(Tally::default()));
        assert!(report.close().is_ok());
        let mut report = Report::new(true);
        report.test("rust tests", Some(()), |()| Ok(Tally::default()));
        assert!(report.close().is_err());
    }
}
