//! `cargo xtask covers [name…]`: takes the covers of socketioxide's weaknesses out, one by one, and demands that the
//! tests which are named for them fail.
//!
//! A test that passes with its cover and without it shows nothing. The table of covers says what is to be left out of
//! which file, and which tests must fail then; a test of this crate holds it to the sources. It is done in a copy of
//! the checkout, never in the checkout itself, so whatever ends this command leaves the sources as they are. There
//! each cover gets a switch. First all tests run with all covers on and must pass; then, for each cover, its tests
//! with that one off.

mod replica;
mod table;
mod trial;

use std::collections::HashMap;
use std::time::Instant;

use crate::failure::Failure;
use crate::process;
use crate::workspace::Workspace;
use replica::Replica;
use table::{Cover, Edit, TABLE, Test};
use trial::{Outcome, Programs};

/// One line of the printed table.
struct Line {
    cover: &'static str,
    test: &'static Test,
    with: Outcome,
    without: Outcome,
    /// Of the run without the cover; the build is not in it.
    seconds: f64,
}

/// Runs the named covers, or all.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<(), Failure> {
    let covers = chosen(arguments)?;
    refuse_changes(workspace, &covers)?;
    let replica = Replica::of(workspace)?;

    let places = places(&covers);
    replica.put_switches(&places)?;
    let mut programs = Programs::default();

    println!("with every cover in place:");
    let passing = run_with(&replica, &mut programs, &covers)?;
    let mut lines = Vec::new();
    for cover in covers {
        println!("without `{}`, so that {}:", cover.name, cover.leaves);
        let number = |edit| places.iter().position(|place| *place == edit);
        let out: Vec<usize> = cover.edits.iter().filter_map(number).collect();
        for test in cover.tests {
            let program = programs.of(&replica, test)?;
            let began = Instant::now();
            let without = trial::run(&replica, &program, test, &out)?;
            println!("  {} {}: {}", without, test.name, without.why());
            lines.push(Line {
                cover: cover.name,
                test,
                with: passing[test].clone(),
                without,
                seconds: began.elapsed().as_secs_f64(),
            });
        }
    }
    print(&lines);
    verdict(&lines)
}

fn chosen(arguments: &[String]) -> Result<Vec<&'static Cover>, Failure> {
    let all = || TABLE.iter().flat_map(|part| part.iter());
    if let Some(unknown) = arguments
        .iter()
        .find(|name| all().all(|cover| cover.name != name.as_str()))
    {
        let names: Vec<_> = all().map(|cover| format!("  {}", cover.name)).collect();
        return Err(Failure::new(format!(
            "there is no cover `{unknown}`. These are:\n{}",
            names.join("\n")
        )));
    }
    let wanted = |cover: &&Cover| arguments.is_empty() || arguments.iter().any(|name| name == cover.name);
    Ok(all().filter(wanted).collect())
}

/// Every place that a switch belongs to, once; covers share some.
fn places(covers: &[&'static Cover]) -> Vec<&'static Edit> {
    let mut places = Vec::new();
    for edit in covers.iter().flat_map(|cover| cover.edits) {
        if !places.contains(&edit) {
            places.push(edit);
        }
    }
    places
}

/// What is shown is shown of a commit: a file that a cover is taken out of must be as it was committed.
fn refuse_changes(workspace: &Workspace, covers: &[&Cover]) -> Result<(), Failure> {
    let mut git = workspace.command("git");
    git.args(["status", "--porcelain", "--"]);
    git.args(covers.iter().flat_map(|cover| cover.edits).map(|edit| edit.file));
    let changed = process::output(&mut git)?;
    if changed.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "these files differ from what is committed; commit or set aside what you changed first:\n{changed}"
    )))
}

/// Runs every test that is named once, and answers how each went. All must pass.
fn run_with(
    replica: &Replica,
    programs: &mut Programs,
    covers: &[&'static Cover],
) -> Result<HashMap<&'static Test, Outcome>, Failure> {
    let mut outcomes = HashMap::new();
    for test in covers.iter().flat_map(|cover| cover.tests) {
        if outcomes.contains_key(test) {
            continue;
        }
        let program = programs.of(replica, test)?;
        let outcome = trial::run(replica, &program, test, &[])?;
        println!("  {} {}", outcome, test.name);
        outcomes.insert(test, outcome);
    }
    let broken: Vec<_> = outcomes
        .iter()
        .filter(|(_, outcome)| !outcome.is_pass())
        .map(|(test, outcome)| format!("  {}: {}", test.name, outcome.why()))
        .collect();
    if broken.is_empty() {
        return Ok(outcomes);
    }
    Err(Failure::new(format!(
        "nothing can be said of covers whose tests fail with them:\n{}",
        broken.join("\n")
    )))
}

fn print(lines: &[Line]) {
    println!("\n| cover | test | passes with | fails without | seconds |\n|---|---|---|---|---:|");
    for line in lines {
        println!(
            "| {} | `{}` | {} | {} | {:.1} |",
            line.cover,
            line.test.name,
            if line.with.is_pass() { "yes" } else { "NO" },
            match &line.without {
                Outcome::Passed => "NO",
                Outcome::Failed(_) => "yes",
                Outcome::Hung => "yes (hangs)",
            },
            line.seconds
        );
    }
    println!();
}

fn verdict(lines: &[Line]) -> Result<(), Failure> {
    let shown = lines.iter().filter(|line| !line.without.is_pass()).count();
    if shown == lines.len() {
        println!("{shown} tests fail without their cover");
        return Ok(());
    }
    Err(Failure::new(format!(
        "{} of {} tests do not show their cover: they passed without it. Sharpen the test, or remove a cover that is \
         not needed any more, with its row",
        lines.len() - shown,
        lines.len()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every test function of a file, whatever its arguments and attributes.
    fn has_test(source: &str, name: &str) -> bool {
        source.contains(&format!("fn {name}("))
    }

    #[test]
    fn every_cover_is_in_its_file_once_and_its_tests_exist() {
        let workspace = Workspace::find().unwrap();
        let read = |file: &str| std::fs::read_to_string(workspace.root.join(file)).expect(file);
        for cover in TABLE.iter().flat_map(|part| part.iter()) {
            for edit in cover.edits {
                let times = read(edit.file).matches(edit.text).count();
                assert_eq!(times, 1, "`{}`: {} holds\n{}", cover.name, edit.file, edit.text);
            }
            assert!(
                !cover.edits.is_empty() && !cover.tests.is_empty(),
                "{}",
                cover.name
            );
            for test in cover.tests {
                let (file, function) = test.place();
                assert!(has_test(&read(&file), function), "{file} has no test {function}");
            }
        }
    }

    #[test]
    fn no_two_covers_have_one_name() {
        let mut names: Vec<_> = TABLE
            .iter()
            .flat_map(|part| part.iter())
            .map(|cover| cover.name)
            .collect();
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    #[test]
    fn a_name_that_is_no_cover_is_refused_with_those_there_are() {
        let refused = chosen(&["nothing".to_owned()]).map(|covers| covers.len());
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains("frame limit"), "{refused}");
        assert_eq!(
            chosen(&["frame limit".to_owned()])
                .ok()
                .map(|covers| covers.len()),
            Some(1)
        );
    }

    #[test]
    fn the_verdict_is_bad_where_a_test_passes_without_its_cover() {
        let line = |without| Line {
            cover: "c",
            test: &TABLE[0][0].tests[0],
            with: Outcome::Passed,
            without,
            seconds: 0.0,
        };
        let failed = || Outcome::Failed("why".to_owned());
        assert!(verdict(&[line(failed()), line(Outcome::Hung)]).is_ok());
        assert!(verdict(&[line(failed()), line(Outcome::Passed)]).is_err());
    }
}
