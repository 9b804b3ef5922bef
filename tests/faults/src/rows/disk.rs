//! The disk is damaged or out of reach: rows 73 and 75.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::outcome::{Stop, failed, hold};
use crate::run::Run;
use crate::server::{self, Build, Server};
use crate::session::{Session, id_of, seq_of};

const CHANNEL: &str = "public:rest";
/// Messages of the store that is damaged.
const MESSAGES: u64 = 400;
/// Byte flips and truncations that are tried.
const FLIPS: u32 = 30;
const CUTS: u32 = 12;
/// Where SQLite keeps `user_version`: four bytes, big-endian (file format §1.3).
const USER_VERSION: usize = 60;
/// How soon a server that cannot start says so.
const REFUSAL: Duration = Duration::from_secs(5);
/// A user without rights: `nobody` on every Linux.
const NOBODY: u32 = 65_534;

/// What a server made of a damaged store.
#[derive(Default)]
struct Tally {
    refused: u32,
    new_epoch: u32,
    whole: u32,
}

/// Row 75.
pub(crate) async fn damaged(mut run: Run) -> Result<String, Stop> {
    let closed = filled(&mut run, Signal::TERM).await?;
    let killed = filled(&mut run, Signal::KILL).await?;
    let mut tally = Tally::default();
    for round in 0..FLIPS {
        let at = run.random.bits();
        let mask = u8::try_from(run.random.within(1, 255)).unwrap_or(1);
        let flip = |data: &Path| {
            change(&data.join("messages.db"), |bytes| {
                let mut at = usize::try_from(at % bytes.len() as u64).unwrap_or(0);
                // Every other one in a text: nothing but its sum can tell.
                if round % 2 == 0
                    && let Some(text) = bytes[at..].windows(4).position(|some| some == b"xxxx")
                {
                    at += text;
                }
                bytes[at] ^= mask;
            })
        };
        let what = format!("flip {round}");
        tally.count(try_damaged(&mut run, &closed, &what, flip).await?);
    }
    for round in 0..CUTS {
        let at = run.random.bits();
        let cut = |data: &Path| {
            change(&data.join("messages.db-wal"), |bytes| {
                let at = usize::try_from(at % bytes.len() as u64).unwrap_or(0);
                bytes.truncate(at);
            })
        };
        let what = format!("cut {round}");
        tally.count(try_damaged(&mut run, &killed, &what, cut).await?);
    }
    for store in [&closed, &killed] {
        let empty = |data: &Path| change(&data.join("messages.db"), Vec::clear);
        tally.count(try_damaged(&mut run, store, "zero length", empty).await?);
    }
    let newer = |data: &Path| {
        change(&data.join("messages.db"), |bytes| {
            bytes[USER_VERSION..USER_VERSION + 4].copy_from_slice(&9_999_u32.to_be_bytes());
        })
    };
    let came = try_damaged(&mut run, &closed, "newer", newer).await?;
    hold(came == After::Refused, || {
        "a newer schema was not refused".to_owned()
    })?;
    Ok(format!(
        "{FLIPS} byte flips, {CUTS} cuts of the wal, 2 empty files, 1 newer schema: {} refused, {} with a new epoch, \
         {} with everything in place",
        tally.refused + 1,
        tally.new_epoch,
        tally.whole
    ))
}

/// What a server made of one damaged store.
#[derive(Clone, Copy, PartialEq, Eq)]
enum After {
    Refused,
    NewEpoch,
    Whole,
}

impl Tally {
    fn count(&mut self, after: After) {
        match after {
            After::Refused => self.refused += 1,
            After::NewEpoch => self.new_epoch += 1,
            After::Whole => self.whole += 1,
        }
    }
}

/// A data folder at rest, and what its publisher was told.
struct Filled {
    data: PathBuf,
    epoch: String,
    /// Keys of the messages that were acked, in the order of their seqs from 1.
    acked: Vec<String>,
}

async fn filled(run: &mut Run, end: Signal) -> Result<Filled, Stop> {
    let (mut server, _) = run.server(&[])?;
    let mut session = Session::connect(server.address(), "p").await?;
    let opened = session.succeed("history", &json!({"topic": CHANNEL})).await?;
    let mut acked = Vec::new();
    for number in 1..=MESSAGES {
        let key = format!("p-{number}");
        let body = json!({"topic": CHANNEL, "payload": "x".repeat(100), "messageId": key});
        let answer = session.succeed("publish", &body).await?;
        hold(answer["seq"] == number, || format!("a publish: {answer}"))?;
        acked.push(key);
    }
    server.signal(end)?;
    server.ended_within(Duration::from_secs(15))?;
    Ok(Filled {
        data: server.data(),
        epoch: opened["epoch"].as_str().unwrap_or_default().to_owned(),
        acked,
    })
}

/// Starts a server on a damaged copy and holds what it serves against what was acked.
async fn try_damaged(
    run: &mut Run,
    filled: &Filled,
    what: &str,
    damage: impl FnOnce(&Path) -> Result<(), Stop>,
) -> Result<After, Stop> {
    let folder = run.round()?;
    let data = folder.join("data");
    copy(&filled.data, &data)?;
    damage(&data)?;
    let server = match Server::start(Build::Development, &folder, &[]) {
        Ok(server) => server,
        Err(why) => {
            // The last line is a sentence for the operator, with the file's name in it.
            hold(why.contains("messages.db") && !why.contains("panicked"), || {
                format!("{what}: refused without saying why: {why}")
            })?;
            return Ok(After::Refused);
        }
    };
    let mut session = Session::connect(server.address(), "r").await?;
    let listing = match session.list(CHANNEL).await {
        Ok(listing) => listing,
        // What cannot be read is an error to whoever asks: nothing is left out silently.
        Err(why) if why.contains("server_error") => return Ok(After::Refused),
        Err(why) => return Err(failed(format!("{what}: {why}"))),
    };
    drop(server);
    if listing.epoch != filled.epoch {
        return Ok(After::NewEpoch);
    }
    let seqs: Vec<u64> = listing.messages.iter().map(seq_of).collect();
    let all: Vec<u64> = (1..=MESSAGES).collect();
    hold(listing.top == MESSAGES && seqs == all, || {
        format!(
            "{what}: the old epoch, and only {} of {MESSAGES} messages",
            seqs.len()
        )
    })?;
    let keys: Vec<String> = listing.messages.iter().map(id_of).collect();
    let padded = |message: &Value| message["payload"].as_str() == Some(&"x".repeat(100));
    hold(
        keys == filled.acked && listing.messages.iter().all(padded),
        || format!("{what}: the old epoch, and a message that is not what it was"),
    )?;
    // Only a failure is worth its disk.
    fs::remove_dir_all(&folder).map_err(|error| error.to_string())?;
    Ok(After::Whole)
}

fn copy(from: &Path, to: &Path) -> Result<(), Stop> {
    let told = |error: std::io::Error| failed(format!("{}: {error}", from.display()));
    fs::create_dir_all(to).map_err(told)?;
    for entry in fs::read_dir(from).map_err(told)? {
        let entry = entry.map_err(told)?;
        if entry.file_type().map_err(told)?.is_file() {
            fs::copy(entry.path(), to.join(entry.file_name())).map_err(told)?;
        }
    }
    Ok(())
}

fn change(path: &Path, change: impl FnOnce(&mut Vec<u8>)) -> Result<(), Stop> {
    let told = |error: std::io::Error| failed(format!("{}: {error}", path.display()));
    let mut bytes = fs::read(path).map_err(told)?;
    hold(!bytes.is_empty(), || {
        format!("{} is empty already", path.display())
    })?;
    change(&mut bytes);
    fs::write(path, bytes).map_err(told)
}

/// Row 73.
pub(crate) async fn out_of_reach(mut run: Run) -> Result<String, Stop> {
    // A file where the folder should be: it can neither be made nor opened.
    let folder = run.round()?;
    fs::write(folder.join("data"), "").map_err(|error| error.to_string())?;
    let missing = refusal(&folder, None)?;
    // The owner is root, the server is nobody.
    let folder = run.round()?;
    fs::create_dir_all(folder.join("data")).map_err(|error| error.to_string())?;
    let foreign = refusal(&folder, Some(NOBODY));
    let foreign = match foreign {
        Err(Stop::Skipped(why)) => format!("wrong owner not tried ({why})"),
        foreign => format!("wrong owner refused after {} ms", foreign?.as_millis()),
    };

    let (server, _) = run.server(&[])?;
    let address = server.address();
    let mut session = Session::connect(address, "p").await?;
    let body = json!({"topic": CHANNEL, "payload": 1});
    session.succeed("publish", &body).await?;
    fs::remove_dir_all(server.data()).map_err(|error| error.to_string())?;
    let began = Instant::now();
    let code = loop {
        let answer = session.request("publish", &body).await?;
        if answer["status"] == "error" {
            break answer["code"].as_str().unwrap_or_default().to_owned();
        }
        hold(began.elapsed() < Duration::from_secs(10), || {
            "10 s after its folder was removed the server still acks publishes, into a file that no longer has a name"
                .to_owned()
        })?;
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    hold(code == "server_error", || {
        format!("a publish was refused as {code}")
    })?;
    let ready = status(address, "/readyz")?;
    hold(ready == 503, || format!("/readyz answers {ready}"))?;
    Ok(format!(
        "no folder refused after {} ms, {foreign}, removed: {code} and 503 after {} ms",
        missing.as_millis(),
        began.elapsed().as_millis()
    ))
}

/// Starts a server that must not start; answers how soon it said so.
fn refusal(folder: &Path, uid: Option<u32>) -> Result<Duration, Stop> {
    let mut command = server::command(
        Build::Development,
        folder,
        SocketAddr::from(([127, 0, 0, 1], 0)),
        None,
    )?;
    if let Some(uid) = uid {
        command.uid(uid);
    }
    let began = Instant::now();
    let spawned = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let mut child = spawned.map_err(|error| match uid {
        Some(_) => Stop::Skipped(format!("the server cannot run as another user: {error}")),
        None => failed(error.to_string()),
    })?;
    let status = loop {
        if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
            break status;
        }
        if began.elapsed() > REFUSAL {
            drop(child.kill());
            drop(child.wait());
            return Err(failed("a server without a data folder runs"));
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    let mut told = String::new();
    if let Some(mut stderr) = child.stderr.take() {
        stderr
            .read_to_string(&mut told)
            .map_err(|error| error.to_string())?;
    }
    let name = folder.join("data").display().to_string();
    hold(
        !status.success() && told.contains(&name) && !told.contains("panicked"),
        || format!("it ended with {status} and said: {told}"),
    )?;
    Ok(began.elapsed())
}

/// The status that a path answers with.
pub(super) fn status(address: SocketAddr, path: &str) -> Result<u16, Stop> {
    let ask = || {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(REFUSAL))?;
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok::<_, std::io::Error>(answer)
    };
    let answer = ask().map_err(|error| failed(format!("{path}: {error}")))?;
    let status = answer
        .split_whitespace()
        .nth(1)
        .and_then(|status| status.parse().ok());
    status.ok_or_else(|| failed(format!("{path}: {answer}")))
}
