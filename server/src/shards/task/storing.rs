//! What a shard has kept by its stores: publishes and read positions, a turn's together.

use bmt_server_core::channel::{Appended, Marking};
use bmt_shared::channel::ChannelName;
use bmt_shared::error::Failure;
use bmt_shared::position::Seq;
use bmt_shared::reply::{Published, Reply};

use super::{Shard, kept, tell};
use crate::history::{BATCH_ROWS, Batch, Kind, StoreFailure};
use crate::shards::Subscriber;
use crate::shards::command::{Command, InFlight, MarkInFlight, Pending, Turn};

impl Shard {
    /// Takes a read position.
    pub(super) fn mark(&mut self, topic: &ChannelName, who: &Subscriber, seq: Seq, pending: Pending) {
        let user = who.user.user_id.clone();
        match self.with(topic, |channel, now_ms| channel.begin_read(user, seq, now_ms)) {
            Marking::Known(read) => pending.answer.give(Reply::Read(read)),
            Marking::Keep(mark) => {
                let kind = self.by_namespace(topic, kept).0;
                self.turns[kind as usize].reads.push(MarkInFlight {
                    mark,
                    by: who.connection.clone(),
                    pending,
                });
            }
        }
    }

    /// Hands what came in this turn to the stores.
    pub(super) fn hand_over(&mut self) {
        for kind in Kind::ALL {
            let Turn {
                mut publishes,
                mut reads,
            } = std::mem::take(&mut self.turns[kind as usize]);
            while !publishes.is_empty() || !reads.is_empty() {
                let (appends, in_flight) = some(&mut publishes).into_iter().unzip();
                let some_reads = some(&mut reads);
                self.awaited += 1;
                let door = self.door.clone();
                let marks = some_reads.iter().map(|read| read.mark.clone()).collect();
                let turn = Turn {
                    publishes: in_flight,
                    reads: some_reads,
                };
                let done = move |result| tell(&door, Command::Appended(kind, turn, result));
                self.world.histories.of(kind).append(Batch {
                    term: self.terms[kind as usize],
                    appends,
                    reads: marks,
                    done: Box::new(done),
                });
            }
        }
    }

    /// Tells what became of what was handed over.
    pub(super) fn appended(
        &mut self,
        kind: Kind,
        turn: Turn<InFlight, MarkInFlight>,
        result: Result<Vec<Appended>, StoreFailure>,
    ) {
        self.awaited -= 1;
        let rows = turn.publishes.len() + turn.reads.len();
        let incident = result.as_ref().err().map(|failure| failure.incident.clone());
        let mut failed = None;
        let outcomes: Vec<Result<Appended, Failure>> = match result {
            Ok(appended) => appended.into_iter().map(Ok).collect(),
            Err(failure) => {
                let term = &mut self.terms[kind as usize];
                *term = failure.term.max(*term);
                let failure = failed.insert(Failure::from(failure));
                turn.publishes.iter().map(|_| Err(failure.clone())).collect()
            }
        };
        for (in_flight, outcome) in turn.publishes.into_iter().zip(outcomes) {
            let InFlight {
                topic,
                mut pending,
                author,
            } = in_flight;
            if let Some(tracing) = &mut pending.tracing {
                tracing.stored(rows, incident.as_deref());
            }
            let is_confirmed = author.is_some();
            let published = self.with(&topic, |channel, now_ms| {
                let published = channel.finish_publish(outcome, now_ms)?;
                if let Some(author) = author.filter(|_| !published.duplicate) {
                    channel.await_delivery(published.seq, author, now_ms);
                }
                Ok(published)
            });
            if let (true, Ok(published)) = (is_confirmed, &published) {
                self.note_unconfirmed(&topic, &published.message_id);
            }
            self.count(&published, &pending);
            if let Some(tracing) = &mut pending.tracing {
                tracing.settled(published.as_ref());
            }
            let reply = match published {
                Ok(published) => Reply::Published(published),
                Err(failure) => Reply::Failed(failure),
            };
            pending.answer.give_with(&mut self.writers, reply);
        }
        for MarkInFlight { mark, by, pending } in turn.reads {
            let outcome = failed.clone().map_or(Ok(()), Err);
            let topic = mark.topic.clone();
            let read = self.with(&topic, |channel, now_ms| {
                channel.finish_read(mark, Some(&by), outcome, now_ms)
            });
            pending.answer.give(match read {
                Ok(read) => Reply::Read(read),
                Err(failure) => Reply::Failed(failure),
            });
        }
    }
}

impl Shard {
    fn count(&self, published: &Result<Published, Failure>, pending: &Pending) {
        let meters = &self.world.meters;
        match published {
            Ok(published) if published.duplicate => {}
            Ok(_) => {
                meters.messages.add(1);
                meters.latency.note(pending.room.age());
            }
            Err(_) => meters.publish_failures.add(1),
        }
    }
}

/// Takes the first of these, as many as one batch may carry.
fn some<T>(all: &mut Vec<T>) -> Vec<T> {
    let rest = all.split_off(all.len().min(BATCH_ROWS));
    std::mem::replace(all, rest)
}
