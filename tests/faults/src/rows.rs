//! The rows of FAULTS that this suite runs, one file for each kind of fault.

mod blackhole;
mod commits;
mod crowd;
mod disk;
mod doors;
mod fairness;
mod frames;
mod full;
mod handshakes;
mod network;
mod proxy;
mod recovery;
mod restart;
mod slow;

use std::future::Future;
use std::pin::Pin;

use crate::outcome::Stop;
use crate::run::Run;
use crate::server::Build;

/// A row's work; answers a note of what was measured.
type Work = Pin<Box<dyn Future<Output = Result<String, Stop>>>>;

/// One row.
pub(crate) struct Row {
    /// Its number in FAULTS.
    pub(crate) number: u16,
    pub(crate) what: &'static str,
    /// The server that it runs.
    pub(crate) build: Build,
    pub(crate) run: fn(Run) -> Work,
}

/// All rows, in the order in which they run: that of their numbers.
pub(crate) const ROWS: &[Row] = &[
    Row {
        number: 3,
        what: "frames one byte over the limit",
        build: Build::Development,
        run: |run| Box::pin(frames::oversized(run)),
    },
    Row {
        number: 14,
        what: "2,000 headers, a header of 1 MiB",
        build: Build::Development,
        run: |run| Box::pin(handshakes::headers(run)),
    },
    Row {
        number: 15,
        what: "500 connections send headers byte by byte",
        build: Build::Development,
        run: |run| Box::pin(crowd::trickle(run)),
    },
    Row {
        number: 21,
        what: "500 posts that never end",
        build: Build::Development,
        run: |run| Box::pin(handshakes::posts(run)),
    },
    Row {
        number: 28,
        what: "1,000 namespaces, 50 times",
        build: Build::Development,
        run: |run| Box::pin(handshakes::namespaces(run)),
    },
    Row {
        number: 33,
        what: "10,000 connection ids",
        build: Build::Development,
        run: |run| Box::pin(crowd::ids(run)),
    },
    Row {
        number: 51,
        what: "one user at a hundred times its limits",
        build: Build::Development,
        run: |run| Box::pin(fairness::one_abuser(run)),
    },
    Row {
        number: 54,
        what: "10,000 subscribes and unsubscribes at once",
        build: Build::Development,
        run: |run| Box::pin(crowd::churn(run)),
    },
    Row {
        number: 56,
        what: "a connection flood, no descriptors left",
        build: Build::Development,
        run: |run| Box::pin(crowd::flood(run)),
    },
    Row {
        number: 62,
        what: "a disk that is full, then to the last byte",
        build: Build::Development,
        run: |run| Box::pin(full::full_disk(run)),
    },
    Row {
        number: 68,
        what: "SIGKILL under load, 20 times",
        build: Build::Development,
        run: |run| Box::pin(restart::killed(run)),
    },
    Row {
        number: 73,
        what: "the data folder is missing, closed, removed",
        build: Build::Development,
        run: |run| Box::pin(disk::out_of_reach(run)),
    },
    Row {
        number: 75,
        what: "the database is damaged at rest",
        build: Build::Development,
        run: |run| Box::pin(disk::damaged(run)),
    },
    Row {
        number: 77,
        what: "the history is trimmed while one is away",
        build: Build::Development,
        run: |run| Box::pin(recovery::trimmed(run)),
    },
    Row {
        number: 78,
        what: "64 publishers, a sync for each commit",
        build: Build::Optimised,
        run: |run| Box::pin(commits::publishers(run)),
    },
    Row {
        number: 81,
        what: "500 recoveries while messages flow",
        build: Build::Optimised,
        run: |run| Box::pin(recovery::junction(run)),
    },
    Row {
        number: 85,
        what: "RST under load, 100 times",
        build: Build::Development,
        run: |run| Box::pin(network::reset(run)),
    },
    Row {
        number: 86,
        what: "a network that dies and comes back",
        build: Build::Development,
        run: |run| Box::pin(blackhole::healed(run)),
    },
    Row {
        number: 88,
        what: "latency, single bytes, 5 kB/s",
        build: Build::Development,
        run: |run| Box::pin(network::bad_weather(run)),
    },
    Row {
        number: 89,
        what: "a proxy answers, a strange certificate, no such name",
        build: Build::Development,
        run: |run| Box::pin(proxy::answers(run)),
    },
    Row {
        number: 91,
        what: "slow readers in a busy room",
        build: Build::Development,
        run: |run| Box::pin(slow::readers(run)),
    },
    Row {
        number: 93,
        what: "the server is frozen for two heartbeats",
        build: Build::Development,
        run: |run| Box::pin(network::frozen(run)),
    },
    Row {
        number: 97,
        what: "SIGTERM under load, twice, with a stuck client",
        build: Build::Development,
        run: |run| Box::pin(restart::stopped(run)),
    },
];
