//! The server put together: stores, routes, connections, and the order in which they end.

mod accept;
mod listen;
mod reload;
mod stream;
mod tls;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::Router;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::{info, warn};

use crate::accounts::{Accounts, StoreError};
use crate::clock;
use crate::config::{Config, Mode, Secret};
use crate::connection::{Live, Realtime};
use crate::data_dir::{DataDir, DataDirError};
use crate::database;
use crate::files::Files;
use crate::history::{Histories, MemoryHistory, SqliteHistory, SqliteSettings};
use crate::http;
use crate::members::Members;
use crate::namespaces::CurrentNamespaces;
use crate::node::Node;
use crate::random;
use crate::records::{self, Denials, RECORDS_FILE, Records};
use crate::shards::{self, Shards};
use crate::shutdown::{SHUTDOWN_LIMIT, Shutdown};
use crate::telemetry::{FLUSH_LIMIT, Telemetry};

pub use reload::{ReloadError, Reloading};
use tls::Tls;
pub use tls::{Certificate, TlsError};

/// Of the time to the exit, what connections have to hear of it and to close.
const CONNECTIONS_LIMIT: Duration = Duration::from_secs(3);
/// The account database, in the data folder.
pub(crate) const ACCOUNTS_FILE: &str = "accounts.db";
/// Who may enter private channels and documents.
pub(crate) const MEMBERS_FILE: &str = "members.db";
/// What was uploaded, and who may see it.
pub(crate) const FILES_FILE: &str = "files.db";
/// The bytes of it.
const FILES_FOLDER: &str = "files";
/// The message database, in the data folder.
pub(crate) const MESSAGES_FILE: &str = "messages.db";
/// Of the time to the exit, what is kept for the stores after the last connection is gone.
const STORES_LIMIT: Duration = Duration::from_secs(2);

/// Why the server does not start.
#[derive(Debug)]
pub enum StartError {
    /// The data folder is taken or cannot be used.
    DataDir(DataDirError),
    /// The database of accounts, of member lists or of records cannot be opened.
    Database(database::OpenError),
    /// The message database cannot be opened.
    Messages(crate::history::OpenError),
    /// The account database cannot be written to.
    Store(StoreError),
    /// The keys of tokens cannot be read; the sentence says why.
    Keys(String),
    /// The certificate or its key cannot be used.
    Tls(TlsError),
    /// The address cannot be listened on.
    Listen(SocketAddr, io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DataDir(error) => error.fmt(f),
            Self::Database(error) => error.fmt(f),
            Self::Messages(error) => error.fmt(f),
            Self::Store(error) => error.fmt(f),
            Self::Tls(error) => error.fmt(f),
            Self::Keys(why) => write!(
                f,
                "The keys of tokens cannot be read: {why}. `auth.jwks_file` names the file."
            ),
            Self::Listen(address, error) if error.kind() == io::ErrorKind::AddrInUse => write!(
                f,
                "{address} is in use by another program. Stop that one, or choose another port with `--port` or \
                 `http.port`."
            ),
            Self::Listen(address, error) => write!(
                f,
                "The server cannot listen on {address}: {error}. Choose another address with `http.bind` and \
                 `http.port`."
            ),
        }
    }
}

impl std::error::Error for StartError {}

/// A server that takes connections. Dropping it does not stop it.
pub struct Running {
    address: SocketAddr,
    node: Arc<Node>,
    live: Live,
    reloading: Reloading,
    dev_password: Option<Secret>,
    done: JoinHandle<()>,
}

impl Running {
    /// Where it listens: the real port, whatever was configured.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What its parts share.
    #[must_use]
    pub fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// The realtime connections that live now.
    #[must_use]
    pub fn live(&self) -> &Live {
        &self.live
    }

    /// What takes over another configuration.
    #[must_use]
    pub fn reloading(&self) -> &Reloading {
        &self.reloading
    }

    /// The password that was made for the accounts of dev mode, where none was given.
    #[must_use]
    pub fn dev_password(&self) -> Option<&Secret> {
        self.dev_password.as_ref()
    }

    /// Waits for the end, which `node().shutdown` begins. It comes within ten seconds of that.
    pub async fn finished(self) {
        if let Err(error) = self.done.await {
            warn!(%error, "the server ended badly");
        }
    }
}

/// Starts a server. It is ready when this returns.
///
/// `dev_password` is for the accounts of dev mode; without one a new one is made.
///
/// # Errors
/// See [`StartError`]. Nothing is left behind that keeps the next start from succeeding.
pub async fn start(mut config: Config, dev_password: Option<Secret>) -> Result<Running, StartError> {
    let now_ms = clock::unix_ms();
    let tls = Certificate::read(&config.http).map_err(StartError::Tls)?;
    let tls = tls.map(|certificate| Arc::new(Tls::new(certificate)));
    let data_dir = DataDir::open(&config.store.data_dir).map_err(StartError::DataDir)?;
    if config.mode == Mode::Dev && config.auth.jwt_secret.is_empty() {
        config.auth.jwt_secret = data_dir.dev_secret().map_err(StartError::DataDir)?;
    }
    let accounts =
        Accounts::open(&data_dir.file(ACCOUNTS_FILE), &config, now_ms).map_err(StartError::Database)?;
    let retention = records::Retention::of(&config.audit);
    let records = Records::open(&data_dir.file(RECORDS_FILE), retention).map_err(StartError::Database)?;
    let mut made_password = None;
    if config.mode == Mode::Dev {
        let password =
            dev_password.unwrap_or_else(|| made_password.insert(Secret::new(random::text::<9>())).clone());
        accounts
            .make_dev_accounts(&password, now_ms)
            .await
            .map_err(StartError::Store)?;
    }
    let members = Members::open(&data_dir.file(MEMBERS_FILE)).map_err(StartError::Database)?;
    let files = Files::open(
        &data_dir.file(FILES_FILE),
        &data_dir.file(FILES_FOLDER),
        config.files.clone(),
    );
    let files = files.map_err(StartError::Database)?;
    let namespaces: CurrentNamespaces = Arc::new(ArcSwap::from_pointee(config.namespaces.clone()));
    let histories = histories(&config, &namespaces, &data_dir)?;
    let (listener, address) = listen::listen(&config.http)?;
    warn_if_public(&config, address);
    let telemetry = Telemetry::start(&config.telemetry);
    let node = Arc::new(Node::new(
        config,
        accounts,
        members,
        files,
        histories,
        telemetry,
        Shutdown::default(),
    ));
    node.accounts.follow(&node.shutdown);
    let keys = node.authenticator.follow_keys(&node.shutdown).await;
    keys.map_err(StartError::Keys)?;
    let shards = shards(&node, &namespaces);
    let denials = Denials::start(records.clone(), &node.shutdown);
    let realtime = Realtime::new(node.clone(), shards.clone(), denials);
    let live = realtime.live().clone();
    let reloading = Reloading::new(
        node.clone(),
        shards.clone(),
        namespaces,
        realtime.follower(),
        tls.clone(),
    );
    let control = http::Control::new(node.clone(), shards, live.clone(), records);
    control.start();
    let router = http::router(&control, realtime.router());
    let done = tokio::spawn(run(listener, tls, router, node.clone(), realtime, data_dir));
    Ok(Running {
        address,
        node,
        live,
        reloading,
        dev_password: made_password,
        done,
    })
}

/// Where messages are kept: on disk what is `stored`, in memory the rest.
fn histories(
    config: &Config,
    namespaces: &CurrentNamespaces,
    data_dir: &DataDir,
) -> Result<Histories, StartError> {
    let settings = SqliteSettings {
        namespaces: namespaces.clone(),
        idempotency_window_ms: config.limits.idempotency_window_ms,
        clock: Arc::new(clock::unix_ms),
    };
    let stored =
        SqliteHistory::open(&data_dir.file(MESSAGES_FILE), settings).map_err(StartError::Messages)?;
    let memory = MemoryHistory::new(config.limits.idempotency_window_ms);
    Ok(Histories::new(Arc::new(stored), Arc::new(memory)))
}

/// The channels of this node.
fn shards(node: &Node, namespaces: &CurrentNamespaces) -> Shards {
    let settings = shards::Settings {
        empty_channel_ms: node.current().config.limits.empty_channel_ms,
    };
    Shards::start(
        node.histories.clone(),
        namespaces.clone(),
        settings,
        Arc::new(clock::unix_ms),
        node.telemetry.clone(),
    )
}

async fn run(
    listener: tokio::net::TcpListener,
    tls: Option<Arc<Tls>>,
    router: Router,
    node: Arc<Node>,
    realtime: Realtime,
    data_dir: DataDir,
) {
    let places = accept::accept(listener, tls, router, &node).await;
    let deadline = Instant::now() + SHUTDOWN_LIMIT;
    info!("stopping: connections drain");
    realtime.shutdown(CONNECTIONS_LIMIT).await;
    if !places.all_free(deadline - STORES_LIMIT).await {
        warn!("some connections did not end in time and are cut");
    }
    let rest = deadline.saturating_duration_since(Instant::now());
    if !node.shutdown.finished(rest).await {
        warn!("some work did not end in time and is cut");
    }
    let rest = deadline.saturating_duration_since(Instant::now());
    node.telemetry.finish(rest.min(FLUSH_LIMIT)).await;
    // The lock goes last: whoever gets it next finds the stores closed.
    drop(node);
    drop(data_dir);
    info!("stopped");
}

fn warn_if_public(config: &Config, address: SocketAddr) {
    let public = !address.ip().is_loopback();
    if public && config.mode == Mode::Dev {
        warn!("dev mode listens on a public address: guests and known accounts can come in from outside");
    } else if public && config.http.trusted_proxies.is_empty() && !config.http.has_tls() {
        warn!(
            "this is a public address without TLS: passwords and tokens can be read on the way. Set \
             `http.tls_cert` and `http.tls_key`, or put a proxy that ends TLS before the server and name it in \
             `http.trusted_proxies`"
        );
    }
}
