//! Publishing: admitted, on its way to the disk, acked when it is there.

use std::collections::VecDeque;

use bmt_server_core::channel::{Appended, Draft};
use bmt_shared::channel::ChannelName;
use bmt_shared::error::Failure;
use bmt_shared::id::{MessageId, UserId};
use bmt_shared::payload::Payload;
use bmt_shared::reply::Reply;
use bmt_shared::request::{Publish, PublishEntry};

use super::{Sabotage, Server};
use crate::wire::WireId;

/// How long a published id is remembered, ms.
const WINDOW_MS: u64 = 24 * 60 * 60 * 1_000;

/// An answer that a publish waits for.
pub(super) struct Owed {
    pub(super) wire: WireId,
    pub(super) id: MessageId,
    pub(super) to: AnswerTo,
}

pub(super) enum AnswerTo {
    Callback(Option<u64>),
    /// An entry of a batch.
    Entry {
        batch: u64,
        at: usize,
    },
}

pub(super) struct Batch {
    wire: WireId,
    callback: Option<u64>,
    results: Vec<(Option<MessageId>, Option<Reply>)>,
}

/// Messages on their way to the disk, in order.
pub(super) type Drafts = VecDeque<(Draft, Owed)>;

impl Server {
    /// The disk has what was on its way to it.
    pub(crate) fn commit(&mut self, now: u64) {
        for (draft, owed) in std::mem::take(&mut self.drafts) {
            let topic = draft.topic.clone();
            let appended = self.append(draft);
            // A kill between the publish and the commit took the channel away; nobody waits then.
            let Some(channel) = self.channels.get_mut(&topic) else {
                continue;
            };
            let reply = match channel.finish_publish(Ok(appended), now) {
                Ok(published) => Reply::Published(published),
                Err(failure) => Reply::Failed(failure),
            };
            self.answer(&owed, reply);
            self.deliver(&topic);
        }
    }

    pub(super) fn append(&mut self, draft: Draft) -> Appended {
        let topic = draft.topic.clone();
        let retention = self.retention(&topic);
        let window = if self.sabotage == Sabotage::ForgetIds {
            0
        } else {
            WINDOW_MS
        };
        if self.sabotage == Sabotage::AckUnstored && self.random.per_mille(100) {
            let known = self.stream(&topic).open(retention, 0);
            return Appended::Duplicate {
                id: draft.id,
                seq: known.top + 1,
            };
        }
        let appended = self.stream(&topic).append(draft, retention, window);
        if let Appended::Stored { entry, .. } = &appended {
            self.landed.push(entry.message.clone());
        }
        appended
    }

    /// The server itself says something on a channel.
    pub(crate) fn announce(&mut self, topic: &ChannelName, id: MessageId, now: u64) {
        let payload = Payload::from_json("\"announcement\"");
        let publish = Publish::new(topic.clone(), payload);
        let random = u128::from(self.random.bits());
        let channel = self.channel(topic, now);
        let draft = channel.begin_publish(publish, UserId::new("server"), id.clone(), now, random);
        let owed = Owed {
            wire: 0,
            id,
            to: AnswerTo::Callback(None),
        };
        self.drafts.push_back((draft, owed));
    }

    pub(super) fn admit(&mut self, wire: WireId, publish: &Publish, now: u64) -> Result<(), Failure> {
        match self.session(wire) {
            Some(session) => session.admit_publish(&publish.topic, &publish.payload, now),
            None => Ok(()),
        }
    }

    pub(super) fn take(&mut self, wire: WireId, publish: Publish, owed: Owed, now: u64) {
        let Some(user) = self.session(wire).map(|session| session.user().user_id.clone()) else {
            return;
        };
        let random = u128::from(self.random.bits());
        let topic = publish.topic.clone();
        let key = owed.id.clone();
        let draft = self
            .channel(&topic, now)
            .begin_publish(publish, user, key, now, random);
        self.drafts.push_back((draft, owed));
    }

    /// In order, and no entry behind one that may be tried again.
    pub(super) fn publish_batch(
        &mut self,
        wire: WireId,
        callback: Option<u64>,
        entries: Vec<PublishEntry>,
        now: u64,
    ) {
        self.last_batch += 1;
        let batch = self.last_batch;
        let results = entries
            .iter()
            .map(|entry| (entry.message_id.clone(), None))
            .collect();
        self.batches.insert(
            batch,
            Batch {
                wire,
                callback,
                results,
            },
        );
        let mut stopped: Option<Failure> = None;
        for (at, entry) in entries.into_iter().enumerate() {
            let id = entry.message_id.expect("our client gives every entry an id");
            let publish = entry.publish.expect("our client writes whole entries");
            let to = AnswerTo::Entry { batch, at };
            let owed = Owed { wire, id, to };
            let admitted = match &stopped {
                Some(failure) => Err(failure.clone()),
                None => self.admit(wire, &publish, now),
            };
            match admitted {
                Ok(()) => self.take(wire, publish, owed, now),
                Err(failure) => {
                    if failure.code.is_retryable() {
                        stopped.get_or_insert_with(|| failure.clone());
                    }
                    self.answer(&owed, Reply::Failed(failure));
                }
            }
        }
    }

    pub(super) fn answer(&mut self, owed: &Owed, reply: Reply) {
        if self.sabotage == Sabotage::NeverAnswer && owed.id.as_str().ends_with('3') {
            return;
        }
        match owed.to {
            AnswerTo::Callback(callback) => self.reply(owed.wire, callback, &owed.id, &reply),
            AnswerTo::Entry { batch, at } => {
                let Some(known) = self.batches.get_mut(&batch) else {
                    return;
                };
                known.results[at].1 = Some(reply);
                if known.results.iter().all(|(_, reply)| reply.is_some()) {
                    let done = self.batches.remove(&batch).expect("it was there just now");
                    let results = done.results.into_iter();
                    let results = results.map(|(id, reply)| (id, reply.expect("all of them are there")));
                    let reply = Reply::Batch(results.collect());
                    self.reply(done.wire, done.callback, &owed.id, &reply);
                }
            }
        }
    }
}
