//! A server under load: started from its binary or script, watched by its pid, killed when it is dropped.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// The secret that both servers check tokens with.
pub(crate) const SECRET: &str = "a-secret-for-benches-only-0123456789abcdef";

pub(crate) struct Server {
    child: Child,
    pub(crate) address: String,
    // Removed with the server.
    data: TempDir,
}

impl Server {
    /// Ours, with memory durability and without rate limits.
    pub(crate) fn in_memory() -> Result<Self, String> {
        let mut command = ours()?;
        command.env("BMT_NAMESPACES__PUBLIC__DURABILITY", "memory");
        Self::spawn(command, data_dir()?)
    }

    /// Ours, with its own durability: messages are on disk before they are acked.
    pub(crate) fn stored() -> Result<Self, String> {
        Self::spawn(ours()?, data_dir()?)
    }

    /// Kills the server and starts it again on the same data. It is ready when this returns.
    pub(crate) fn restart(mut self) -> Result<Self, String> {
        self.kill();
        Self::spawn(ours()?, std::mem::replace(&mut self.data, data_dir()?))
    }

    /// Where it keeps its data.
    pub(crate) fn data_dir(&self) -> &Path {
        self.data.path()
    }

    /// The plain socketioxide server, which is built beside this program.
    pub(crate) fn plain() -> Result<Self, String> {
        let this = std::env::current_exe().map_err(|error| error.to_string())?;
        let plain = this
            .with_file_name("bmt-bench-plain")
            .with_extension(std::env::consts::EXE_EXTENSION);
        Self::spawn(Command::new(plain), data_dir()?)
    }

    /// The official Node server.
    pub(crate) fn node() -> Result<Self, String> {
        let mut command = Command::new("node");
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/bench/node-server.mjs"));
        Self::spawn(command, data_dir()?)
    }

    fn spawn(mut command: Command, data: TempDir) -> Result<Self, String> {
        let mut child = command
            .env("BMT_AUTH__JWT_SECRET", SECRET)
            .env("BMT_STORE__DATA_DIR", data.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("{command:?} did not start: {error}"))?;
        let stdout = child.stdout.take().ok_or("the server has no output")?;
        let mut lines = BufReader::new(stdout).lines();
        let address = loop {
            let line = lines
                .next()
                .and_then(Result::ok)
                .ok_or_else(|| format!("{command:?} ended before it listened"))?;
            if let Some((_, address)) = line.split_once("listening on http://") {
                break address.trim().to_owned();
            }
        };
        // Keep reading, so that the server never waits for us.
        std::thread::spawn(move || lines.for_each(drop));
        Ok(Self { child, address, data })
    }

    /// CPU time of the process so far, user and system, in seconds.
    pub(crate) fn cpu_seconds(&self) -> Result<f64, String> {
        cpu_seconds(&self.proc_file("stat")?)
    }

    /// The same of this process.
    pub(crate) fn own_cpu_seconds() -> Result<f64, String> {
        cpu_seconds(&std::fs::read_to_string("/proc/self/stat").map_err(|error| error.to_string())?)
    }

    /// Resident memory in MiB.
    pub(crate) fn resident_mib(&self) -> Result<f64, String> {
        let status = self.proc_file("status")?;
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .ok_or("no VmRSS")?;
        let kib = line
            .split_whitespace()
            .nth(1)
            .and_then(|field| field.parse::<f64>().ok())
            .unwrap_or(0.0);
        Ok(kib / 1024.0)
    }

    fn proc_file(&self, name: &str) -> Result<String, String> {
        let path = format!("/proc/{}/{name}", self.child.id());
        std::fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))
    }
}

impl Server {
    fn kill(&mut self) {
        // Either fails only where the process is gone already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn cpu_seconds(stat: &str) -> Result<f64, String> {
    // The name in parentheses may hold spaces; utime and stime are the 12th and 13th fields after it.
    let (_, fields) = stat.rsplit_once(')').ok_or("an unreadable stat file")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks = |at: usize| {
        fields
            .get(at)
            .and_then(|field| field.parse::<f64>().ok())
            .unwrap_or(0.0)
    };
    // The kernel counts in USER_HZ, which is 100 on every Linux there is.
    Ok((ticks(11) + ticks(12)) / 100.0)
}

/// Our server's command, from `BMT_SERVER_BIN`, without rate limits.
fn ours() -> Result<Command, String> {
    let binary = std::env::var("BMT_SERVER_BIN")
        .map_err(|_| "BMT_SERVER_BIN names no server: run `cargo xtask bench`".to_owned())?;
    let mut command = Command::new(binary);
    command.args(["serve", "--dev", "--port", "0"]).envs([
        ("BMT_LIMITS__PUBLISH_PER_SECOND", "0"),
        ("BMT_LIMITS__CONNECTIONS_PER_USER", "0"),
        ("BMT_LIMITS__CONNECTIONS_PER_ADDRESS", "0"),
    ]);
    Ok(command)
}

fn data_dir() -> Result<TempDir, String> {
    tempfile::tempdir().map_err(|error| format!("no temporary folder: {error}"))
}
