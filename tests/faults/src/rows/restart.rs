//! The server ends under load and is started again: rows 68 and 97.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::bystanders::log_is_clean;
use crate::load::{CHANNELS, Load, Shape};
use crate::outcome::{Stop, hold};
use crate::run::Run;
use crate::session::Session;

/// Publishers of row 68, and as many subscribers, that are official clients.
const OFFICIALS: usize = 2;
/// Rounds of row 68, each with a seed of its own.
const KILLS: u32 = 20;
/// How soon a killed server is ready again.
const READY: Duration = Duration::from_secs(3);
/// How soon a stopped server is gone, whoever is stuck.
const EXIT: Duration = Duration::from_secs(10);
/// How soon a server that is told twice is gone.
const SECOND_EXIT: Duration = Duration::from_secs(2);

/// Row 68.
pub(crate) async fn killed(mut run: Run) -> Result<String, Stop> {
    let mut slowest = Duration::ZERO;
    let mut note = String::new();
    for round in 0..KILLS {
        let (mut server, folder) = run.server(&[])?;
        let address = server.address();
        let shape = Shape {
            officials: OFFICIALS,
            ..Shape::of(8, 8)
        };
        let load = Load::start(&shape, address, &folder, run.seed + u64::from(round)).await?;
        let at = |stop: Stop| Stop::Failed(format!("round {round}: {stop}"));
        load.acks(usize::try_from(run.random.within(50, 300)).unwrap_or(50))
            .await
            .map_err(at)?;
        let before = epochs(address).await?;
        server.kill()?;
        let ready = server.start_again()?;
        slowest = slowest.max(ready);
        hold(ready <= READY, || format!("round {round}: ready after {ready:?}"))?;
        load.acks(100).await.map_err(at)?;
        hold(epochs(address).await? == before, || {
            format!("round {round}: another epoch")
        })?;
        note = load.settle(address, &folder).await.map_err(at)?;
        log_is_clean(&server)?;
    }
    let slowest = slowest.as_millis();
    Ok(format!(
        "{KILLS} rounds with {OFFICIALS} of 8 clients official, ready after {slowest} ms at most; last: {note}"
    ))
}

async fn epochs(address: std::net::SocketAddr) -> Result<Vec<String>, Stop> {
    let mut session = Session::connect(address, "epochs").await?;
    let mut epochs = Vec::new();
    for channel in CHANNELS {
        let ask = serde_json::json!({"topic": channel, "limit": 1});
        let page = session.succeed("history", &ask).await?;
        epochs.push(page["epoch"].as_str().unwrap_or_default().to_owned());
    }
    Ok(epochs)
}

/// Row 97.
pub(crate) async fn stopped(mut run: Run) -> Result<String, Stop> {
    let (mut server, folder) = run.server(&[])?;
    let address = server.address();
    let load = Load::start(&Shape::of(8, 8), address, &folder, run.seed).await?;
    load.acks(200).await?;
    let stuck = stuck(address).await?;

    let began = Instant::now();
    server.signal(Signal::TERM)?;
    let status = server.ended_within(EXIT)?;
    let took = began.elapsed();
    hold(status.success(), || format!("it ended with {status}"))?;
    drop(stuck);
    let losses = load
        .publishers
        .iter()
        .chain(&[])
        .map(|client| client.seen().last_loss);
    for loss in losses {
        let code = loss.as_ref().map(|(code, _)| *code);
        // 1006 is a client that was about to connect.
        hold(code != Some(1000), || {
            format!("a client was sent away for good: {loss:?}")
        })?;
    }

    server.start_again()?;
    load.acks(200).await?;
    server.signal(Signal::TERM)?;
    server.signal(Signal::TERM)?;
    let again = Instant::now();
    server.ended_within(SECOND_EXIT)?;
    let twice = again.elapsed();

    server.start_again()?;
    load.acks(100).await?;
    let note = load.settle(address, &folder).await?;
    log_is_clean(&server)?;
    Ok(format!(
        "exit after {} ms with a stuck client, {} ms when told twice; {note}",
        took.as_millis(),
        twice.as_millis()
    ))
}

/// A connection that began a request and neither goes on nor reads.
async fn stuck(address: std::net::SocketAddr) -> Result<TcpStream, Stop> {
    let mut stream = TcpStream::connect(address)
        .await
        .map_err(|error| error.to_string())?;
    let begun =
        format!("POST /api/v1/auth/login HTTP/1.1\r\nHost: {address}\r\nContent-Length: 1000\r\n\r\n{{");
    stream
        .write_all(begun.as_bytes())
        .await
        .map_err(|error| error.to_string())?;
    Ok(stream)
}
