//! The command line.

mod backup;
mod check_config;
mod check_store;
mod key;
mod print_config;
mod serve;
mod token;
mod user;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{Config, ConfigError, Flags, Mode};

/// BMT Realtime: channels, history and presence over WebSocket and Socket.IO, in one binary.
#[derive(Parser)]
#[command(name = "bmt-server", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server until SIGTERM or Ctrl-C
    Serve(Settings),
    /// Print the effective configuration as TOML, secrets hidden
    PrintConfig(Settings),
    /// API keys for programs
    #[command(subcommand)]
    Key(key::Key),
    /// Check the configuration and say what is wrong with it
    CheckConfig(Settings),
    /// Look through everything that is stored and say what is wrong with it; a server may be running
    CheckStore(Settings),
    /// Copy everything that is stored into a new folder; a server may be running
    Backup {
        /// The folder to make
        #[arg(value_name = "FOLDER")]
        to: PathBuf,
        #[command(flatten)]
        settings: Settings,
    },
    /// Make, list, change, block and remove accounts; a server may be running
    User {
        #[command(flatten)]
        settings: Settings,
        #[command(subcommand)]
        task: user::Task,
    },
    /// Print an access token that is signed with the configured secret
    Token {
        #[command(flatten)]
        wish: token::Wish,
        #[command(flatten)]
        settings: Settings,
    },
}

/// Where the configuration comes from. Environment variables such as `BMT_HTTP__PORT` stand between the file and
/// the flags.
#[derive(Args, Clone)]
struct Settings {
    /// Try things out on this machine: known accounts, guests, a secret that makes itself
    #[arg(long, global = true)]
    dev: bool,
    /// The configuration file (TOML)
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The port to listen on; 0 takes a free one [default: 5000]
    #[arg(long, global = true)]
    port: Option<u16>,
    /// The address to listen on [default: 127.0.0.1]
    #[arg(long, global = true, value_name = "ADDRESS")]
    bind: Option<String>,
    /// The folder to keep everything in [default: data]
    #[arg(long, global = true, value_name = "FOLDER")]
    data_dir: Option<PathBuf>,
}

impl Settings {
    /// Only where everything is kept: what is in the folder can be read without the secret of its server.
    fn data_dir(mut self) -> Result<PathBuf, String> {
        if let Some(named) = self.data_dir.take() {
            return Ok(named);
        }
        let config = self.load().map_err(|error| error.to_string())?;
        Ok(config.store.data_dir)
    }

    fn load(self) -> Result<Config, ConfigError> {
        let flags = Flags {
            mode: if self.dev { Mode::Dev } else { Mode::Production },
            port: self.port,
            bind: self.bind,
            data_dir: self.data_dir,
        };
        // Variables that are not Unicode are none of ours.
        let env = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Config::load(self.config.as_deref(), env, &flags)
    }
}

/// Does what the command line says.
#[must_use]
pub fn run() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Serve(settings) => serve::run(settings),
        Command::PrintConfig(settings) => print_config::run(settings),
        Command::Key(key) => key::run(key),
        Command::CheckConfig(settings) => check_config::run(settings),
        Command::CheckStore(settings) => check_store::run(settings),
        Command::User { settings, task } => user::run(settings, task),
        Command::Token { wish, settings } => token::run(settings, &wish),
        Command::Backup { to, settings } => backup::run(settings, &to),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            // Where standard error is closed there is nobody to tell.
            let _ = writeln!(std::io::stderr(), "{reason}");
            ExitCode::FAILURE
        }
    }
}

/// Writes a line for whoever started the command. A closed standard output is theirs to choose.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
