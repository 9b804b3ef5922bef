//! Requests that hold many: each entry is admitted and handed over in order, and one reply tells of all.

use std::sync::Arc;

use bmt_shared::error::Failure;
use bmt_shared::id::MessageId;
use bmt_shared::limits::{BATCH_REPLY_BYTES, REPLY_ATTACHMENTS};
use bmt_shared::reply::{NotRecovered, Reply, Subscribed};
use bmt_shared::request::{PublishEntry, Subscribe};
use tokio::sync::oneshot;

use super::Connection;
use super::link::{Open, mint_message_id};
use crate::budgets::Act;
use crate::outbox::{Outgoing, ReplyTo};
use crate::shards::{Answer, Row, Shards};

/// What is known of an entry after it was handed over.
enum Entry {
    Known(Reply),
    Awaited(oneshot::Receiver<Reply>),
}

impl Entry {
    async fn reply(self, shards: &Shards) -> Reply {
        match self {
            Self::Known(reply) => reply,
            Self::Awaited(reply) => reply.await.unwrap_or_else(|_| Reply::Failed(shards.stopping())),
        }
    }
}

impl Connection {
    /// Subscribes to many channels. One failure does not stop the rest.
    pub(super) fn subscribe_batch(
        self: &Arc<Self>,
        open: &mut Open,
        to: ReplyTo,
        topics: Vec<Result<Subscribe, Failure>>,
        now_ms: u64,
    ) {
        if let Err(failure) = self.admit_subscribe(open, now_ms) {
            return self.refuse(to, failure);
        }
        let who = self.subscriber(open.session.user().clone());
        // Live messages of the first channels come while the last ones are still asked: they wait behind this.
        let slot = self.outbox.reserve();
        let mut entries = Vec::with_capacity(topics.len());
        for subscribe in topics {
            let admitted = subscribe.and_then(|subscribe| {
                let topic = &subscribe.topic;
                open.session.admit_filter(&subscribe.params)?;
                open.session.subscribe(topic, to.call)?;
                Ok(subscribe)
            });
            entries.push(match admitted {
                Ok(subscribe) => {
                    let topic = subscribe.topic.clone();
                    let (answer, reply) = oneshot::channel();
                    self.context
                        .shards
                        .subscribe(&who, subscribe, Answer::Waiter(answer));
                    (Some(topic), Entry::Awaited(reply))
                }
                Err(failure) => (None, Entry::Known(Reply::Failed(failure))),
            });
        }
        let connection = self.clone();
        tokio::spawn(async move {
            let mut results = Vec::with_capacity(entries.len());
            for (topic, entry) in entries {
                let reply = entry.reply(&connection.context.shards).await;
                if let (Some(topic), false) = (topic, reply.is_success()) {
                    connection.with(|open| open.session.refuse_subscription(&topic, to.call));
                }
                results.push((None, reply));
            }
            keep_reply_bounded(&mut results);
            slot.fill(Outgoing::Reply(to, Reply::Batch(results)));
        });
    }

    /// Publishes many messages, each with its own key. The first refusal that may be tried again stops the rest
    /// with the same code: a later message must not overtake an earlier one that will be sent again (see [`Row`]).
    pub(super) fn publish_batch(
        self: &Arc<Self>,
        open: &mut Open,
        to: ReplyTo,
        messages: Vec<PublishEntry>,
        now_ms: u64,
    ) {
        let from = self.publisher(open.session.user().clone());
        let mut row = Row::default();
        let mut entries = Vec::with_capacity(messages.len());
        for PublishEntry { message_id, publish } in messages {
            let key = message_id.unwrap_or_else(|| mint_message_id(now_ms));
            let admitted = match row.stopped() {
                Some(failure) => Err(failure),
                None => publish.and_then(|publish| {
                    let (topic, payload) = (&publish.topic, &publish.payload);
                    open.session.admit_publish(topic, payload, now_ms)?;
                    self.spend(Act::Publish, now_ms)?;
                    Ok(publish)
                }),
            };
            let entry = match admitted {
                Ok(publish) => {
                    let (answer, reply) = oneshot::channel();
                    let answer = Answer::Entry(answer, row.clone());
                    self.context.shards.publish(&from, key.clone(), publish, answer);
                    Entry::Awaited(reply)
                }
                Err(failure) => {
                    row.refused(&failure);
                    Entry::Known(Reply::Failed(failure))
                }
            };
            entries.push((key, entry));
            row = row.next();
        }
        let connection = self.clone();
        tokio::spawn(async move {
            let mut results: Vec<(Option<MessageId>, Reply)> = Vec::with_capacity(entries.len());
            for (key, entry) in entries {
                results.push((Some(key), entry.reply(&connection.context.shards).await));
            }
            connection.reply(to, Reply::Batch(results));
        });
    }
}

/// Where the recoveries of a batch are too large together, the later ones are left to `history {after}`: a whole
/// recovery or none, never a part (SPEC §4).
fn keep_reply_bounded(results: &mut [(Option<MessageId>, Reply)]) {
    let (mut bytes, mut attachments) = (0, 0);
    for (_, reply) in results {
        let Reply::Subscribed(subscribed) = reply else {
            continue;
        };
        let size: usize = subscribed
            .messages
            .iter()
            .map(|message| message.payload.size_bytes() + 256)
            .sum();
        let parts: usize = subscribed
            .messages
            .iter()
            .map(|message| message.payload.attachments().len())
            .sum();
        if bytes + size <= BATCH_REPLY_BYTES && attachments + parts <= REPLY_ATTACHMENTS {
            bytes += size;
            attachments += parts;
        } else {
            leave_to_history(subscribed);
        }
    }
}

fn leave_to_history(subscribed: &mut Subscribed) {
    if subscribed.recovered == Some(true) {
        subscribed.recovered = Some(false);
        subscribed.reason = Some(NotRecovered::Limit);
        subscribed.oldest_seq = subscribed.messages.first().map(|message| message.seq);
    }
    subscribed.messages.clear();
}
