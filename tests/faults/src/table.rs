//! The table that a run ends with.

use std::fmt;
use std::time::Duration;

use crate::outcome::Outcome;
use crate::rows::Row;

/// One row's line.
pub(crate) struct Line {
    pub(crate) row: &'static Row,
    pub(crate) outcome: Outcome,
    pub(crate) seed: u64,
    pub(crate) took: Duration,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, note) = match &self.outcome {
            Outcome::Passed(note) => ("passed", note),
            Outcome::Failed(why) => ("FAILED", why),
            Outcome::Skipped(why) => ("SKIPPED", why),
        };
        let (number, what, seed) = (self.row.number, self.row.what, self.seed);
        let seconds = self.took.as_secs_f64();
        write!(
            f,
            "{number:>3}  {what:<44}  {word:<7}  seed {seed:<4} {seconds:>7.1} s  {note}"
        )
    }
}

/// All lines and the sum.
pub(crate) fn of(lines: &[Line]) -> String {
    let mut text =
        String::from("row  what                                          result   seed        took\n");
    for line in lines {
        text.push_str(&format!("{line}\n"));
    }
    let count = |is: fn(&Outcome) -> bool| lines.iter().filter(|line| is(&line.outcome)).count();
    let passed = count(|outcome| matches!(outcome, Outcome::Passed(_)));
    let failed = count(|outcome| matches!(outcome, Outcome::Failed(_)));
    let skipped = count(|outcome| matches!(outcome, Outcome::Skipped(_)));
    text.push_str(&format!("{passed} passed, {failed} failed, {skipped} skipped\n"));
    text
}
