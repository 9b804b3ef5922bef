//! One row from beginning to end: a folder of its own, a runtime, a seed.

use std::path::{Path, PathBuf};

use bmt_faultproxy::Random;

use crate::outcome::{Outcome, Stop};
use crate::rows::Row;
use crate::server::{Build, Server};

/// What a row works with.
pub(crate) struct Run {
    pub(crate) seed: u64,
    /// Take as long, and as many, as FAULTS says; else what fits into a minute or two.
    pub(crate) full: bool,
    pub(crate) random: Random,
    build: Build,
    folder: PathBuf,
    rounds: u32,
}

impl Run {
    /// A new folder for one server and the journals around it.
    pub(crate) fn round(&mut self) -> Result<PathBuf, Stop> {
        self.rounds += 1;
        let folder = self.folder.join(self.rounds.to_string());
        std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        Ok(folder)
    }

    /// A server in a new folder.
    pub(crate) fn server(&mut self, settings: &[(&str, &str)]) -> Result<(Server, PathBuf), Stop> {
        let folder = self.round()?;
        Ok((Server::start(self.build, &folder, settings)?, folder))
    }
}

/// Runs a row. What it wrote is kept, and named, where it failed.
pub(crate) fn one(row: &Row, seed: u64, full: bool) -> Outcome {
    if let Err(reason) = row.build.binary() {
        return Outcome::Failed(reason);
    }
    let folder = match tempfile::Builder::new()
        .prefix(&format!("bmt-faults-{}-", row.number))
        .tempdir()
    {
        Ok(folder) => folder,
        Err(error) => return Outcome::Failed(format!("no temporary folder: {error}")),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return Outcome::Failed(format!("no runtime: {error}")),
    };
    let run = Run {
        seed,
        full,
        random: Random::new(seed ^ u64::from(row.number)),
        build: row.build,
        folder: folder.path().to_owned(),
        rounds: 0,
    };
    let outcome = Outcome::from(runtime.block_on((row.run)(run)));
    match outcome {
        Outcome::Failed(why) => Outcome::Failed(format!("{why} (kept in {})", kept(folder).display())),
        outcome => outcome,
    }
}

fn kept(folder: tempfile::TempDir) -> PathBuf {
    let path: &Path = &folder.keep();
    path.to_owned()
}
