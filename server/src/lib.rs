//! The server: one binary, durable by default.
//!
//! This crate is the shell around two pure cores: it reads the configuration, knows who speaks ([`auth`],
//! [`accounts`]), answers HTTP ([`http`]), keeps connections, and carries what they say to the shards and from
//! there to the history. What a request means is decided in `bmt_shared` and `bmt_server_core`, without I/O.
//!
//! It never keeps a secret or an account that nobody configured, outside dev mode; never believes a token beyond
//! what the account store says; never logs a password, a token or a session's private id; and takes nothing from
//! another origin. Everything that can grow has a limit with a name.
//!
//! ```
//! use bmt_server::config::{Config, Flags, Mode};
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! # let folder = tempfile::tempdir()?;
//! let flags = Flags {
//!     mode: Mode::Dev,
//!     port: Some(0),
//!     data_dir: Some(folder.path().join("data")),
//!     ..Flags::default()
//! };
//! let running = bmt_server::serve::start(Config::load(None, [], &flags)?, None).await?;
//! println!("http://{}", running.address());
//!
//! running.node().shutdown.begin();
//! running.finished().await;
//! # Ok::<(), Box<dyn std::error::Error>>(()) })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod cli;
pub mod config;
pub mod observe;

pub mod namespaces;
pub mod node;
pub mod serve;
pub mod shutdown;

pub mod accounts;
pub mod auth;
pub mod backup;
pub mod data_dir;
pub mod database;
pub mod files;
pub mod members;
pub mod records;

pub mod assets;
pub mod http;

pub mod budgets;
pub mod connection;
pub mod figures;
pub mod history;
pub mod meters;
pub mod outbox;
pub mod shards;
pub mod socket;
pub mod telemetry;

pub mod clock;
pub(crate) mod outgoing;
pub mod random;
