//! Several client cores against the server core over a network that delays, cuts and swallows, in one thread and
//! in virtual time. Every run follows from its seed; `BMT_SIM_SEED=<seed>` repeats one and tells what happens,
//! `BMT_SIM_SEEDS=<count>` runs more of them.

#![allow(clippy::print_stdout, reason = "the trace of a seed, and what the runs did")]

mod access;
mod hardship;
mod observer;
mod outcome;
mod plan;
mod planted;
mod random;
mod record;
mod server;
mod tab;
mod token;
mod wire;
mod world;

use outcome::Outcome;
use record::Violation;
use server::Sabotage;
use world::World;

/// Seeds of one test run unless the environment says otherwise; in parts, so that they run side by side.
const SEEDS: u64 = 1_200;
const PARTS: u64 = 4;

fn run(seed: u64, sabotage: Sabotage) -> Result<Outcome, Violation> {
    World::new(seed, sabotage).run()
}

fn check_part(part: u64) {
    let mut total = Outcome::default();
    let mut failures = Vec::new();
    let seeds = std::env::var("BMT_SIM_SEEDS").map_or(SEEDS, |count| count.parse().expect("a number"));
    for seed in (0..seeds).filter(|seed| seed % PARTS == part) {
        match run(seed, Sabotage::None) {
            Ok(outcome) => total.add(&outcome),
            Err(violation) => failures.push(format!("seed {seed}: {violation}")),
        }
    }
    assert!(
        failures.is_empty(),
        "repeat one with BMT_SIM_SEED=<seed>:\n{}",
        failures.join("\n")
    );
    // A run in which nothing happens proves nothing.
    let runs = usize::try_from(seeds / PARTS).expect("a small number");
    assert!(total.acked > 10 * runs, "{total:?}");
    assert!(
        total.reconnects > runs as u64 && total.recoveries > 0 && total.duplicates > 0,
        "{total:?}"
    );
    assert!(total.reigns > runs as u64 && total.robberies > 0, "{total:?}");
    let hardships = [
        total.polled,
        total.upgrades,
        total.logouts,
        total.rights_lost,
        total.restarts,
        total.unkept,
    ];
    assert!(hardships.iter().all(|count| *count > 0), "{total:?}");
    println!("{runs} seeds: {total:?}");
}

#[test]
fn nothing_is_lost_doubled_or_reordered_in_the_first_quarter_of_the_seeds() {
    check_part(0);
}

#[test]
fn nothing_is_lost_doubled_or_reordered_in_the_second_quarter_of_the_seeds() {
    check_part(1);
}

#[test]
fn nothing_is_lost_doubled_or_reordered_in_the_third_quarter_of_the_seeds() {
    check_part(2);
}

#[test]
fn nothing_is_lost_doubled_or_reordered_in_the_last_quarter_of_the_seeds() {
    check_part(3);
}

#[test]
fn the_seed_of_the_environment_runs_with_a_trace() {
    let Ok(seed) = std::env::var("BMT_SIM_SEED") else {
        return;
    };
    let seed = seed.parse().expect("BMT_SIM_SEED is a number");
    let result = World::new(seed, Sabotage::None).traced().run();
    println!("seed {seed}: {result:?}");
    assert!(result.is_ok());
}

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in 0..20 {
        assert_eq!(
            run(seed, Sabotage::None),
            run(seed, Sabotage::None),
            "seed {seed}"
        );
    }
}
