//! The fan-out bench: one publisher keeps a number of publishes in flight, subscribers count and time what
//! arrives. All servers stand side by side with their subscribers connected, and are measured in turn, again and
//! again: on a machine that others use too, only what was measured within the same minute compares, and only the
//! middle one of many ratios tells something. What is not measured has nothing to do but to ping.
#![expect(
    clippy::print_stdout,
    reason = "a bench tells on standard output what it could not measure"
)]

mod load;
mod table;

use std::time::Duration;

use crate::server::Server;
use load::{Field, Load, Outcome};

/// How long each measurement runs unless `BMT_BENCH_SECONDS` says otherwise.
const MEASURE: Duration = Duration::from_secs(2);
/// How often each load runs on every server unless `BMT_BENCH_ROUNDS` says otherwise.
const ROUNDS: u64 = 15;
/// Channels, subscribers of each, and publishes in flight.
const LOADS: [(usize, usize, usize); 5] = [
    (1, 200, 1),
    (1, 200, 8),
    (1, 1_000, 1),
    (1, 1_000, 8),
    (500, 4, 8),
];

/// Runs them all, or those that `BMT_BENCH_LOADS` names (`1x200x8 500x4x8`). `only` names the servers to run; none
/// for all.
pub(crate) fn run(only: &[String]) -> Result<(), String> {
    let runtime = super::runtime()?;
    let measure = number("BMT_BENCH_SECONDS").map_or(MEASURE, Duration::from_secs);
    let rounds = number("BMT_BENCH_ROUNDS").unwrap_or(ROUNDS);
    let chosen = std::env::var("BMT_BENCH_LOADS").ok();
    let mut rows = Vec::new();
    for (channels, subscribers, in_flight) in LOADS {
        let name = format!("{channels}x{subscribers}x{in_flight}");
        if chosen
            .as_ref()
            .is_some_and(|chosen| !chosen.split(' ').any(|one| one == name))
        {
            continue;
        }
        let load = Load {
            channels,
            subscribers,
            in_flight,
            measure,
        };
        let kinds = Kind::ALL
            .into_iter()
            .filter(|kind| only.is_empty() || only.iter().any(|name| name == kind.name()));
        let mut contenders: Vec<_> = kinds.map(|kind| Contender { kind, field: None }).collect();
        let mut measured = Vec::new();
        for _ in 0..rounds {
            // All stand before the first is measured, and again where one fell.
            for contender in &mut contenders {
                runtime.block_on(contender.stand(&load))?;
            }
            let mut round = Vec::new();
            for contender in &mut contenders {
                round.extend(runtime.block_on(contender.measure()));
            }
            measured.push(round);
        }
        drop(contenders);
        table::print(&load, &measured);
        rows.push((load, measured));
    }
    table::summarise(&rows);
    Ok(())
}

/// One server of a load.
struct Contender<'a> {
    kind: Kind,
    /// None before the first measurement, and where it failed.
    field: Option<Field<'a>>,
}

impl<'a> Contender<'a> {
    async fn stand(&mut self, load: &'a Load) -> Result<(), String> {
        if self.field.is_none() {
            match Field::connect(load, self.kind.start()?, self.kind.binding()).await {
                Ok(field) => self.field = Some(field),
                Err(error) => self.not_counted(&error),
            }
        }
        Ok(())
    }

    async fn measure(&mut self) -> Option<(Kind, Outcome)> {
        match self.field.as_mut()?.measure().await {
            Ok(outcome) => Some((self.kind, outcome)),
            Err(error) => {
                self.field = None;
                self.not_counted(&error);
                None
            }
        }
    }

    fn not_counted(&self, error: &str) {
        println!("not counted: {}: {error}", self.kind.name());
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable)
        .ok()
        .and_then(|number| number.parse().ok())
}

/// The servers, in the order in which they run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The official server, which all ratios are of.
    Node,
    /// socketioxide as a good Rust developer uses it, without storage.
    Plain,
    SocketIo,
    Raw,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Node, Self::Plain, Self::SocketIo, Self::Raw];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Plain => "plain",
            Self::SocketIo => "ours",
            Self::Raw => "raw",
        }
    }

    /// Most KiB that an idle connection should cost, of ours.
    pub(crate) fn idle_limit_kib(self) -> Option<f64> {
        match self {
            Self::Node | Self::Plain => None,
            Self::SocketIo => Some(32.0),
            Self::Raw => Some(8.0),
        }
    }

    pub(crate) fn start(self) -> Result<Server, String> {
        match self {
            Self::Node => Server::node(),
            Self::Plain => Server::plain(),
            Self::SocketIo | Self::Raw => Server::in_memory(),
        }
    }

    pub(crate) fn binding(self) -> crate::peer::Binding {
        match self {
            Self::Node | Self::Plain | Self::SocketIo => crate::peer::Binding::SocketIo,
            Self::Raw => crate::peer::Binding::Raw,
        }
    }
}
