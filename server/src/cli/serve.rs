//! `bmt-server serve`.

use std::io::IsTerminal;
use std::time::Duration;

use rustix::process::{Resource, getrlimit, setrlimit};
use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{error, info, warn};

use super::{Settings, say};
use crate::accounts::DEV_ACCOUNTS;
use crate::config::{Config, Mode, Secret};
use crate::observe;
use crate::serve::{self, Reloading, Running};

/// The password of the accounts of dev mode.
const DEV_PASSWORD: &str = "BMT_DEV_PASSWORD";
/// What blocking work may still take once everything is stored.
const RUNTIME_LIMIT: Duration = Duration::from_millis(200);
/// Files besides connections: databases, listeners, the runtime's own.
const FILES_BESIDES: u64 = 200;

pub(super) fn run(settings: Settings) -> Result<(), String> {
    let config = settings.clone().load().map_err(|error| error.to_string())?;
    observe::start(&config.log).map_err(|error| format!("`log.filter` cannot be read: {error}."))?;
    raise_file_limit(&config);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("The server cannot start its threads: {error}."))?;
    let done = runtime.block_on(serve_until_signal(config, settings));
    runtime.shutdown_timeout(RUNTIME_LIMIT);
    done
}

async fn serve_until_signal(config: Config, settings: Settings) -> Result<(), String> {
    // Before anything is started, so that no signal is missed.
    let listen_to = |kind| signal(kind).map_err(|error| format!("Signals cannot be received: {error}."));
    let (mut terminate, mut interrupt) = (
        listen_to(SignalKind::terminate())?,
        listen_to(SignalKind::interrupt())?,
    );
    let mode = config.mode;
    let scheme = if config.http.has_tls() { "https" } else { "http" };
    // Who tries things out and closes the terminal wants the server to end with it, as it does untold.
    let hangup = match mode == Mode::Dev && std::io::stdin().is_terminal() {
        true => None,
        false => Some(listen_to(SignalKind::hangup())?),
    };
    let given = std::env::var(DEV_PASSWORD)
        .ok()
        .filter(|password| !password.is_empty());
    let running = serve::start(config, given.map(Secret::new))
        .await
        .map_err(|error| error.to_string())?;
    if mode == Mode::Dev {
        announce_dev_accounts(&running);
    }
    say(&format!("listening on {scheme}://{}", running.address()));
    tell_supervisor(&[NotifyState::Ready]);

    // Ends with the runtime: a reload that waits for keys does not hold up the end.
    if let Some(hangup) = hangup {
        tokio::spawn(reload_at(hangup, settings, running.reloading().clone()));
    }
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
        tell_supervisor(&[NotifyState::Stopping]);
        shutdown.begin();
    }
}

/// Reads the configuration anew at each of these signals. One that comes meanwhile is the next one.
async fn reload_at(mut hangup: Signal, settings: Settings, reloading: Reloading) {
    while hangup.recv().await.is_some() {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => tell_supervisor(&[NotifyState::Reloading, now]),
            Err(error) => warn!(%error, "the supervisor cannot be told of the reload"),
        }
        reload(settings.clone(), &reloading).await;
        tell_supervisor(&[NotifyState::Ready]);
    }
}

async fn reload(settings: Settings, reloading: &Reloading) {
    let read = tokio::task::spawn_blocking(move || settings.load()).await;
    let read = read.expect("reading the configuration does not panic");
    let reloaded = match read {
        Ok(config) => reloading.take(config).await.map_err(|error| error.to_string()),
        Err(error) => Err(reloading.refuse(&error)),
    };
    match reloaded {
        Ok(reloaded) => {
            if !reloaded.kept.is_empty() {
                let settings = reloaded.kept.join(", ");
                warn!(
                    settings,
                    "these settings have changed and need a restart: the old values hold"
                );
            }
            info!(
                taken = reloaded.taken.join(", "),
                "the configuration was read again"
            );
        }
        Err(reason) => error!(
            reason,
            "the configuration cannot be taken over: nothing has changed"
        ),
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
fn tell_supervisor(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
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
