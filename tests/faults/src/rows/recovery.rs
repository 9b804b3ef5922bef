//! Where the history ends and the live stream begins: rows 77 and 81.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bmt_faultproxy::Random;
use bmt_histcheck::Event;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::bystanders::Bystanders;
use crate::journal::Journal;
use crate::load::{judge, list};
use crate::outcome::{Stop, failed, hold};
use crate::run::Run;
use crate::session::{Session, id_of, seq_of};

const CHANNEL: &str = "public:junction";
/// What a channel of row 77 keeps, and how much is published.
const KEPT: u64 = 1_000;
const PUBLISHED: u64 = 5_000;
/// The most that a small message may take on the disk, and what remains of a trimmed one for the idempotency window.
const MESSAGE_BYTES: u64 = 1_000;
const KEY_BYTES: u64 = 300;
/// Messages of one batch (SPEC §4 allows 200).
const BATCH: u64 = 100;
/// Recoveries of row 81 and how many subscribers share them.
const RECOVERIES: u64 = 500;
const READERS: u64 = 5;
/// Messages of a batch there, how often each publisher sends one, and how many publishers there are: 2,000 messages
/// a second.
const FLOW: u64 = 20;
const FLOW_EVERY: Duration = Duration::from_millis(40);
const FLOWS: u64 = 4;
/// What has to flow at least: half of it, on a machine that has other work too.
const LEAST_FLOW: u128 = 1_000;

/// Row 77.
pub(crate) async fn trimmed(mut run: Run) -> Result<String, Stop> {
    let kept = KEPT.to_string();
    let (mut server, _) = run.server(&[("BMT_NAMESPACES__PUBLIC__HISTORY_SIZE", &kept)])?;
    let bystanders = Bystanders::begin(&server).await?;
    let mut session = Session::connect(server.address(), "p").await?;
    for _ in 0..PUBLISHED / BATCH {
        publish(&mut session, BATCH).await?;
    }
    let top = PUBLISHED;
    let oldest = top - KEPT + 1;
    let page = session
        .succeed("history", &json!({"topic": CHANNEL, "limit": 1}))
        .await?;
    let epoch = page["epoch"].as_str().unwrap_or_default().to_owned();
    hold(page["seq"] == top, || format!("the top is {}", page["seq"]))?;
    for (since, recovers) in [(oldest - 1, true), (oldest - 2, false), (10, false)] {
        let mut reader = Session::connect(server.address(), "r").await?;
        let ask = json!({"topic": CHANNEL, "since": {"seq": since, "epoch": epoch}});
        let answer = reader.succeed("subscribe", &ask).await?;
        let seqs: Vec<u64> = messages(&answer).iter().map(seq_of).collect();
        if recovers {
            let all: Vec<u64> = (oldest..=top).collect();
            hold(answer["recovered"] == true && seqs == all, || {
                format!(
                    "from {since}: {} and {} messages",
                    answer["recovered"],
                    seqs.len()
                )
            })?;
            continue;
        }
        let told = (
            &answer["recovered"],
            &answer["reason"],
            &answer["oldestSeq"],
            &answer["seq"],
        );
        hold(
            told == (&json!(false), &json!("trimmed"), &json!(oldest), &json!(top)),
            || format!("from {since}: {told:?}"),
        )?;
        hold(seqs.last() == Some(&top), || {
            format!("from {since}: the page ends at {seqs:?}")
        })?;
    }
    let held = bystanders.end(&mut server).await?;
    // The log is written back by then, so the file is all there is.
    server.signal(Signal::TERM)?;
    server.ended_within(Duration::from_secs(10))?;
    let size = stored_bytes(&server.data());
    let most = KEPT * MESSAGE_BYTES + top * KEY_BYTES;
    hold(size <= most, || {
        format!("{top} messages of which {KEPT} are kept take {size} bytes")
    })?;
    Ok(format!("{top} published, {} kB stored; {held}", size / 1_000))
}

async fn publish(session: &mut Session, count: u64) -> Result<(), Stop> {
    let messages: Vec<Value> = (0..count)
        .map(|n| json!({"topic": CHANNEL, "payload": n}))
        .collect();
    let answer = session.succeed("publish", &json!({"messages": messages})).await?;
    let results = answer["results"].as_array().cloned().unwrap_or_default();
    let refused = results.iter().find(|result| result["status"] != "success");
    refused.map_or(Ok(()), |refused| Err(failed(format!("a publish: {refused}"))))
}

fn stored_bytes(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("messages"));
    sizes.filter_map(|entry| Some(entry.metadata().ok()?.len())).sum()
}

fn messages(answer: &Value) -> Vec<Value> {
    answer["messages"].as_array().cloned().unwrap_or_default()
}

/// Row 81.
pub(crate) async fn junction(mut run: Run) -> Result<String, Stop> {
    let (mut server, folder) = run.server(&[])?;
    let address = server.address();
    let bystanders = Bystanders::begin(&server).await?;
    let first = json!({"topic": CHANNEL, "payload": 0, "messageId": "first"});
    let mut session = Session::connect(address, "first").await?;
    session.succeed("publish", &first).await?;
    let stopped = Arc::new(AtomicBool::new(false));
    let flowed = Arc::new(AtomicU64::new(0));
    let began = Instant::now();
    let flow = |number| {
        let name = format!("p{number}");
        tokio::spawn(flow(
            address,
            folder.clone(),
            name,
            Arc::clone(&stopped),
            Arc::clone(&flowed),
        ))
    };
    let flows: Vec<_> = (0..FLOWS).map(flow).collect();
    let mut readers = Vec::new();
    for number in 0..READERS {
        let random = Random::new(run.random.bits());
        readers.push(tokio::spawn(recover(address, folder.clone(), number, random)));
    }
    let mut recovered = 0;
    for reader in readers {
        recovered += reader.await.map_err(|error| failed(error.to_string()))??;
    }
    stopped.store(true, Ordering::Relaxed);
    for flow in flows {
        flow.await.map_err(|error| failed(error.to_string()))??;
    }
    let rate = flowed.load(Ordering::Relaxed) as u128 * 1_000 / began.elapsed().as_millis().max(1);
    hold(rate >= LEAST_FLOW, || {
        format!("only {rate} messages a second flowed")
    })?;
    let mut store = Journal::create(&folder, "store")?;
    // Another one: nobody has answered the pings of the first.
    let mut session = Session::connect(address, "store").await?;
    list(&mut session, CHANNEL, &mut store).await?;
    drop(store);
    let note = judge(&folder)?;
    let held = bystanders.end(&mut server).await?;
    Ok(format!(
        "{recovered} recoveries of {RECOVERIES} while {rate} messages a second flowed; {note}; {held}"
    ))
}

/// Publishes batches until it is stopped.
async fn flow(
    address: SocketAddr,
    folder: PathBuf,
    name: String,
    stopped: Arc<AtomicBool>,
    flowed: Arc<AtomicU64>,
) -> Result<(), Stop> {
    let mut session = Session::connect(address, &name).await?;
    let mut journal = Journal::create(&folder, &name)?;
    let mut number = 0;
    let mut due = tokio::time::Instant::now();
    while !stopped.load(Ordering::Relaxed) {
        // By the clock: what one answer takes longer than the others is made up for.
        due += FLOW_EVERY;
        let ids: Vec<String> = (number..number + FLOW).map(|n| format!("{name}-{n}")).collect();
        number += FLOW;
        for id in &ids {
            journal.note(Event::Invoke {
                id: id.clone(),
                channel: CHANNEL.to_owned(),
                body: String::new(),
                conn: 0,
            });
        }
        let entry = |id| json!({"topic": CHANNEL, "payload": 1, "messageId": id});
        let messages: Vec<Value> = ids.iter().map(entry).collect();
        let answer = session.succeed("publish", &json!({"messages": messages})).await?;
        let results = answer["results"].as_array().cloned().unwrap_or_default();
        for (id, result) in ids.into_iter().zip(&results) {
            hold(result["status"] == "success", || format!("a publish: {result}"))?;
            journal.note(Event::Ok {
                id,
                channel: CHANNEL.to_owned(),
                seq: seq_of(result),
                epoch: None,
            });
        }
        flowed.fetch_add(FLOW, Ordering::Relaxed);
        tokio::time::sleep_until(due).await;
    }
    Ok(())
}

/// A subscriber that leaves and comes back with its position, over and over; answers how often it was recovered.
async fn recover(address: SocketAddr, folder: PathBuf, number: u64, mut random: Random) -> Result<u64, Stop> {
    let name = format!("r{number}");
    let mut reader = Reader {
        session: Session::connect(address, &name).await?,
        journal: Journal::create(&folder, &name)?,
        epoch: String::new(),
        at: 0,
    };
    reader.subscribe(None).await?;
    let mut recovered = 0;
    for round in 0..RECOVERIES / READERS {
        reader.follow(Duration::from_millis(random.within(0, 40))).await?;
        if round % 10 == 9 {
            reader.session = Session::connect(address, &name).await?;
        } else {
            reader.unsubscribe().await?;
        }
        tokio::time::sleep(Duration::from_millis(random.within(0, 40))).await;
        let since = reader.at;
        recovered += u64::from(reader.subscribe(Some(since)).await?);
    }
    reader.follow(Duration::from_millis(200)).await?;
    Ok(recovered)
}

/// A subscriber that writes down every word of the wire.
struct Reader {
    session: Session,
    journal: Journal,
    epoch: String,
    at: u64,
}

impl Reader {
    async fn subscribe(&mut self, since: Option<u64>) -> Result<bool, Stop> {
        let since_body = since.map(|seq| json!({"seq": seq, "epoch": self.epoch}));
        let ask = match since_body {
            Some(since) => json!({"topic": CHANNEL, "since": since}),
            None => json!({"topic": CHANNEL}),
        };
        let mut early = Vec::new();
        let answer = self.session.request_with("subscribe", &ask, |name, body| {
            if name == "message" {
                early.push(body.clone());
            }
        });
        let answer = answer.await?;
        hold(answer["status"] == "success", || format!("subscribe: {answer}"))?;
        // Whatever overtook the answer stands before it, as it came.
        for message in &early {
            self.delivered(message);
        }
        answer["epoch"]
            .as_str()
            .unwrap_or_default()
            .clone_into(&mut self.epoch);
        let recovered = answer["recovered"].as_bool();
        self.journal.note(Event::Subscribed {
            channel: CHANNEL.to_owned(),
            epoch: self.epoch.clone(),
            recovered,
            reason: answer["reason"].as_str().map(str::to_owned),
            from: since,
            to: seq_of(&answer),
        });
        for message in messages(&answer) {
            self.delivered(&message);
        }
        self.at = self.at.max(seq_of(&answer));
        Ok(recovered == Some(true))
    }

    async fn unsubscribe(&mut self) -> Result<(), Stop> {
        let mut last = Vec::new();
        let ask = json!({"topic": CHANNEL});
        let answer = self.session.request_with("unsubscribe", &ask, |name, body| {
            if name == "message" {
                last.push(body.clone());
            }
        });
        let answer = answer.await?;
        hold(answer["status"] == "success", || format!("unsubscribe: {answer}"))?;
        for message in &last {
            self.delivered(message);
        }
        Ok(())
    }

    /// Receives for a while.
    async fn follow(&mut self, time: Duration) -> Result<(), Stop> {
        let end = tokio::time::Instant::now() + time;
        loop {
            match tokio::time::timeout_at(end, self.session.packet()).await {
                Err(_) => return Ok(()),
                Ok(packet) => {
                    if let crate::session::Packet::Event(name, body) = packet?
                        && name == "message"
                    {
                        self.delivered(&body);
                    }
                }
            }
        }
    }

    fn delivered(&mut self, message: &Value) {
        self.at = seq_of(message);
        self.journal.note(Event::Deliver {
            channel: CHANNEL.to_owned(),
            epoch: self.epoch.clone(),
            seq: self.at,
            id: id_of(message),
            prev: message["prev"].as_u64(),
        });
    }
}
