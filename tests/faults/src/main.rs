//! `bmt-faults [--seed N] [--full] [--builds] [row…]`: breaks things around a real server and tells, row by row of
//! FAULTS, whether it held. Run by `cargo xtask faults`, which builds the servers first.
//!
//! A row starts its own server process (`BMT_SERVER_BIN`, or `BMT_OPTIMISED_SERVER_BIN` where figures count), load
//! clients that write down what they see, and a pair of bystanders whose messages must go on arriving. Then it breaks
//! something, and asks the history checker.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line program talks on its standard streams"
)]

mod bystanders;
mod client;
mod clock;
mod journal;
mod load;
mod outcome;
mod rows;
mod run;
mod server;
mod session;
mod table;
mod token;

#[cfg(test)]
mod coverage;
#[cfg(test)]
mod smoke;

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::Instant;

use outcome::Outcome;
use rows::{ROWS, Row};

/// Where the seed is not given: any number would do, but runs should be comparable.
const SEED: u64 = 1;

/// What the arguments ask for.
struct Chosen {
    seed: u64,
    /// Rows that can take long do.
    full: bool,
    /// Nothing runs: only the servers are named that the rows need, for whoever builds them.
    builds: bool,
    rows: Vec<&'static Row>,
}

fn main() -> ExitCode {
    match chosen(std::env::args().skip(1)) {
        Ok(chosen) if chosen.builds => {
            let builds: BTreeSet<&str> = chosen.rows.iter().map(|row| row.build.name()).collect();
            builds.iter().for_each(|build| println!("{build}"));
            ExitCode::SUCCESS
        }
        Ok(chosen) => run_all(&chosen),
        Err(reason) => {
            eprintln!("error: {reason}");
            ExitCode::from(2)
        }
    }
}

/// What the arguments ask for; all rows where they name none.
fn chosen(mut arguments: impl Iterator<Item = String>) -> Result<Chosen, String> {
    let (mut seed, mut full, mut builds) = (SEED, false, false);
    let mut rows = Vec::new();
    while let Some(argument) = arguments.next() {
        let number = |text: &str| text.parse().map_err(|_| format!("`{text}` is no number"));
        if argument == "--seed" {
            seed = number(&arguments.next().unwrap_or_default())?;
            continue;
        }
        if argument == "--full" {
            full = true;
            continue;
        }
        if argument == "--builds" {
            builds = true;
            continue;
        }
        let wanted = number(&argument)?;
        let known: Vec<String> = ROWS.iter().map(|row| row.number.to_string()).collect();
        let row = ROWS.iter().find(|row| u64::from(row.number) == wanted);
        let known = known.join(", ");
        rows.push(row.ok_or_else(|| format!("there is no row {wanted} here; there are {known}"))?);
    }
    if rows.is_empty() {
        rows.extend(ROWS);
    }
    Ok(Chosen {
        seed,
        full,
        builds,
        rows,
    })
}

fn run_all(chosen: &Chosen) -> ExitCode {
    let &Chosen {
        seed, full, ref rows, ..
    } = chosen;
    let mut lines = Vec::new();
    for row in rows {
        println!("== row {}: {}", row.number, row.what);
        let began = Instant::now();
        let outcome = run::one(row, seed, full);
        let line = table::Line {
            row,
            outcome,
            seed,
            took: began.elapsed(),
        };
        println!("{line}");
        lines.push(line);
    }
    print!("\n{}", table::of(&lines));
    let failed = lines
        .iter()
        .any(|line| matches!(line.outcome, Outcome::Failed(_)));
    ExitCode::from(u8::from(failed))
}
