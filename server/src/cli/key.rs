//! `bmt-server key create | list | revoke`: API keys, whether or not the server runs.

use clap::{Args, Subcommand, ValueEnum};

use super::{Settings, say};
use crate::clock;
use crate::config::Config;
use crate::records::{Actor, AuditEntry, NewKey, Outcome, RECORDS_FILE, Records, Retention, Scope};

/// Who made a key here, as lists tell it.
const COMMAND_LINE: &str = "command_line";
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

#[derive(Subcommand)]
pub(super) enum Key {
    /// Make a key and print it; it is not shown again
    Create(Create),
    /// List the keys, without their secrets
    List(Settings),
    /// End a key; a running server refuses it within a second
    Revoke(Revoke),
}

#[derive(Args)]
pub(super) struct Create {
    /// What the key is for
    #[arg(long)]
    name: String,
    /// What it may do; may be given several times
    #[arg(long = "scope", value_name = "SCOPE", required = true)]
    scopes: Vec<Named>,
    /// After how many days it ends [default: never]
    #[arg(long)]
    days: Option<u64>,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Args)]
pub(super) struct Revoke {
    /// The key's id: `key list` shows it
    id: String,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Clone, Copy, ValueEnum)]
enum Named {
    /// Publish, broadcast, notify
    Publish,
    /// Channels, histories, presence, connections, figures
    Read,
    /// Everything
    Admin,
}

impl From<Named> for Scope {
    fn from(named: Named) -> Self {
        match named {
            Named::Publish => Self::Publish,
            Named::Read => Self::Read,
            Named::Admin => Self::Admin,
        }
    }
}

pub(super) fn run(key: Key) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .map_err(|error| format!("The command cannot be run: {error}."))?;
    runtime.block_on(async {
        match key {
            Key::Create(create) => make(create).await,
            Key::List(settings) => list(settings).await,
            Key::Revoke(revoke) => end(revoke).await,
        }
    })
}

async fn make(create: Create) -> Result<(), String> {
    let records = open(create.settings)?;
    let now_ms = clock::unix_ms();
    let new = NewKey {
        name: create.name,
        scopes: create.scopes.into_iter().map(Scope::from).collect(),
        expires_at: create
            .days
            .map(|days| now_ms.saturating_add(days.saturating_mul(DAY_MS))),
    };
    let made = records.create_key(new, COMMAND_LINE, now_ms).await;
    let (key, text) = made.map_err(|error| error.to_string())?;
    note(&records, "key.create", &key.id, Outcome::Done).await?;
    say(&text);
    Ok(())
}

async fn list(settings: Settings) -> Result<(), String> {
    let keys = open(settings)?.list_keys().await;
    for key in keys.map_err(|error| format!("The keys cannot be read: {error}."))? {
        let scopes: Vec<&str> = key.scopes.iter().map(|scope| scope.as_str()).collect();
        say(&format!("{}\t{}\t{}", key.id, scopes.join(","), key.name));
    }
    Ok(())
}

async fn end(revoke: Revoke) -> Result<(), String> {
    let records = open(revoke.settings)?;
    let revoked = records.revoke_key(&revoke.id).await;
    let revoked = revoked.map_err(|error| format!("The key cannot be revoked: {error}."))?;
    let outcome = if revoked { Outcome::Done } else { Outcome::Failed };
    note(&records, "key.revoke", &revoke.id, outcome).await?;
    if revoked {
        return Ok(());
    }
    Err(format!(
        "There is no key {}. `bmt-server key list` shows all.",
        revoke.id
    ))
}

/// The records beside a running server, or without one. The folder must be there: a mistyped one is not made.
fn open(settings: Settings) -> Result<Records, String> {
    let config: Config = settings.load().map_err(|error| error.to_string())?;
    let folder = &config.store.data_dir;
    if !folder.is_dir() {
        return Err(format!(
            "There is no data folder {}. Name the server's with `--data-dir`, or start the server once.",
            folder.display()
        ));
    }
    Records::open(&folder.join(RECORDS_FILE), Retention::of(&config.audit)).map_err(|error| error.to_string())
}

async fn note(records: &Records, act: &str, target: &str, outcome: Outcome) -> Result<(), String> {
    let entry = AuditEntry {
        at_ms: clock::unix_ms(),
        actor: Actor::CommandLine,
        act: act.to_owned(),
        target: target.to_owned(),
        outcome,
        status: 0,
        address: None,
        request: String::new(),
        times: 1,
    };
    let noted = records.note(entry).await;
    noted.map_err(|error| format!("It is done, and the audit log could not be written: {error}."))
}
