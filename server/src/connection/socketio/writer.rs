//! What leaves over Socket.IO: the outbox of one connection, drained into the library as fast as it takes it.
//!
//! On a WebSocket that is a detour: the library encodes each packet for each receiver and hands it from task to
//! task. Once nothing of ours is in the library any more, [`super::stream`] takes over and writes shared frames;
//! this task then only keeps the deadlines and closes.

use std::sync::Arc;
use std::time::Duration;

use bmt_shared::close::{AfterClose, CloseCode, after_close};
use bmt_shared::event::{Closing, ServerEvent};
use bmt_shared::reply::Reply;
use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;
use socketioxide::extract::AckSender;
use socketioxide::handler::{FromMessageParts, Value};
use socketioxide::socket::Socket;
use socketioxide::{SendError, SocketError, TransportType};

use super::super::Connection;
use super::super::link::{Alarm, Callback, closing};
use super::body::Attached;
use super::endpoint::Endpoint;
use super::frames::{self, take_attachments};
use super::transport::Transport;
use crate::outbox::{Encoded, Next, Outgoing, ReplyTo};

/// How soon a full buffer of the library is tried again, should nobody tell that it drained.
const RETRY: Duration = Duration::from_millis(20);
/// How long a client may take to take what waits before its session's close, a polling client to fetch what was
/// said last, and an official client to close by itself after it was disconnected.
const FAREWELL: Duration = Duration::from_secs(1);

/// How long to wait for the library to write what it holds before the stream takes over. What is not written by
/// then stays the library's business, like all that follows.
const HANDOVER: Duration = Duration::from_secs(1);

/// The connection is over, or cannot be written to any more.
struct Gone;

pub(super) struct Writer {
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) connection: Arc<Connection>,
    pub(super) transport: Arc<Transport>,
    pub(super) socket: Arc<Socket>,
}

impl Writer {
    /// Writes until the connection is over.
    pub(super) async fn run(self) {
        let connection = self.connection.clone();
        tokio::select! {
            () = connection.over() => {}
            _ = self.write_all() => {}
        }
        self.transport.stop_direct(&connection);
    }

    async fn write_all(&self) -> Result<(), Gone> {
        let outbox = &self.connection.outbox;
        tokio::select! {
            last = self.write_until_close() => {
                let closing = last?.unwrap_or_else(|| self.slow_consumer());
                self.close(closing, FAREWELL).await
            }
            // Who does not take what comes before the close does not take the goodbye either.
            () = outbox.overdue(FAREWELL) => {
                self.transport.stop_direct(&self.connection);
                let closing = match outbox.skip_to_close() {
                    Next::Send(Outgoing::Close(closing)) => Some(closing),
                    _ => self.transport.take_returned(),
                };
                self.close(closing.unwrap_or_else(|| self.slow_consumer()), Duration::ZERO).await
            }
        }
    }

    /// Answers with the close that was asked for, or with none where the outbox has overflowed.
    async fn write_until_close(&self) -> Result<Option<Closing>, Gone> {
        let mut alarm = Alarm::new();
        let mut may_hand_over = true;
        loop {
            if may_hand_over && self.socket.transport_type() == TransportType::Websocket {
                may_hand_over = self.transport.settled(HANDOVER).await;
                if may_hand_over {
                    // After that only an overflow is left to be found below.
                    if let Some(closing) = self.watch_stream().await {
                        return Ok(Some(closing));
                    }
                    may_hand_over = false;
                }
            }
            match self.connection.outbox.next() {
                Next::Send(Outgoing::Event(event)) => self.event(&event).await?,
                Next::Send(Outgoing::Reply(to, reply)) => self.reply(&to, reply).await?,
                Next::Send(Outgoing::Close(closing)) => return Ok(Some(closing)),
                Next::Wait => self.connection.wait_for_more(&mut alarm).await,
                Next::Overflowed => return Ok(None),
            }
        }
    }

    /// Counts a consumer that is too slow, and words its close.
    fn slow_consumer(&self) -> Closing {
        self.connection.context.shards.meters().slow_consumers.add(1);
        let spread = self.connection.context.settings.retry_spread_ms;
        closing(CloseCode::SlowConsumer, "slow_consumer", Some(spread))
    }

    /// Lets the stream write, until it meets what it cannot do: a close, or the end of an outbox that overflowed.
    async fn watch_stream(&self) -> Option<Closing> {
        self.transport.begin_direct(self.connection.clone());
        tokio::select! {
            closing = self.transport.given_back() => closing,
            () = self.connection.keep_deadlines() => None,
        }
    }

    async fn event(&self, event: &Encoded) -> Result<(), Gone> {
        let attachments = frames::attachments(event.event());
        let (name, body) = (event.event().name(), event.body());
        self.room().await;
        self.transport.fill(event.size_bytes());
        if attachments.is_empty() {
            self.persist(1, || self.socket.emit(name, body)).await
        } else {
            let body = Attached {
                json: body.get(),
                attachments,
            };
            let packets = 1 + attachments.len();
            self.persist(packets, || self.socket.emit(name, &body)).await
        }
    }

    async fn reply(&self, to: &ReplyTo, mut reply: Reply) -> Result<(), Gone> {
        let Some(Callback(callback)) = self.connection.settle(to, &reply) else {
            return Ok(());
        };
        let attachments = take_attachments(&mut reply);
        let mut json = String::new();
        reply.write_socketio(to.message_id.as_str(), &mut json);
        self.room().await;
        self.transport.fill(json.len());
        if attachments.is_empty() {
            let body = RawValue::from_string(json).expect("replies are written as JSON");
            self.answer(1, callback, &body).await
        } else {
            let packets = 1 + attachments.len();
            let attachments = &attachments;
            let json = &json;
            self.answer(packets, callback, &Attached { json, attachments })
                .await
        }
    }

    async fn answer<T: Serialize + ?Sized>(
        &self,
        packets: usize,
        callback: Option<i64>,
        body: &T,
    ) -> Result<(), Gone> {
        match callback {
            None => self.persist(packets, || self.socket.emit("ack", body)).await,
            callback => {
                self.persist(packets, || {
                    // The only door to an ack is the extractor of a handler; the value is not looked at.
                    let nothing = &mut Value::Bytes(Bytes::new());
                    match AckSender::from_message_parts(&self.socket, nothing, &callback) {
                        Ok(sender) => sender.send(body),
                        Err(never) => match never {},
                    }
                })
                .await
            }
        }
    }

    /// Says why, then closes: by a DISCONNECT where the client must stay away, else by the transport. What was said
    /// is given `farewell` to reach the client.
    async fn close(&self, closing: Closing, farewell: Duration) -> Result<(), Gone> {
        let stays = matches!(
            after_close(closing.code),
            AfterClose::Stay | AfterClose::ReconnectWithNewToken
        );
        let code = closing.code;
        let event = Encoded::new(ServerEvent::Closing(closing));
        // A slow consumer may have no room for it; the close itself does not wait for that.
        let said = tokio::time::timeout(farewell, self.event(&event)).await;
        tracing::debug!(connection = %self.connection.id(), code, said = matches!(said, Ok(Ok(()))), "closing");
        if stays && self.socket.clone().disconnect().is_ok() {
            // The DISCONNECT ends the connection and with it this writer. An official client closes the transport
            // by itself; whoever does not is closed here.
            let (endpoint, transport) = (self.endpoint.clone(), self.transport.clone());
            tokio::spawn(async move {
                tokio::time::sleep(farewell).await;
                endpoint.close_session(&transport, farewell).await;
            });
        } else {
            self.endpoint.close_session(&self.transport, farewell).await;
        }
        Err(Gone)
    }

    /// Waits until the library's buffer has room.
    async fn room(&self) {
        while !self.transport.has_room() {
            self.transport.drained().await;
        }
    }

    /// Hands a packet to the library, again and again while its buffer is full: an emit that fails and is not
    /// looked at would be a message lost in silence. `packets` counts it and its binary parts.
    async fn persist(
        &self,
        packets: usize,
        mut emit: impl FnMut() -> Result<(), SendError>,
    ) -> Result<(), Gone> {
        self.transport.hand(packets);
        loop {
            match emit() {
                Ok(()) => return Ok(()),
                Err(SendError::Socket(SocketError::InternalChannelFull)) => {
                    tokio::time::timeout(RETRY, self.transport.drained()).await.ok();
                }
                Err(SendError::Socket(_)) => return Err(Gone),
                Err(SendError::Serialize(error)) => {
                    tracing::error!(connection = %self.connection.id(), %error, "a packet could not be encoded");
                    return Err(Gone);
                }
            }
        }
    }
}
