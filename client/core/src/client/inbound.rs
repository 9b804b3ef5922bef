//! What comes in on the transport.

use bmt_shared::channel::ChannelName;
use bmt_shared::close::CloseCode;
use bmt_shared::error::{ErrorCode, Failure};
use bmt_shared::event::{Gap, Receipt, ServerEvent, Unsubscribed};
use bmt_shared::id::{MessageId, ServerMessageId, UserId};
use bmt_shared::message::{Message, MessageKind, Reactions};
use bmt_shared::position::Position;
use bmt_shared::reply::Reply;
use bmt_shared::request::Request;
use bytes::Bytes;

use crate::client::Client;
use crate::client::carrying::Carrier;
use crate::client::requests::unkeyed;
use crate::connection::Online;
use crate::error::ClientError;
use crate::event::{Event, Origin, Received};
use crate::face::{Face, FaceError, Parsed, RequestKind};
use crate::link::{Enveloped, Inbound, LinkError, MESSAGE};
use crate::now::Now;
use crate::output::Frame;
use crate::roster::Roster;
use crate::subscription::Accepted;

impl<F: Face> Client<F> {
    /// A frame came on the WebSocket.
    pub fn handle_frame(&mut self, now: Now, frame: Frame<'_>) {
        self.set_now(now);
        if !self.connection.has_transport() || self.probe_answered(frame) {
            return;
        }
        self.receive(frame);
    }

    /// A text frame came on the WebSocket that the driver can read where it lies: `read` answers with the channel
    /// message that it is, if that is all it is. `units` is its length as the driver knows it. Whether it was taken;
    /// any other frame, and one that goes on to other tabs, is for [`handle_frame`](Self::handle_frame).
    pub fn handle_message_frame(
        &mut self,
        now: Now,
        units: usize,
        read: impl FnOnce() -> Option<Message<F::Payload>>,
    ) -> bool {
        let is_possible = matches!(self.carrier, Carrier::Socket)
            && self.connection.has_transport()
            && !self.config.shared
            && self.link.takes_plain_messages();
        let Some(message) = is_possible.then(read).flatten() else {
            return false;
        };
        self.set_now(now);
        self.count_received(units);
        self.handle_message(message);
        true
    }

    pub(super) fn receive(&mut self, frame: Frame<'_>) {
        self.count_received(match frame {
            Frame::Text(text) => text.len(),
            Frame::Binary(bytes) => bytes.len(),
        });
        if !self.handle_plain_message(frame) {
            let inbound = self.link.receive(frame);
            self.handle_received(inbound);
        }
    }

    /// Most frames are one message, and whoever reads its body reads every byte of it: the grammar is not looked at
    /// before. Whether this frame was one; what is anything else, or broken, or goes on to other tabs, is read from its
    /// beginning.
    fn handle_plain_message(&mut self, frame: Frame<'_>) -> bool {
        let Frame::Text(text) = frame else { return false };
        if self.config.shared {
            return false;
        }
        let Some(body) = self.link.plain_message(text) else {
            return false;
        };
        match self.face.parse_event(MESSAGE, body, &[]) {
            Ok(Some(Parsed::Event(event))) => {
                self.handle_server_event(event);
                true
            }
            _ => false,
        }
    }

    /// Something of so many bytes came: the server lives.
    pub(super) fn count_received(&mut self, bytes: usize) {
        self.counters.counts.frames_received += 1;
        self.counters.counts.bytes_received += bytes as u64;
        self.connection.ping_due = self.connection.ping_budget_ms.map(|budget| self.after(budget));
    }

    pub(super) fn handle_received(&mut self, received: Result<Vec<Inbound<'_>>, LinkError>) {
        match received {
            Ok(inbound) => {
                for one in inbound {
                    self.handle_inbound(one);
                }
            }
            Err(error) => {
                self.tell(Event::Error(ClientError::Unreadable(FaceError(error.0))));
                self.give_up(CloseCode::Protocol, "the server broke the protocol");
            }
        }
    }

    fn handle_inbound(&mut self, inbound: Inbound<'_>) {
        // What stands behind the packet that ended the connection in one frame is of no use any more.
        if !self.connection.has_transport() {
            return;
        }
        match inbound {
            Inbound::Open(handshake) => {
                self.note_handshake(&handshake);
                let ping_budget_ms = handshake
                    .ping_interval_ms
                    .saturating_add(handshake.ping_timeout_ms);
                self.connection.ping_budget_ms = Some(ping_budget_ms);
                self.connection.ping_due = Some(self.after(ping_budget_ms));
                if let Some(frame) = self.link.credentials(self.connection.token.as_deref()) {
                    self.transmit(frame);
                }
            }
            Inbound::Ping(text) => {
                let pong = self.link.pong(&text);
                self.transmit(pong);
            }
            // The server's next word is `connected`.
            Inbound::Granted => {}
            Inbound::Refused(data) => self.refused(data),
            Inbound::Left => self.left(),
            Inbound::Closing => self.give_up(CloseCode::NoStatus, "transport close"),
            Inbound::Event {
                name,
                body,
                attachments,
            } => self.handle_event(&name, &body, &attachments),
            Inbound::Reply {
                key,
                body,
                attachments,
            } => {
                if !self.hand_on_reply(key, &body, &attachments) {
                    self.handle_reply(key, &body, &attachments);
                }
            }
            Inbound::Enveloped(enveloped) => self.handle_enveloped(&enveloped),
            Inbound::RawError(body) => self.handle_stray_reply(body),
        }
    }

    pub(super) fn handle_event(&mut self, name: &str, body: &str, attachments: &[Bytes]) {
        // A failure of a request without a callback (SPEC §4).
        if name == "ack" {
            return self.handle_stray_reply(body);
        }
        if self.share_event(name, body, attachments) {
            self.parse_event(name, body, attachments);
        }
    }

    pub(super) fn parse_event(&mut self, name: &str, body: &str, attachments: &[Bytes]) {
        match self.face.parse_event(name, body, attachments) {
            Ok(Some(Parsed::Event(event))) => self.handle_server_event(event),
            Ok(Some(Parsed::Whole(name, body))) => self.tell(Event::Whole { name, body }),
            Ok(None) => {}
            Err(error) => self.tell(Event::Error(ClientError::Unreadable(error))),
        }
    }

    pub(super) fn handle_stray_reply(&mut self, body: &str) {
        let binding = self.link.binding();
        match self.face.parse_reply(binding, RequestKind::Signal, body, &[]) {
            Ok(Reply::Failed(failure)) => self.handle_failure(failure),
            Ok(_) => {}
            Err(error) => self.tell(Event::Error(ClientError::Unreadable(error))),
        }
    }

    fn handle_server_event(&mut self, event: ServerEvent<F::Payload>) {
        match event {
            ServerEvent::Connected(connected) => self.greeted(connected),
            ServerEvent::Message(message) => self.handle_message(message),
            ServerEvent::Signal(signal) => self.tell(Event::Signal(signal)),
            ServerEvent::Presence(change) => {
                self.fold(&change.topic, |roster, _| roster.changed(&change));
                self.tell(Event::Presence(change));
            }
            ServerEvent::Receipt(receipt) => {
                let Receipt { topic, user_id, seq } = &receipt;
                self.fold(topic, |roster, me| {
                    roster.read_by(user_id, *seq, me == Some(user_id));
                });
                self.tell(Event::Receipt(receipt));
            }
            ServerEvent::Delivery(delivery) => self.tell(Event::Delivery(delivery)),
            ServerEvent::Notification(notification) => self.tell(Event::Notification(notification)),
            ServerEvent::HeartbeatAck(_) => self.heartbeat_answered(),
            ServerEvent::TokenExpiring(expiring) => {
                self.tell(Event::TokenExpiring(expiring));
                self.ask_refresh();
            }
            ServerEvent::Gap(gap) => self.handle_gap_event(gap),
            ServerEvent::Unsubscribed(unsubscribed) => self.handle_unsubscribed(unsubscribed),
            ServerEvent::Closing(closing) => {
                self.note_retry_after(closing.retry_after_ms);
                self.connection.closing = Some(closing.clone());
                self.tell(Event::Closing(closing));
            }
            ServerEvent::Error(failure) => self.handle_failure(failure),
        }
    }

    /// A refusal that answers no request. Before the greeting it is the connection that is refused.
    fn handle_failure(&mut self, failure: Failure) {
        if self.online().is_none() && failure.code == ErrorCode::AuthenticationFailed {
            return self.refused_token(&failure.message);
        }
        self.tell(Event::Error(ClientError::Refused(failure)));
    }

    fn handle_enveloped(&mut self, enveloped: &Enveloped<'_>) {
        let Ok(topic) = ChannelName::parse(&enveloped.topic) else {
            let why = format!(
                "a message came on `{}`, which is no channel name",
                enveloped.topic
            );
            return self.tell(Event::Error(ClientError::Unreadable(FaceError(why))));
        };
        match self.face.parse_payload(&enveloped.kind, enveloped.payload) {
            Ok(payload) => self.handle_message(Message {
                id: ServerMessageId::new(&enveloped.id),
                topic,
                kind: MessageKind::Event,
                payload,
                timestamp: enveloped.timestamp,
                from: UserId::new(&enveloped.from),
                seq: enveloped.seq,
                client_message_id: enveloped
                    .client_message_id
                    .as_ref()
                    .and_then(|id| MessageId::parse(id).ok()),
                prev: enveloped.prev,
                edited: None,
                deleted: false,
                reactions: Reactions::default(),
                require_delivery: enveloped.require_delivery,
            }),
            Err(error) => self.tell(Event::Error(ClientError::Unreadable(error))),
        }
    }

    /// A message of the live stream.
    fn handle_message(&mut self, message: Message<F::Payload>) {
        self.settle_by_copy(&message);
        if self.left.contains(&message.topic) {
            return;
        }
        let topic = message.topic.clone();
        let is_full = self.online().is_some_and(Online::is_full);
        // A repetition is one that asks again: the first confirmation did not arrive.
        let owed = owed(&message);
        let Some(subscription) = self.subscriptions.get_mut(&topic) else {
            // Servers of the seeds put a user on channels that the client never asked for.
            return self.deliver(message, Origin::Live);
        };
        match subscription.accept(message, is_full) {
            Accepted::Deliver(message) => {
                self.deliver(message, Origin::Live);
                self.release(&topic);
            }
            Accepted::Duplicate => {
                self.counters.counts.duplicates_dropped += 1;
                self.confirm_owed(owed);
            }
            Accepted::Held => self.mind_gap(&topic),
            // The answer tells which of them it covers: another tab's subscription brings what follows.
            Accepted::Early(message) if self.config.shared => subscription.hold(message),
            Accepted::Early(_) => {}
        }
    }

    /// Hands a message on, unless its id was handed on lately.
    pub(super) fn deliver(&mut self, message: Message<F::Payload>, origin: Origin) {
        if self.dedup.insert(&message.id) {
            self.deliver_in_place(message, origin);
        } else {
            self.counters.counts.duplicates_dropped += 1;
            self.confirm_owed(owed(&message));
        }
    }

    /// Hands a message on that is new where the reader stands, although an earlier subscription to the channel may
    /// have had it too.
    pub(super) fn deliver_in_place(&mut self, message: Message<F::Payload>, origin: Origin) {
        let owed = owed(&message);
        self.dedup.insert(&message.id);
        self.counters.counts.messages_received += 1;
        if F::KEEPS_ROSTERS && !self.face.is_amendment(&message.payload) {
            self.fold(&message.topic, |roster, me| {
                if me != Some(&message.from) {
                    roster.note_unread(message.seq);
                }
            });
        }
        self.tell(Event::Message(Received { message, origin }));
        self.confirm_owed(owed);
    }

    /// Confirms a message that was handed on, where its publisher waits for that (SPEC §4, `ack`). Without a
    /// connection the server sends it again.
    fn confirm_owed(&mut self, owed: Option<ServerMessageId>) {
        if let Some(id) = owed
            && self.online().is_some()
        {
            self.transmit_call(None, &unkeyed(Request::Ack(id)));
        }
    }

    /// Changes what is known of a channel's people, by what is told of it and who the user is.
    pub(super) fn fold(&mut self, topic: &ChannelName, change: impl FnOnce(&mut Roster, Option<&UserId>)) {
        if F::KEEPS_ROSTERS
            && let Some(subscription) = self.subscriptions.get_mut(topic)
        {
            change(&mut subscription.roster, self.connection.user.as_ref());
        }
    }

    /// The server knows that a stream broke: recover from before it, once the answer that is on its way has come.
    fn handle_gap_event(&mut self, gap: Gap) {
        let Some(subscription) = self.subscriptions.get_mut(&gap.topic) else {
            return;
        };
        if subscription.is_being_answered() {
            subscription.broken_at = Some(Position {
                seq: gap.seq,
                epoch: gap.epoch,
            });
        } else {
            self.recover(&gap.topic);
        }
    }

    fn handle_unsubscribed(&mut self, unsubscribed: Unsubscribed) {
        self.forget_subscription(&unsubscribed.topic);
        // A recovery that was asked for before may find the right given back.
        self.left.insert(unsubscribed.topic.clone());
        self.tell(Event::Unsubscribed(unsubscribed));
    }
}

/// The name under which a message is to be confirmed.
fn owed<P>(message: &Message<P>) -> Option<ServerMessageId> {
    message.require_delivery.then(|| message.id.clone())
}
