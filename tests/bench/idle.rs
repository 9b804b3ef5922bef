//! The idle bench: what a connection costs that is subscribed to a channel of its own and does nothing.

use std::time::Duration;

use tokio::task::JoinSet;

use crate::fanout::Kind;
use crate::peer::{Binding, Peer};
use crate::say;

/// Connections, unless `BMT_BENCH_CONNECTIONS` says otherwise.
const CONNECTIONS: usize = 10_000;
/// Connections that are opened at once.
const AT_ONCE: usize = 100;
/// How long everything is left alone before the memory is looked at.
const SETTLE: Duration = Duration::from_secs(3);

/// `only` names the servers to run; none for all.
pub(crate) fn run(only: &[String]) -> Result<(), String> {
    let runtime = super::runtime()?;
    let connections = std::env::var("BMT_BENCH_CONNECTIONS")
        .ok()
        .and_then(|count| count.parse().ok())
        .unwrap_or(CONNECTIONS);
    say(&format!(
        "{connections} idle connections, each subscribed to its own channel"
    ));
    let mut too_large = Vec::new();
    for kind in Kind::ALL {
        if !only.is_empty() && !only.iter().any(|name| name == kind.name()) {
            continue;
        }
        let server = kind.start()?;
        let before = server.resident_mib()?;
        let peers = runtime.block_on(open(&server.address, kind.binding(), connections))?;
        let held = server.resident_mib()? - before;
        runtime.block_on(close(peers));
        #[expect(clippy::cast_precision_loss, reason = "some thousands")]
        let each_kib = held * 1_024.0 / connections as f64;
        say(&format!(
            "{:>7}: {each_kib:.1} KiB a connection ({before:.1} MiB without any)",
            kind.name()
        ));
        if kind.idle_limit_kib().is_some_and(|limit| each_kib > limit) {
            too_large.push(kind.name());
        }
    }
    if too_large.is_empty() {
        Ok(())
    } else {
        Err(format!("more than wanted: {}", too_large.join(", ")))
    }
}

type Peers = JoinSet<Result<(), String>>;

async fn open(address: &str, binding: Binding, connections: usize) -> Result<Peers, String> {
    let mut peers = JoinSet::new();
    for first in (0..connections).step_by(AT_ONCE) {
        let mut opening = JoinSet::new();
        for number in first..connections.min(first + AT_ONCE) {
            let address = address.to_owned();
            opening.spawn(async move {
                let mut peer = Peer::connect(&address, binding, &format!("u{number}")).await?;
                peer.subscribe(&format!("public:idle-{number}"), None).await?;
                Ok::<_, String>(peer)
            });
        }
        while let Some(opened) = opening.join_next().await {
            let mut peer = opened.map_err(|error| error.to_string())??;
            peers.spawn(async move {
                loop {
                    while peer.next()?.is_some() {}
                    peer.fill().await?;
                }
            });
        }
    }
    tokio::time::sleep(SETTLE).await;
    match peers.try_join_next() {
        None => Ok(peers),
        Some(ended) => Err(format!("a connection ended: {ended:?}")),
    }
}

async fn close(mut peers: Peers) {
    peers.shutdown().await;
}
