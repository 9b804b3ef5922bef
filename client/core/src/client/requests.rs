//! Requests: sending them, and what happens when their answer comes, or does not.

use bmt_shared::channel::ChannelName;
use bmt_shared::error::{ErrorCode, Failure};
use bmt_shared::id::{MessageId, ServerMessageId};
use bmt_shared::payload::Payload;
use bmt_shared::position::Seq;
use bmt_shared::reply::Reply;
use bmt_shared::request::{Call as WireCall, HistoryQuery, Request};
use bytes::Bytes;

use crate::client::Client;
use crate::config::Binding;
use crate::error::ClientError;
use crate::event::{Event, RequestId};
use crate::face::{Face, RequestKind};
use crate::now::Now;
use crate::request::{Call, InFlight, Purpose, kind_of};

impl<F: Face> Client<F> {
    /// Asks for a page of a channel's history. Waits for a connection as long as a request may take.
    pub fn history(&mut self, now: Now, query: HistoryQuery) -> RequestId {
        self.call(now, Request::History(query))
    }

    /// Asks who is present on a channel. Waits for a connection as long as a request may take.
    pub fn presence(&mut self, now: Now, topic: ChannelName) -> RequestId {
        self.call(now, Request::Presence(topic))
    }

    /// Tells that the user has read a channel up to a seq. Waits for a connection as long as a request may take.
    pub fn read(&mut self, now: Now, topic: ChannelName, seq: Seq) -> RequestId {
        self.call(now, Request::Read(topic, seq))
    }

    /// Goes on with a new token of the same user on the living connection.
    pub fn refresh(&mut self, now: Now, token: &str) -> RequestId {
        let bare = crate::link::bare_token(token).to_owned();
        self.call(now, Request::Refresh(bare))
    }

    /// Says something to the present subscribers only. Nothing is kept and nothing answered.
    ///
    /// # Errors
    /// [`ClientError::NotConnected`], or [`ClientError::TooLarge`].
    pub fn signal(&mut self, now: Now, topic: ChannelName, payload: Payload) -> Result<(), ClientError> {
        self.set_now(now);
        if self.online().is_none() {
            return Err(ClientError::NotConnected);
        }
        self.check_size(&payload)?;
        self.transmit_call(None, &unkeyed(Request::Signal(topic, payload)));
        Ok(())
    }

    /// Confirms a message that its publisher wants confirmed (`requireDelivery`). Whatever is handed on as
    /// [`Event::Message`] is confirmed already.
    ///
    /// # Errors
    /// [`ClientError::NotConnected`]: the server sends the message again, so that it can be confirmed then.
    pub fn confirm(&mut self, now: Now, message: ServerMessageId) -> Result<(), ClientError> {
        self.set_now(now);
        if self.online().is_none() {
            return Err(ClientError::NotConnected);
        }
        self.transmit_call(None, &unkeyed(Request::Ack(message)));
        Ok(())
    }

    fn call(&mut self, now: Now, request: Request) -> RequestId {
        self.set_now(now);
        let id = self.requests.next_id();
        let until = self.after(self.config.request_timeout_ms);
        let call = unkeyed(request);
        self.send_or_keep(Call { id, call, until });
        id
    }

    fn send_or_keep(&mut self, call: Call) {
        if self.online().is_none() {
            return self.requests.waiting.push(call);
        }
        let key = self.requests.next_key();
        self.transmit_call(Some(key), &call.call);
        let sent = InFlight {
            kind: kind_of(&call.call.request),
            sent_at: self.now.monotonic_ms,
            until: call.until,
            purpose: Purpose::Call(call),
        };
        self.requests.in_flight.insert(key, sent);
    }

    /// Sends a request and notes what its answer is for. `message_id` is the request's own, where it has one.
    pub(super) fn send(
        &mut self,
        kind: RequestKind,
        purpose: Purpose,
        request: Request,
        message_id: Option<MessageId>,
    ) -> u64 {
        let key = self.requests.next_key();
        let patience_ms = purpose.patience_ms(self.config.request_timeout_ms);
        let sent = InFlight {
            kind,
            purpose,
            sent_at: self.now.monotonic_ms,
            until: self.after(patience_ms),
        };
        self.requests.in_flight.insert(key, sent);
        let call = WireCall { message_id, request };
        self.transmit_call(Some(key), &call);
        key
    }

    pub(super) fn send_waiting_calls(&mut self) {
        for call in std::mem::take(&mut self.requests.waiting) {
            self.send_or_keep(call);
        }
    }

    pub(super) fn handle_reply(&mut self, key: u64, body: &str, attachments: &[Bytes]) {
        // The answer to a request that was given up, or that the server invents.
        let Some(sent) = self.requests.in_flight.remove(&key) else {
            return;
        };
        let binding = self.link.binding();
        let result = match self.face.parse_reply(binding, sent.kind, body, attachments) {
            Ok(Reply::Failed(failure)) => Err(ClientError::Refused(failure)),
            Ok(reply) => Ok(reply),
            Err(error) => Err(ClientError::Unreadable(error)),
        };
        self.conclude(key, sent, result);
    }

    /// Brings the end of a request to whom it is for.
    fn conclude(&mut self, key: u64, sent: InFlight, result: Result<Reply<F::Payload>, ClientError>) {
        match sent.purpose {
            Purpose::Subscribe(topics) | Purpose::LateSubscribe(topics) => {
                self.conclude_subscribe(key, &topics, result);
            }
            Purpose::Page(topic, after) => self.conclude_page(key, &topic, after, result),
            Purpose::Publish(ids) => {
                if result.is_ok() {
                    let latency = self.now.monotonic_ms.saturating_sub(sent.sent_at);
                    self.counters.latency(latency);
                }
                self.conclude_publish(key, &ids, result);
            }
            // Whatever the server says: nothing of the channel is handed on any more.
            Purpose::Unsubscribe(request, topic) => self.answer(request, Ok(Reply::Unsubscribed(topic))),
            Purpose::Call(call) => {
                if let Ok(Reply::Read(to)) = &result {
                    self.fold(&to.topic, |roster, _| roster.kept(to));
                }
                self.answer(call.id, result);
            }
            // The connection lives until the old token ends; the next attempt asks again.
            Purpose::Refresh => {
                if let Err(error) = result {
                    self.tell(Event::Error(error));
                }
            }
        }
    }

    pub(super) fn request_deadlines(&mut self) {
        for key in self.requests.overdue(self.now.monotonic_ms) {
            let Some(sent) = self.requests.in_flight.remove(&key) else {
                continue;
            };
            match sent.purpose {
                Purpose::Subscribe(topics) => {
                    self.subscribe_once_more(key, &topics);
                    let purpose = Purpose::LateSubscribe(topics);
                    let patience_ms = purpose.patience_ms(self.config.request_timeout_ms);
                    let until = self.after(patience_ms);
                    self.requests.in_flight.insert(
                        key,
                        InFlight {
                            purpose,
                            until,
                            ..sent
                        },
                    );
                }
                // The request after it goes on.
                Purpose::LateSubscribe(_) => {}
                _ => self.conclude(key, sent, Err(ClientError::Timeout)),
            }
        }
        let now = self.now.monotonic_ms;
        let mut late = Vec::new();
        for call in std::mem::take(&mut self.requests.waiting) {
            if call.until <= now {
                late.push(call.id);
            } else {
                self.requests.waiting.push(call);
            }
        }
        for id in late {
            self.answer(id, Err(ClientError::NotConnected));
        }
    }

    /// The connection is gone: what it left unanswered is asked again on the next one.
    pub(super) fn handle_connection_lost(&mut self) {
        for (_, sent) in std::mem::take(&mut self.requests.in_flight) {
            match sent.purpose {
                Purpose::Unsubscribe(request, topic) => self.answer(request, Ok(Reply::Unsubscribed(topic))),
                Purpose::Call(call) if matches!(call.call.request, Request::Refresh(_)) => {
                    self.answer(call.id, Err(ClientError::NotConnected));
                }
                Purpose::Call(call) => self.requests.waiting.push(call),
                Purpose::Subscribe(_)
                | Purpose::LateSubscribe(_)
                | Purpose::Page(..)
                | Purpose::Publish(_)
                | Purpose::Refresh => {}
            }
        }
        for subscription in self.subscriptions.values_mut() {
            subscription.handle_lost();
        }
        self.queue_lost();
    }

    /// `disconnect` was called: nobody waits any more.
    pub(super) fn cancel_calls(&mut self) {
        for call in std::mem::take(&mut self.requests.waiting) {
            self.answer(call.id, Err(ClientError::Cancelled));
        }
    }

    /// Refuses a payload that the server would refuse.
    pub(super) fn check_size(&self, payload: &Payload) -> Result<(), ClientError> {
        if self.config.binding == Binding::Raw && !payload.attachments().is_empty() {
            let why = "the raw endpoint takes no binary parts; connect by Socket.IO, or upload a file";
            return Err(Failure::new(ErrorCode::InvalidMessage, why).into());
        }
        let default = bmt_shared::limits::Limits::default().message_bytes;
        let limit = self.limits().map_or(default, |limits| limits.message_bytes);
        let bytes = payload.size_bytes();
        if limit > 0 && bytes as u64 > limit {
            return Err(ClientError::too_large(bytes, limit));
        }
        Ok(())
    }
}

/// A request that is not answered.
pub(super) fn unkeyed(request: Request) -> WireCall {
    WireCall {
        message_id: None,
        request,
    }
}
