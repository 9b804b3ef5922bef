//! The recovery bench: clients that come back all at once after the server was killed, each with messages missed.

use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::task::JoinSet;

use crate::peer::{Binding, Kind, Peer};
use crate::say;
use crate::server::Server;

const CLIENTS: usize = 1_000;
const CHANNELS: usize = 50;
const MISSED: usize = 20;
/// From the server's readiness until everybody is live again.
const WANTED: Duration = Duration::from_secs(10);

pub(crate) fn run() -> Result<(), String> {
    let runtime = super::runtime()?;
    for binding in [Binding::SocketIo, Binding::Raw] {
        let took = runtime.block_on(recover(binding))?;
        say(&format!(
            "{binding:?}: {CLIENTS} clients with {MISSED} missed messages each were all live {:.2} s after the \
             server was ready again",
            took.as_secs_f64()
        ));
        if took > WANTED {
            return Err(format!("wanted: {} s", WANTED.as_secs()));
        }
    }
    Ok(())
}

async fn recover(binding: Binding) -> Result<Duration, String> {
    let server = Server::stored()?;
    let mut positions = Vec::new();
    for number in 0..CLIENTS {
        let mut peer = Peer::connect(&server.address, binding, &format!("c{number}")).await?;
        let reply = subscribed(binding, &peer.subscribe(&topic(number), None).await?)?;
        positions.push(format!(
            "{{\"seq\":{},\"epoch\":{}}}",
            reply["seq"], reply["epoch"]
        ));
    }
    let mut publisher = Peer::connect(&server.address, binding, "publisher").await?;
    for n in 0..MISSED {
        publish(&mut publisher, n).await?;
    }
    // SIGKILL right after the last ack.
    let server = server.restart()?;
    let began = Instant::now();
    let mut coming = JoinSet::new();
    for (number, position) in positions.into_iter().enumerate() {
        let address = server.address.clone();
        coming.spawn(async move {
            let mut peer = Peer::connect(&address, binding, &format!("c{number}")).await?;
            let reply = subscribed(binding, &peer.subscribe(&topic(number), Some(&position)).await?)?;
            let missed: Vec<_> = reply["messages"].as_array().into_iter().flatten().collect();
            let whole = missed
                .iter()
                .map(|message| &message["payload"])
                .eq((0..MISSED).collect::<Vec<_>>().iter());
            if reply["recovered"] != true || !whole {
                return Err(format!("not recovered: {reply}"));
            }
            Ok(peer)
        });
    }
    let mut live = JoinSet::new();
    while let Some(back) = coming.join_next().await {
        let peer = back.map_err(|error| error.to_string())??;
        live.spawn(next_message(peer));
    }
    // Live is who gets what is published now. By another user: this connection numbers its messages anew.
    let mut publisher = Peer::connect(&server.address, binding, "publisher-again").await?;
    publish(&mut publisher, MISSED).await?;
    while let Some(got) = live.join_next().await {
        got.map_err(|error| error.to_string())??;
    }
    Ok(began.elapsed())
}

fn topic(number: usize) -> String {
    format!("public:bench-{}", number % CHANNELS)
}

/// Publishes the number `n` on every channel and waits until all is acked.
async fn publish(publisher: &mut Peer, n: usize) -> Result<(), String> {
    for channel in 0..CHANNELS {
        publisher.stage_publish(&topic(channel), &n.to_string());
    }
    let mut unanswered = CHANNELS;
    while unanswered > 0 {
        publisher.fill().await?;
        while let Some((kind, text)) = publisher.next()? {
            match kind {
                Kind::Success => unanswered -= 1,
                Kind::Failure => return Err(format!("a publish was refused: {text}")),
                Kind::Message | Kind::Other => {}
            }
        }
    }
    Ok(())
}

async fn next_message(mut peer: Peer) -> Result<(), String> {
    loop {
        while let Some((kind, _)) = peer.next()? {
            if kind == Kind::Message {
                return Ok(());
            }
        }
        peer.fill().await?;
    }
}

/// The body of the answer to a subscribe.
fn subscribed(binding: Binding, text: &str) -> Result<Value, String> {
    let json = match binding {
        Binding::SocketIo => text.trim_start_matches(|c: char| c.is_ascii_digit()),
        Binding::Raw => text,
    };
    let mut value: Value = serde_json::from_str(json).map_err(|error| format!("{text}: {error}"))?;
    Ok(match binding {
        Binding::SocketIo => value[0].take(),
        Binding::Raw => value["data"].take(),
    })
}
