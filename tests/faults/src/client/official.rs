//! A load client that is the official one: a Node process, told what to do and telling what it saw in JSON lines.
//!
//! The journal is written here: a publish before it is handed over, everything else after it was told, so that what
//! the checker derives from the order of times stays true.

use std::path::Path;
use std::process::Stdio;

use bmt_client_core::Status;
use bmt_histcheck::Event;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{mpsc, watch};

use super::{Manner, Seen, Wish};
use crate::journal::Journal;
use crate::{clock, token};

/// The script, in the folder of the other official clients, where npm's modules are.
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../support/load.mjs");
/// What a transport that broke is closed with (RFC 6455 §7.4.1): the official client tells only words.
const BROKEN: u16 = 1006;

/// One Node process.
pub(super) struct Official {
    name: String,
    padding: String,
    journal: Journal,
    shows: watch::Sender<Seen>,
    process: Child,
    orders: ChildStdin,
    told: Lines<BufReader<ChildStdout>>,
    published: u64,
}

impl Official {
    /// Starts the process; it connects once it runs.
    pub(super) fn start(
        manner: &Manner,
        journal: Journal,
        shows: watch::Sender<Seen>,
    ) -> Result<Self, String> {
        if !Path::new(SCRIPT).with_file_name("../node_modules").exists() {
            return Err("npm's modules are not installed: run `cargo xtask faults`".to_owned());
        }
        let mut process = Command::new("node")
            .arg(SCRIPT)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("node: {error}"))?;
        let orders = process.stdin.take().ok_or("node has no input")?;
        let told = process.stdout.take().ok_or("node has no output")?;
        Ok(Self {
            name: manner.name.clone(),
            padding: "x".repeat(manner.padding_bytes),
            journal,
            shows,
            process,
            orders,
            told: BufReader::new(told).lines(),
            published: 0,
        })
    }

    /// Runs until nobody has wishes any more, or the process has ended.
    pub(super) async fn run(mut self, manner: Manner, mut wished: mpsc::UnboundedReceiver<Wish>) {
        let connect = token::of(&self.name).map(|token| {
            json!({
                "do": "connect",
                "url": manner.door.url("http"),
                "token": token,
                "backoffCapMs": manner.backoff_cap_ms,
            })
        });
        let ended = match connect {
            Ok(connect) => self.order(&connect).await,
            Err(reason) => Err(reason),
        };
        let ended = match ended {
            Ok(()) => self.go_on(&mut wished).await,
            Err(reason) => Err(reason),
        };
        if let Err(reason) = ended {
            self.shows.send_modify(|seen| seen.last_failure = Some(reason));
        }
        // Its input ends here, and so does it.
        drop(self.orders);
        drop(self.process.wait().await);
    }

    async fn go_on(&mut self, wished: &mut mpsc::UnboundedReceiver<Wish>) -> Result<(), String> {
        loop {
            tokio::select! {
                wish = wished.recv() => match wish {
                    Some(wish) => self.grant(wish).await?,
                    None => return Ok(()),
                },
                line = self.told.next_line() => {
                    let line = line.map_err(|error| format!("node: {error}"))?.ok_or("node has ended")?;
                    self.hear(&line)?;
                }
            }
        }
    }

    async fn grant(&mut self, wish: Wish) -> Result<(), String> {
        match wish {
            Wish::Publish {
                channel,
                require_delivery: _,
            } => self.publish(&channel).await,
            Wish::Subscribe { channel } => self.order(&json!({"do": "subscribe", "channel": channel})).await,
            Wish::Cover { channel, epoch, to } => {
                self.journal.note(Event::Covered { channel, epoch, to });
                Ok(())
            }
        }
    }

    async fn publish(&mut self, channel: &str) -> Result<(), String> {
        self.published += 1;
        let id = format!("{}-{}", self.name, self.published);
        self.journal.note(Event::Invoke {
            id: id.clone(),
            channel: channel.to_owned(),
            body: self.published.to_string(),
            conn: 0,
        });
        self.shows.send_modify(|seen| seen.pending += 1);
        let payload = (self.published, &self.padding);
        self.order(&json!({"do": "publish", "channel": channel, "id": id, "payload": payload}))
            .await
    }

    async fn order(&mut self, order: &Value) -> Result<(), String> {
        let written = self.orders.write_all(format!("{order}\n").as_bytes()).await;
        written.map_err(|error| format!("node: {error}"))
    }

    /// One line of what it tells.
    fn hear(&mut self, line: &str) -> Result<(), String> {
        let unreadable = |error: serde_json::Error| format!("node told {line}: {error}");
        let told: Value = serde_json::from_str(line).map_err(unreadable)?;
        if let Some(record) = told.get("record") {
            self.record(serde_json::from_value(record.clone()).map_err(unreadable)?);
        } else if told == "connected" {
            self.shows.send_modify(|seen| {
                seen.status = Some(Status::Connected);
                seen.connections += 1;
            });
        } else if let Some(reason) = told["lost"].as_str() {
            self.shows.send_modify(|seen| {
                seen.status = Some(Status::Reconnecting);
                seen.lost_at_us = Some(clock::monotonic_us());
                seen.last_loss = Some((BROKEN, reason.to_owned()));
            });
        } else if let Some(reason) = told["refused"].as_str() {
            self.shows.send_modify(|seen| {
                seen.attempts += 1;
                seen.last_failure = Some(reason.to_owned());
            });
        } else {
            return Err(format!("node told {line}"));
        }
        Ok(())
    }

    fn record(&mut self, event: Event) {
        self.journal.note(event.clone());
        self.shows.send_modify(|seen| match event {
            Event::Ok { .. } => {
                seen.pending -= 1;
                seen.acked += 1;
            }
            Event::Fail { .. } => {
                seen.pending -= 1;
                seen.refused += 1;
            }
            Event::Subscribed {
                channel,
                epoch,
                recovered,
                reason,
                to,
                ..
            } => {
                if recovered == Some(false) {
                    seen.gaps.push(reason.unwrap_or_default());
                }
                // What was recovered is told message by message.
                if recovered != Some(true) {
                    seen.positions.insert(channel, (epoch, to));
                }
            }
            Event::Deliver {
                channel, epoch, seq, ..
            } => {
                seen.delivered += 1;
                seen.positions.insert(channel, (epoch, seq));
            }
            _ => {}
        });
    }
}
