//! One test of the copy, run alone and within a time, with some covers switched off or none.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::replica::{Replica, VARIABLE};
use super::table::{Target, Test};
use crate::failure::{Failure, Naming};
use crate::workspace::json_string;

/// How long one test may run. The tests themselves wait ten seconds for anything; one that waits for several things
/// is still over long before.
const LIMIT: Duration = Duration::from_secs(120);
/// How often a test that runs is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// How a test went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Passed,
    /// With the first sentence of why.
    Failed(String),
    /// It was still running at the limit.
    Hung,
}

impl Outcome {
    pub(super) fn is_pass(&self) -> bool {
        *self == Self::Passed
    }

    /// In a sentence.
    pub(super) fn why(&self) -> &str {
        match self {
            Self::Passed => "it passed",
            Self::Failed(why) => why,
            Self::Hung => "it hung",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Passed => "passes",
            Self::Failed(_) => "fails ",
            Self::Hung => "hangs ",
        })
    }
}

/// The test programs of the copy, built when they are first asked for.
#[derive(Default)]
pub(super) struct Programs(HashMap<Target, PathBuf>);

impl Programs {
    pub(super) fn of(&mut self, replica: &Replica, test: &Test) -> Result<PathBuf, Failure> {
        if let Some(program) = self.0.get(&test.target) {
            return Ok(program.clone());
        }
        let program = build(replica, test.target)?;
        self.0.insert(test.target, program.clone());
        Ok(program)
    }
}

fn build(replica: &Replica, target: Target) -> Result<PathBuf, Failure> {
    let mut cargo = replica.cargo();
    cargo.args([
        "test",
        "--quiet",
        "--no-run",
        "--message-format=json-render-diagnostics",
    ]);
    cargo
        .args(["--package", target.package()])
        .args(target.selection());
    let output = cargo.output().naming("cargo test")?;
    if !output.status.success() {
        return Err(Failure::new(format!(
            "the tests do not build with the switches; bring the table of covers up to date:\n{}",
            String::from_utf8_lossy(&output.stderr)
        )));
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    let program = messages.lines().find_map(|line| program_in(line, target));
    let program = program.ok_or_else(|| {
        Failure::new(format!(
            "Cargo built the tests of {} and named no program",
            target.package()
        ))
    })?;
    Ok(program.into())
}

/// The program that a message of Cargo names, if it is the test program that was asked for.
fn program_in(message: &str, target: Target) -> Option<String> {
    let program = json_string(message, "executable")?;
    // A package's own programs are built beside its tests.
    let is_test =
        message.contains("\"test\":true}") && message.contains(&format!("\"kind\":[\"{}\"]", target.kind()));
    is_test.then_some(program)
}

/// Runs one test without the covers of these switches.
pub(super) fn run(replica: &Replica, program: &Path, test: &Test, out: &[usize]) -> Result<Outcome, Failure> {
    let said = replica.root.with_file_name("said.txt");
    let file = File::create(&said).naming(said.display())?;
    let errors = file.try_clone().naming(said.display())?;
    let numbers: Vec<_> = out.iter().map(ToString::to_string).collect();
    let folder = replica.root.join(test.target.folder());
    let mut child = Command::new(program)
        .args(["--exact", test.name, "--test-threads=1"])
        .current_dir(&folder)
        .env("CARGO_MANIFEST_DIR", &folder)
        .env(VARIABLE, numbers.join(","))
        .stdin(Stdio::null())
        .stdout(file)
        .stderr(errors)
        .spawn()
        .naming(program.display())?;
    let began = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().naming(program.display())? {
            break status;
        }
        if began.elapsed() > LIMIT {
            child.kill().naming(program.display())?;
            child.wait().naming(program.display())?;
            return Ok(Outcome::Hung);
        }
        std::thread::sleep(LOOK);
    };
    let said = String::from_utf8_lossy(&std::fs::read(&said).naming(said.display())?).into_owned();
    // One that is not there would pass: nothing ran.
    if !said.contains("running 1 test\n") {
        return Err(Failure::new(format!(
            "the program has no test `{}`; bring the table of covers up to date",
            test.name
        )));
    }
    if status.success() {
        return Ok(Outcome::Passed);
    }
    Ok(Outcome::Failed(reason(&said)))
}

/// The first thing that went wrong, as the test said it.
fn reason(said: &str) -> String {
    /// Of what it said; some tests print all they saw.
    const MOST_CHARACTERS: usize = 160;
    let mut lines = said.lines().skip_while(|line| !line.contains("panicked at"));
    let why = lines.nth(1).unwrap_or("it ended without a word");
    why.chars().take(MOST_CHARACTERS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_the_line_behind_the_panic() {
        let said = "running 1 test\n\nthread 'x' panicked at a.rs:1:2:\nwaited 10s for a frame\nnote: run\n";
        assert_eq!(reason(said), "waited 10s for a frame");
        assert_eq!(reason("running 1 test\n"), "it ended without a word");
    }

    #[test]
    fn the_program_is_that_of_the_tests() {
        let message = |kind: &str, test: bool| {
            format!(
                r#"{{"reason":"compiler-artifact","target":{{"kind":["{kind}"]}},"profile":{{"opt_level":"0","test":{test}}},"executable":"/t/x"}}"#
            )
        };
        let found = |kind, test| program_in(&message(kind, test), Target::Connections);
        assert_eq!(found("test", true).as_deref(), Some("/t/x"));
        assert_eq!(found("bin", false), None);
        assert_eq!(found("lib", true), None);
    }
}
