//! `bmt-server serve`.

use std::time::Duration;

use rustix::process::{Resource, getrlimit, setrlimit};
use sd_notify::NotifyState;
use tokio::signal::unix::{SignalKind, signal};
use tracing::{info, warn};

use super::{Settings, say};
use crate::accounts::DEV_ACCOUNTS;
use crate::config::{Config, Mode, Secret};
use crate::observe;
use crate::serve::{self, Running};

/// The password of the accounts of dev mode.
const DEV_PASSWORD: &str = "BMT_DEV_PASSWORD";
/// What blocking work may still take once everything is stored.
const RUNTIME_LIMIT: Duration = Duration::from_millis(200);
/// Files besides connections: databases, listeners, the runtime's own.
const FILES_BESIDES: u64 = 200;

pub(super) fn run(settings: Settings) -> Result<(), String> {
    let config = settings.load().map_err(|error| error.to_string())?;
    observe::start(&config.log).map_err(|error| format!("`log.filter` cannot be read: {error}."))?;
    raise_file_limit(&config);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("The server cannot start its threads: {error}."))?;
    let done = runtime.block_on(serve_until_signal(config));
    runtime.shutdown_timeout(RUNTIME_LIMIT);
    done
}

async fn serve_until_signal(config: Config) -> Result<(), String> {
    // Before anything is started, so that no signal is missed.
    let listen_to = |kind| signal(kind).map_err(|error| format!("Signals cannot be received: {error}."));
    let (mut terminate, mut interrupt) = (
        listen_to(SignalKind::terminate())?,
        listen_to(SignalKind::interrupt())?,
    );
    let mode = config.mode;
    let given = std::env::var(DEV_PASSWORD)
        .ok()
        .filter(|password| !password.is_empty());
    let running = serve::start(config, given.map(Secret::new))
        .await
        .map_err(|error| error.to_string())?;
    if mode == Mode::Dev {
        announce_dev_accounts(&running);
    }
    say(&format!("listening on http://{}", running.address()));
    tell_supervisor(NotifyState::Ready);

    let shutdown = running.node().shutdown.clone();
    let mut told = false;
    let finished = running.finished();
    tokio::pin!(finished);
    loop {
        tokio::select! {
            () = &mut finished => return Ok(()),
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        if told {
            return Err("Stopped at once by a second signal.".to_owned());
        }
        told = true;
        info!("asked to stop");
        tell_supervisor(NotifyState::Stopping);
        shutdown.begin();
    }
}

fn announce_dev_accounts(running: &Running) {
    let names = DEV_ACCOUNTS.map(|(username, ..)| username).join(", ");
    let password = match running.dev_password() {
        Some(made) => made.reveal().to_owned(),
        None => format!("the one in {DEV_PASSWORD}"),
    };
    say(&format!("dev mode: log in as {names}; password: {password}"));
}

/// Tells systemd, where it started the server (`Type=notify`). Whoever waits for it sees a time limit otherwise.
fn tell_supervisor(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        warn!(%error, "the supervisor named in NOTIFY_SOCKET cannot be told");
    }
}

/// Each connection needs a file; the usual soft limit of 1,024 is for programs that use `select`.
fn raise_file_limit(config: &Config) {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        warn!(%error, "the limit of open files cannot be raised");
    }
    let connections = config.limits.connections;
    let files = getrlimit(Resource::Nofile).current;
    let few = files.filter(|files| *files < connections + FILES_BESIDES);
    if let (Some(files), Mode::Production) = (few, config.mode) {
        warn!(
            files,
            connections,
            "fewer files may be open than `limits.connections`: raise the limit (ulimit -n), or connections will wait"
        );
    }
}
