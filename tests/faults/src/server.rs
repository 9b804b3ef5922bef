//! The server under test: a process of its own, watched by its id, killed when it is dropped.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{OnceLock, mpsc};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::token::SECRET;

/// How long a start may take before it counts as failed.
const START: Duration = Duration::from_secs(30);
/// How long a server that was killed may take to be gone.
const GONE: Duration = Duration::from_secs(20);
/// How much of a log is told where a start fails: a refusal may quote several lines.
const LAST_LINES: usize = 12;
/// How often a process is looked at while it is waited for.
const LOOK: Duration = Duration::from_millis(10);

/// Which server is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Build {
    /// What `cargo build` makes: for rows that ask what happens.
    Development,
    /// What people run: for rows that ask how fast it happens too.
    Optimised,
}

impl Build {
    /// What `--builds` calls it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Optimised => "optimised",
        }
    }

    /// The environment variable that names this server's file.
    const fn variable(self) -> &'static str {
        match self {
            Self::Development => "BMT_SERVER_BIN",
            Self::Optimised => "BMT_OPTIMISED_SERVER_BIN",
        }
    }

    /// The server's file.
    pub(crate) fn binary(self) -> Result<PathBuf, String> {
        let found = match self {
            Self::Development => BINARY.get().cloned(),
            Self::Optimised => None,
        };
        let variable = self.variable();
        let binary = found.or_else(|| std::env::var_os(variable).map(PathBuf::from));
        binary.ok_or_else(|| format!("{variable} names no server: run `cargo xtask faults`"))
    }
}

/// A server and its folder.
pub(crate) struct Server {
    child: Child,
    build: Build,
    address: SocketAddr,
    /// The network namespace it runs in, where that is not ours.
    namespace: Option<String>,
    folder: PathBuf,
    settings: Vec<(String, String)>,
    /// How long the last start took.
    ready: Duration,
}

impl Server {
    /// Starts a server in `folder`; `settings` are environment variables such as `BMT_HEARTBEAT__INTERVAL_MS`.
    pub(crate) fn start(build: Build, folder: &Path, settings: &[(&str, &str)]) -> Result<Self, String> {
        Self::start_at(build, folder, free_address()?, None, settings)
    }

    /// Starts a server that is reached at `address`, in a network namespace of its own or in ours.
    pub(crate) fn start_at(
        build: Build,
        folder: &Path,
        address: SocketAddr,
        namespace: Option<String>,
        settings: &[(&str, &str)],
    ) -> Result<Self, String> {
        let settings = owned(settings);
        let start = command(build, folder, address, namespace.as_deref())?;
        let (child, ready) = spawn(folder, start, &settings)?;
        Ok(Self {
            child,
            build,
            address,
            namespace,
            folder: folder.to_owned(),
            settings,
            ready,
        })
    }

    /// Starts it again on the same folder and port.
    pub(crate) fn start_again(&mut self) -> Result<Duration, String> {
        let start = command(self.build, &self.folder, self.address, self.namespace.as_deref())?;
        (self.child, self.ready) = spawn(&self.folder, start, &self.settings)?;
        Ok(self.ready)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn data(&self) -> PathBuf {
        data(&self.folder)
    }

    pub(crate) fn signal(&self, signal: Signal) -> Result<(), String> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or("the server has no process id")?;
        kill_process(pid, signal).map_err(|error| format!("{signal:?}: {error}"))
    }

    /// SIGKILL, and the wait until it is gone.
    pub(crate) fn kill(&mut self) -> Result<(), String> {
        self.signal(Signal::KILL)?;
        self.ended_within(GONE).map(drop)
    }

    /// Waits for its end; answers how.
    pub(crate) fn ended_within(&mut self, patience: Duration) -> Result<ExitStatus, String> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(status) = self.child.try_wait().map_err(|error| error.to_string())? {
                return Ok(status);
            }
            if Instant::now() > deadline {
                return Err(format!("the server still runs {patience:?} later"));
            }
            std::thread::sleep(LOOK);
        }
    }

    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Everything that all its processes wrote so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read(log(&self.folder))
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// Resident memory in bytes.
    pub(crate) fn resident_bytes(&self) -> Result<u64, String> {
        let path = format!("/proc/{}/status", self.pid());
        let status = std::fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        kib.map(|kib| kib * 1_024)
            .ok_or_else(|| format!("{path} has no VmRSS"))
    }

    /// Processor time that its threads took so far.
    pub(crate) fn processor_time(&self) -> Result<Duration, String> {
        let path = format!("/proc/{}/task", self.pid());
        let threads = std::fs::read_dir(&path).map_err(|error| format!("{path}: {error}"))?;
        let mut nanoseconds = 0;
        for thread in threads.flatten() {
            // One that ended meanwhile is not there any more.
            let Ok(figures) = std::fs::read_to_string(thread.path().join("schedstat")) else {
                continue;
            };
            let first = figures.split_whitespace().next();
            nanoseconds += first.and_then(|time| time.parse::<u64>().ok()).unwrap_or(0);
        }
        Ok(Duration::from_nanos(nanoseconds))
    }

    /// Open descriptors.
    pub(crate) fn descriptors(&self) -> Result<usize, String> {
        let path = format!("/proc/{}/fd", self.pid());
        let entries = std::fs::read_dir(&path).map_err(|error| format!("{path}: {error}"))?;
        Ok(entries.count())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Either fails only where the process is gone already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What a load must not run into.
const NO_LIMITS: &[(&str, &str)] = &[
    ("BMT_LIMITS__PUBLISH_PER_SECOND", "0"),
    ("BMT_LIMITS__SUBSCRIBE_PER_SECOND", "0"),
    ("BMT_LIMITS__READ_PER_SECOND", "0"),
    ("BMT_LIMITS__CONNECTIONS_PER_USER", "0"),
    ("BMT_LIMITS__CONNECTIONS_PER_ADDRESS", "0"),
];

/// A server that was found without the environment's help.
static BINARY: OnceLock<PathBuf> = OnceLock::new();

/// Takes this binary where `BMT_SERVER_BIN` names none.
#[cfg(test)]
pub(crate) fn use_binary(path: PathBuf) {
    BINARY.get_or_init(|| path);
}

fn data(folder: &Path) -> PathBuf {
    folder.join("data")
}

fn log(folder: &Path) -> PathBuf {
    folder.join("server.log")
}

/// The command that starts a server in a folder. In a namespace it listens on all addresses there.
pub(crate) fn command(
    build: Build,
    folder: &Path,
    address: SocketAddr,
    namespace: Option<&str>,
) -> Result<Command, String> {
    Ok(command_of(&build.binary()?, folder, address, namespace))
}

fn free_address() -> Result<SocketAddr, String> {
    TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .map_err(|error| format!("no free port: {error}"))
}

/// The settings of a load, and these.
fn owned(settings: &[(&str, &str)]) -> Vec<(String, String)> {
    let all = NO_LIMITS.iter().chain(settings);
    all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn command_of(binary: &Path, folder: &Path, address: SocketAddr, namespace: Option<&str>) -> Command {
    let mut command = match namespace {
        // `ip` becomes the server, so the process id is the server's.
        Some(namespace) => {
            let mut command = Command::new("ip");
            command.args(["netns", "exec", namespace]).arg(binary);
            command
        }
        None => Command::new(binary),
    };
    let bind = if namespace.is_some() {
        "0.0.0.0"
    } else {
        "127.0.0.1"
    };
    command
        .args(["serve", "--dev", "--bind", bind])
        .args(["--port", &address.port().to_string(), "--data-dir"])
        .arg(data(folder))
        .env("BMT_AUTH__JWT_SECRET", SECRET)
        .stdin(Stdio::null());
    command
}

fn spawn(
    folder: &Path,
    mut command: Command,
    settings: &[(String, String)],
) -> Result<(Child, Duration), String> {
    let path = log(folder);
    let file: File = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .map_err(|error| format!("{}: {error}", path.display()))?;
    let began = Instant::now();
    let mut child = command
        .envs(settings.iter().map(|(name, value)| (name, value)))
        .stdout(Stdio::piped())
        .stderr(file)
        .spawn()
        .map_err(|error| format!("the server did not start: {error}"))?;
    let stdout = child.stdout.take().ok_or("the server has no output")?;
    let (listens, listening) = mpsc::channel();
    // Reads to the end, so that the server never waits for us.
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if line.contains("listening on http") {
                // Nobody waits for a second one.
                let _ = listens.send(());
            }
        }
    });
    match listening.recv_timeout(START) {
        Ok(()) => Ok((child, began.elapsed())),
        Err(_) => {
            drop(child.kill());
            drop(child.wait());
            let told = std::fs::read_to_string(&path).unwrap_or_default();
            let lines: Vec<&str> = told.lines().rev().take(LAST_LINES).collect();
            let last: Vec<&str> = lines.into_iter().rev().collect();
            Err(format!("the server did not listen: {}", last.join(" ")))
        }
    }
}
