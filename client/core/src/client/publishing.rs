//! Publishing: into the queue, onto the wire, out of the queue.

use bmt_shared::error::{ErrorCode, Failure};
use bmt_shared::id::{MessageId, UserId};
use bmt_shared::limits::Limits;
use bmt_shared::message::Message;
use bmt_shared::reply::{Published, Reply};
use bmt_shared::request::{Publish, PublishEntry, Request};

use crate::client::Client;
use crate::client::requests::unkeyed;
use crate::config::Overflow;
use crate::entry::{Clock, Entry, QueueChange};
use crate::error::ClientError;
use crate::event::{Acked, Event, RequestId};
use crate::face::{Face, RequestKind};
use crate::lock::Lock;
use crate::now::Now;
use crate::output::Output;
use crate::queue::{Age, BATCH_ENTRIES, Sender, Slot, SlotStanding, Source};
use crate::request::Purpose;

/// Most bytes of one batch whatever the server takes: it is sent whole again after a lost connection.
const BATCH_BYTES: usize = 64 * 1_024;
/// What an entry or a topic takes in a frame beside its payload, at most: a name, an id, options.
pub(super) const ENVELOPE_BYTES: usize = 512;

/// A publish that was taken: the id to wait for, and the id it is published under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publishing {
    /// Answered by the ack, or by the reason why there is none.
    pub request: RequestId,
    /// Told with the message to every subscriber as `clientMessageId`.
    pub message_id: MessageId,
}

impl<F: Face> Client<F> {
    /// Publishes a message, now or when there is a connection. It is queued, persisted, sent and, until it is
    /// acked, sent again under the same id. Without `message_id` one is made.
    ///
    /// Without `ack_required` it is done when it is handed to the transport.
    ///
    /// # Errors
    /// [`ClientError::TooLarge`], or [`ClientError::QueueOverflow`] where [`Overflow::Refuse`] says so: nothing
    /// is queued then.
    pub fn publish(
        &mut self,
        now: Now,
        publish: Publish,
        message_id: Option<MessageId>,
    ) -> Result<Publishing, ClientError> {
        self.set_now(now);
        self.check_size(&publish.payload)?;
        let message_id = message_id.unwrap_or_else(|| MessageId::mint(self.today_ms(), self.random.bits()));
        let request = self.requests.next_id();
        let publishing = Publishing {
            request,
            message_id: message_id.clone(),
        };
        if let Some(slot) = self.queue.get_mut(&message_id) {
            slot.waiters.push(request);
            return Ok(publishing);
        }
        self.make_room()?;
        let today_ms = self.today_ms();
        let entry = Entry {
            message_id,
            publish,
            timestamp: self.queue.stamp(today_ms),
            clock: self.calendar.clock(),
            user: self.connection.user.clone(),
            server: Some(self.config.server.clone()),
        };
        self.persist(QueueChange::Put(entry.clone()));
        self.queue.push(Slot {
            entry,
            standing: SlotStanding::Ready,
            source: if self.online().is_some() {
                Source::Fresh
            } else {
                Source::Kept
            },
            age: Age::known(self.now, 0),
            waiters: vec![request],
        });
        self.pump();
        Ok(publishing)
    }

    fn make_room(&mut self) -> Result<(), ClientError> {
        let most = self.config.queue.max_entries.max(1);
        while self.queue.len() >= most {
            if self.config.queue.overflow == Overflow::Refuse {
                return Err(ClientError::QueueOverflow);
            }
            let Some(oldest) = self.queue.oldest() else { break };
            if let Some(slot) = self.take_out(&oldest, QueueChange::Remove) {
                self.answer_all(&slot.waiters, &ClientError::QueueOverflow);
                self.tell(Event::QueueOverflow(slot.entry));
            }
        }
        Ok(())
    }

    /// Sends what may be sent now: at most one batch at a time, single messages of idle channels at once.
    pub(super) fn pump(&mut self) {
        if self.queue_retry_at.is_some_and(|at| !self.is_due(at)) {
            return;
        }
        self.queue_retry_at = None;
        while let Some(entries) = self.next_entries() {
            if entries.len() > 1 {
                self.send_batch(entries);
            } else {
                for entry in entries {
                    match self.check_size(&entry.publish.payload) {
                        Ok(()) => self.send_single(entry),
                        // An earlier page took it. Sent, it would end each connection that it is sent on.
                        Err(why) => {
                            let failure = Failure::new(ErrorCode::MessageTooLarge, why.to_string());
                            self.reject(&entry.message_id, failure);
                        }
                    }
                }
            }
        }
    }

    /// The entries of the next request; `None` where there is nothing to send, or not now.
    fn next_entries(&self) -> Option<Vec<Entry>> {
        let online = self.online()?;
        let sender = self.sender()?;
        let ready = self.queue.ready(sender, |slot| self.lock.allows(slot.source));
        let first = ready.first()?;
        let Some(limits) = &online.connected.limits else {
            return Some(vec![first.entry.clone()]);
        };
        let batch = batch_of(&ready, batch_bytes(limits));
        let may_go = batch.len() == 1 || !self.has_batch_in_flight();
        may_go.then_some(batch)
    }

    /// For whom entries may be sent, as far as that is known.
    pub(super) fn sender(&self) -> Option<Sender<'_>> {
        Some(Sender {
            user: self.connection.user.as_ref()?,
            server: &self.config.server,
        })
    }

    fn has_batch_in_flight(&self) -> bool {
        let mut sent = self.requests.in_flight.values();
        sent.any(|sent| sent.kind == RequestKind::PublishBatch)
    }

    fn send_batch(&mut self, entries: Vec<Entry>) {
        let ids: Vec<MessageId> = entries.iter().map(|entry| entry.message_id.clone()).collect();
        let request = Request::PublishBatch(
            entries
                .into_iter()
                .map(|entry| PublishEntry {
                    message_id: Some(entry.message_id),
                    publish: Ok(with_ack(entry.publish)),
                })
                .collect(),
        );
        let purpose = Purpose::Publish(ids.clone());
        let key = self.send(RequestKind::PublishBatch, purpose, request, None);
        for id in &ids {
            self.mark_sent(id, key);
        }
    }

    fn send_single(&mut self, entry: Entry) {
        let id = entry.message_id;
        if !entry.publish.ack_required {
            let mut call = unkeyed(Request::Publish(entry.publish));
            call.message_id = Some(id.clone());
            self.transmit_call(None, &call);
            return self.settle(&id, None);
        }
        let purpose = Purpose::Publish(vec![id.clone()]);
        let request = Request::Publish(entry.publish);
        let key = self.send(RequestKind::Publish, purpose, request, Some(id.clone()));
        self.mark_sent(&id, key);
    }

    fn mark_sent(&mut self, id: &MessageId, key: u64) {
        if let Some(slot) = self.queue.get_mut(id) {
            slot.standing = SlotStanding::InFlight(key);
        }
    }

    pub(super) fn conclude_publish(
        &mut self,
        key: u64,
        ids: &[MessageId],
        result: Result<Reply<F::Payload>, ClientError>,
    ) {
        match result {
            Ok(Reply::Batch(replies)) => {
                for (id, (_, reply)) in ids.iter().zip(replies) {
                    self.conclude_entry(id, reply);
                }
            }
            Ok(reply) => {
                for id in ids.iter().take(1) {
                    self.conclude_entry(id, reply.clone());
                }
            }
            Err(ClientError::Refused(failure)) => {
                for id in ids {
                    self.conclude_entry(id, Reply::Failed(failure.clone()));
                }
            }
            Err(_) => self.note_queue_refusal(None),
        }
        // Whatever has no result of its own is sent again.
        self.queue.handle_unanswered(Some(key));
        self.pump();
        self.end_flush_if_done();
    }

    fn conclude_entry(&mut self, id: &MessageId, reply: Reply<F::Payload>) {
        match reply {
            Reply::Published(published) => self.settle(id, Some(published)),
            Reply::Failed(failure) if self.is_worth_retrying(&failure) => {
                self.note_queue_refusal(failure.retry_after_ms);
            }
            Reply::Failed(failure) => self.reject(id, failure),
            _ => self.settle(id, None),
        }
    }

    /// Servers of the seeds tell no code, so nothing says that asking again could help.
    fn is_worth_retrying(&self, failure: &Failure) -> bool {
        failure.code.is_retryable() && self.limits().is_some()
    }

    fn note_queue_refusal(&mut self, retry_after_ms: Option<u64>) {
        let backoff = self
            .config
            .reconnect
            .delay_ms(self.queue_refusals.min(16), &mut self.random);
        let at = self.after(retry_after_ms.unwrap_or(backoff));
        if self.queue_retry_at.is_none_or(|known| known < at) {
            self.queue_retry_at = Some(at);
        }
        self.queue_refusals = self.queue_refusals.saturating_add(1);
    }

    /// The message is published.
    fn settle(&mut self, id: &MessageId, published: Option<Published>) {
        let Some(slot) = self.take_out(id, QueueChange::Acked) else {
            return;
        };
        self.queue_refusals = 0;
        self.counters.counts.messages_published += 1;
        for request in slot.waiters {
            let reply = published.clone().map_or(Reply::Done, Reply::Published);
            self.answer(request, Ok(reply));
        }
        self.tell(Event::Ack(Acked {
            message_id: id.clone(),
            topic: slot.entry.publish.topic,
            published,
        }));
    }

    /// A message that carries the id of a queued one is that one, published.
    pub(super) fn settle_by_copy(&mut self, message: &Message<F::Payload>) {
        let Some(id) = &message.client_message_id else {
            return;
        };
        let is_ours = self.connection.user.as_ref() == Some(&message.from);
        let slot = self.queue.get_mut(id).filter(|_| is_ours);
        if slot.is_some_and(|slot| slot.entry.publish.topic == message.topic) {
            let published = Published {
                message_id: message.id.clone(),
                topic: message.topic.clone(),
                seq: message.seq,
                delivered_to: 0,
                duplicate: false,
            };
            self.settle(&id.clone(), Some(published));
            self.pump();
            self.end_flush_if_done();
        }
    }

    pub(super) fn reject(&mut self, id: &MessageId, failure: Failure) {
        let Some(slot) = self.take_out(id, QueueChange::Remove) else {
            return;
        };
        self.answer_all(&slot.waiters, &ClientError::Rejected(failure.clone()));
        self.tell(Event::QueueRejected {
            entry: slot.entry,
            failure,
        });
    }

    /// The server closed the connection over a frame that was too large: the largest message on its way did it.
    pub(super) fn drop_too_large(&mut self) {
        if let Some(id) = self.largest_sent().map(|entry| entry.message_id.clone()) {
            let failure = Failure::new(
                ErrorCode::MessageTooLarge,
                "the server closed the connection over the size of this message; send less, or upload a file",
            );
            self.reject(&id, failure);
        }
    }

    /// How many bytes the largest message has that is on its way.
    pub(super) fn largest_in_flight(&self) -> usize {
        self.largest_sent()
            .map_or(0, |entry| entry.publish.payload.size_bytes())
    }

    fn largest_sent(&self) -> Option<&Entry> {
        let slots = self
            .queue
            .slots()
            .filter(|slot| slot.standing != SlotStanding::Ready);
        slots
            .map(|slot| &slot.entry)
            .max_by_key(|entry| entry.publish.payload.size_bytes())
    }

    pub(super) fn queue_deadlines(&mut self) {
        self.expire();
        self.lock_deadline();
        if self.queue_retry_at.is_some_and(|at| self.is_due(at)) {
            self.pump();
        }
    }

    /// The server says what time it is: what has waited too long by that is not sent any more (SPEC §9).
    pub(super) fn learn_time(&mut self, server_ms: u64) {
        let slept_ms = match self.calendar.clock() {
            Clock::Server => server_ms.saturating_sub(self.today_ms()),
            // How far the device's own clock is wrong says nothing of a sleep.
            Clock::Own => 0,
        };
        if !self.calendar.learn(self.now.monotonic_ms, server_ms) {
            return;
        }
        self.queue.learn_time(self.now, server_ms, slept_ms);
        self.redate();
        self.expire();
    }

    /// Dates the queue by the server's clock, as far as that is known. What tabs share is left to whoever holds the
    /// lock: it may have changed in storage since it was read.
    pub(super) fn redate(&mut self) {
        if self.calendar.clock() == Clock::Server {
            let may_change_stored = self.may_change_stored();
            let today_ms = self.today_ms();
            let user = self.connection.user.as_ref().filter(|_| may_change_stored);
            let stored_of = user.map(|user| Sender {
                user,
                server: &self.config.server,
            });
            for entry in self.queue.redate(self.now, today_ms, stored_of) {
                self.persist(QueueChange::Put(entry));
            }
        }
    }

    fn may_change_stored(&self) -> bool {
        !self.config.queue.shared || self.lock == Lock::Held
    }

    fn expire(&mut self) {
        let (now_ms, expiry_ms) = (self.now.monotonic_ms, self.expiry_ms());
        let expired: Vec<MessageId> = self
            .queue
            .slots()
            .filter(|slot| slot.standing == SlotStanding::Ready)
            .filter(|slot| slot.age.at(now_ms) >= slot.entry.patience_ms(expiry_ms))
            .map(|slot| slot.entry.message_id.clone())
            .collect();
        for id in expired {
            if let Some(slot) = self.take_out(&id, QueueChange::Remove) {
                self.answer_all(&slot.waiters, &ClientError::QueueExpired);
                self.tell(Event::QueueExpired(slot.entry));
            }
        }
        self.end_flush_if_done();
    }

    /// How long an entry may wait: never longer than the server remembers its id.
    fn expiry_ms(&self) -> u64 {
        let window = self.limits().map(|limits| limits.idempotency_window_ms);
        let window = window.unwrap_or_else(|| Limits::default().idempotency_window_ms);
        match self.config.queue.expiry_ms {
            0 => window,
            own => own.min(window),
        }
    }

    /// When the next entry expires, on the monotonic clock.
    pub(super) fn next_expiry(&self) -> Option<u64> {
        let expiry_ms = self.expiry_ms();
        let idle = self
            .queue
            .slots()
            .filter(|slot| slot.standing == SlotStanding::Ready);
        idle.map(|slot| slot.age.reaches(slot.entry.patience_ms(expiry_ms)))
            .min()
    }

    pub(super) fn persist(&mut self, change: QueueChange) {
        self.outputs.push_back(Output::Persist(change));
    }

    fn take_out(&mut self, id: &MessageId, why: fn(MessageId) -> QueueChange) -> Option<Slot> {
        let slot = self.queue.remove(id)?;
        self.persist(why(id.clone()));
        Some(slot)
    }

    fn answer_all(&mut self, waiters: &[RequestId], error: &ClientError) {
        for request in waiters {
            self.answer(*request, Err(error.clone()));
        }
    }

    /// Entries that were queued before anybody logged in are the first login's (SPEC §9); a guest, who has a new
    /// id on every connection, stays the owner of what this client queued.
    pub(super) fn adopt(&mut self, user: &UserId) {
        let server = self.config.server.clone();
        let with_stored = self.may_change_stored();
        let mut adopted = Vec::new();
        for slot in self.queue.slots_mut() {
            if slot.source == Source::Restored && !with_stored {
                continue;
            }
            let entry = &mut slot.entry;
            let is_guests = is_guest(user)
                && slot.source != Source::Restored
                && entry
                    .user
                    .as_ref()
                    .is_some_and(|owner| is_guest(owner) && owner != user);
            if entry.user.is_none() || is_guests {
                entry.user = Some(user.clone());
                entry.server.get_or_insert_with(|| server.clone());
                adopted.push(entry.clone());
            }
        }
        for entry in adopted {
            self.persist(QueueChange::Put(entry));
        }
    }
}

fn is_guest(user: &UserId) -> bool {
    user.as_str().starts_with("guest_")
}

/// The entries of the next request: as many as may go together. Binary parts and messages without an ack go
/// alone, and what follows them on their channel waits.
fn batch_of(ready: &[&Slot], most_bytes: usize) -> Vec<Entry> {
    let mut bytes = 0;
    let mut batch = Vec::new();
    for slot in ready.iter().take(BATCH_ENTRIES) {
        let publish = &slot.entry.publish;
        let alone = !publish.ack_required || !publish.payload.attachments().is_empty();
        bytes += publish.payload.size_bytes() + ENVELOPE_BYTES;
        if !batch.is_empty() && (alone || bytes > most_bytes) {
            break;
        }
        batch.push(slot.entry.clone());
        if alone {
            break;
        }
    }
    batch
}

/// Most bytes of one batch: well below the frame that would close the connection.
pub(super) fn batch_bytes(limits: &Limits) -> usize {
    match usize::try_from(limits.frame_bytes) {
        Ok(0) | Err(_) => BATCH_BYTES,
        Ok(frame) => (frame / 2).min(BATCH_BYTES),
    }
}

/// In a batch every entry is answered.
fn with_ack(mut publish: Publish) -> Publish {
    publish.ack_required = true;
    publish
}
