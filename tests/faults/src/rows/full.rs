//! The disk is full: row 62, on a small disk of its own.

use std::fs::{self, File};
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::disk::status;
use crate::bystanders::Bystanders;
use crate::outcome::{Stop, failed, hold};
use crate::run::Run;
use crate::server::{Build, Server};
use crate::session::{PATIENCE, Session, id_of, seq_of, within};
use crate::token;

const CHANNEL: &str = "public:full";
/// The disk, and what must stay free on it.
const DISK: &str = "size=16m,mode=0700";
const FLOOR_BYTES: &str = "4194304";
/// An upload that reaches the floor, and one that does not.
const LARGE_BYTES: usize = 20 * 1_024 * 1_024;
const SMALL_BYTES: usize = 100 * 1_024;
/// A message of the second half: some hundred of them fill what a log has left over.
const TEXT_BYTES: usize = 8 * 1_024;
/// Publishes before the disk is full.
const BEFORE: u64 = 50;
/// Publishes within which a full disk has to show.
const PUBLISHES: u64 = 3_000;
/// How soon a server stores again that has room again.
const RECOVERED: Duration = Duration::from_secs(15);

/// A small disk in memory; let go of when it is dropped.
struct Disk(PathBuf);

impl Disk {
    fn mount(at: &Path) -> Result<Self, Stop> {
        fs::create_dir_all(at).map_err(|error| failed(error.to_string()))?;
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", DISK, "tmpfs"])
            .arg(at)
            .output();
        let refused = match mount {
            Ok(output) if output.status.success() => return Ok(Self(at.to_owned())),
            Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            Err(error) => error.to_string(),
        };
        Err(Stop::Skipped(format!(
            "no small disk can be mounted here ({refused}); run it as root, or under `unshare --map-root-user --mount`"
        )))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: the server that still runs on it is dropped too.
        let unmounted = Command::new("umount").arg("--lazy").arg(&self.0).status();
        drop(unmounted);
    }
}

/// Row 62.
pub(crate) async fn full_disk(mut run: Run) -> Result<String, Stop> {
    let folder = run.round()?;
    let _disk = Disk::mount(&folder.join("data"))?;
    let mut server = Server::start(
        Build::Development,
        &folder,
        &[("BMT_FILES__FREE_BYTES", FLOOR_BYTES)],
    )?;
    let bystanders = Bystanders::begin(&server).await?;
    at_the_floor(&server).await?;
    let held = bystanders.end(&mut server).await?;
    let stored = without_room(&mut server).await?;
    Ok(format!(
        "507 within an upload of {} MiB; {stored}; {held}",
        LARGE_BYTES / 1_024 / 1_024
    ))
}

/// Uploads above the floor, then a file that reaches it, then above it again.
async fn at_the_floor(server: &Server) -> Result<(), Stop> {
    let (status, _) = upload(server.address(), SMALL_BYTES).await?;
    hold(status == 201, || {
        format!("above the floor an upload was answered with {status}")
    })?;
    let kept = files(server)?;
    let (status, told) = upload(server.address(), LARGE_BYTES).await?;
    hold(status == 507 && told.contains("Messages still work"), || {
        format!("at the floor an upload was answered with {status}: {told}")
    })?;
    let began = Instant::now();
    while files(server)? != kept {
        hold(began.elapsed() < PATIENCE, || {
            "a part of the upload stays on the disk".to_owned()
        })?;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (status, _) = upload(server.address(), SMALL_BYTES).await?;
    hold(status == 201, || {
        format!("above the floor again an upload was answered with {status}")
    })?;
    Ok(())
}

/// Fills the disk to its last byte, publishes until that shows, makes room, and publishes what was refused again.
async fn without_room(server: &mut Server) -> Result<String, Stop> {
    let mut reader = Session::connect(server.address(), "reads").await?;
    let opened = reader.succeed("history", &json!({"topic": CHANNEL})).await?;
    let mut session = Session::connect(server.address(), "p").await?;
    let mut acked = Vec::new();
    for number in 1..=BEFORE {
        session.succeed("publish", &message(number)).await?;
        acked.push(format!("p-{number}"));
    }
    let ballast = fill(&server.data())?;
    let (status_code, told) = upload(server.address(), SMALL_BYTES).await?;
    hold(status_code == 507, || {
        format!("on a full disk an upload was answered with {status_code}: {told}")
    })?;
    let refusal = loop {
        let number = acked.len() as u64 + 1;
        hold(number < PUBLISHES, || {
            format!("{number} publishes were acked on a full disk")
        })?;
        let answer = session.request("publish", &message(number)).await?;
        if answer["status"] != "success" {
            break answer;
        }
        hold(answer["seq"] == number, || format!("a publish: {answer}"))?;
        acked.push(format!("p-{number}"));
    };
    let words = refusal["message"].as_str().unwrap_or_default();
    hold(
        refusal["code"] == "server_error" && refusal["retryAfterMs"].is_u64() && words.contains("incident"),
        || format!("on a full disk a publish was answered: {refusal}"),
    )?;
    let ready = status(server.address(), "/readyz")?;
    hold(ready == 503, || format!("on a full disk /readyz answers {ready}"))?;
    // What was acked is read all the while.
    let listing = reader.list(CHANNEL).await?;
    hold(listing.messages.len() == acked.len(), || {
        format!("{} of {} are served", listing.messages.len(), acked.len())
    })?;

    fs::remove_file(ballast).map_err(|error| failed(error.to_string()))?;
    let without = acked.len() as u64 - BEFORE;
    let recovered = store_again(&mut session, server.address(), &mut acked).await?;

    // A kill, so that only what is on the disk counts.
    server.kill()?;
    server.start_again()?;
    let mut reader = Session::connect(server.address(), "reads").await?;
    let listing = reader.list(CHANNEL).await?;
    let keys: Vec<String> = listing.messages.iter().map(id_of).collect();
    let seqs: Vec<u64> = listing.messages.iter().map(seq_of).collect();
    hold(listing.epoch == opened["epoch"] && keys == acked, || {
        format!("{} were acked, {} are there: {seqs:?}", acked.len(), keys.len())
    })?;
    Ok(format!(
        "full: {BEFORE} publishes acked before, {without} without room, then one refused, stored {} ms after there was \
         room, all there after a kill",
        recovered.as_millis()
    ))
}

/// Publishes what was refused until it is stored, under the number that it would have had; answers how soon.
async fn store_again(
    session: &mut Session,
    address: SocketAddr,
    acked: &mut Vec<String>,
) -> Result<Duration, Stop> {
    let began = Instant::now();
    let number = acked.len() as u64 + 1;
    loop {
        let answer = session.request("publish", &message(number)).await?;
        if answer["status"] == "success" {
            hold(answer["seq"] == number, || {
                format!("what was refused burnt a number: {answer}")
            })?;
            acked.push(format!("p-{number}"));
            break;
        }
        hold(began.elapsed() < RECOVERED, || {
            format!("with room again: {answer}")
        })?;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let recovered = began.elapsed();
    let ready = status(address, "/readyz")?;
    hold(ready == 200, || {
        format!("with room again /readyz answers {ready}")
    })?;
    Ok(recovered)
}

fn message(number: u64) -> Value {
    json!({"topic": CHANNEL, "payload": "x".repeat(TEXT_BYTES), "messageId": format!("p-{number}")})
}

/// Takes all the room that is left.
fn fill(data: &Path) -> Result<PathBuf, Stop> {
    let path = data.join("ballast");
    let told = |error: std::io::Error| failed(format!("{}: {error}", path.display()));
    let mut file = File::create(&path).map_err(told)?;
    for piece in [64 * 1_024, 4_096, 1] {
        let bytes = vec![7; piece];
        // Until it is refused.
        while file.write_all(&bytes).is_ok() {}
    }
    Ok(path)
}

/// Every file that the server keeps for people, or is receiving.
fn files(server: &Server) -> Result<Vec<PathBuf>, Stop> {
    let mut found = Vec::new();
    let mut folders = vec![server.data().join("files")];
    while let Some(folder) = folders.pop() {
        let told = |error: std::io::Error| failed(format!("{}: {error}", folder.display()));
        for entry in fs::read_dir(&folder).map_err(told)? {
            let path = entry.map_err(told)?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Uploads a file of so many bytes; answers the status and the whole answer.
async fn upload(address: SocketAddr, bytes: usize) -> Result<(u16, String), Stop> {
    const BOUNDARY: &str = "of-the-suite";
    const PIECE: usize = 16 * 1_024;
    let told = |error: std::io::Error| failed(format!("an upload: {error}"));
    let start = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.bin\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n"
    );
    let end = format!("\r\n--{BOUNDARY}--\r\n");
    let head = format!(
        "POST /api/v1/files/upload HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\
         Content-Type: multipart/form-data; boundary={BOUNDARY}\r\nContent-Length: {}\r\n\r\n{start}",
        token::of("uploads")?,
        start.len() + bytes + end.len()
    );
    let mut stream = TcpStream::connect(address).await.map_err(told)?;
    stream.write_all(head.as_bytes()).await.map_err(told)?;
    let (mut read, mut write) = stream.split();
    let mut answer = Vec::new();
    let exchange = async {
        let sending = async {
            let piece = vec![1; PIECE];
            let mut sent = 0;
            while sent < bytes {
                // A server that has answered may not read on.
                if write.write_all(&piece[..PIECE.min(bytes - sent)]).await.is_err() {
                    return;
                }
                sent += PIECE.min(bytes - sent);
            }
            drop(write.write_all(end.as_bytes()).await);
        };
        let reading = async {
            let mut piece = [0; 4_096];
            while let Ok(count @ 1..) = read.read(&mut piece).await {
                answer.extend(&piece[..count]);
                if answer.ends_with(b"}") {
                    break;
                }
            }
        };
        tokio::pin!(sending);
        tokio::pin!(reading);
        // The answer ends it, also in the middle.
        tokio::select! {
            () = &mut reading => {}
            () = &mut sending => reading.await,
        }
    };
    within("the answer to an upload", exchange).await?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer
        .split_whitespace()
        .nth(1)
        .and_then(|code| code.parse().ok());
    let status = status.ok_or_else(|| failed(format!("an upload was answered: {answer:?}")))?;
    Ok((status, answer))
}
