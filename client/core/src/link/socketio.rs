//! Socket.IO 5 over an Engine.IO 4 WebSocket (SPEC §6).

use std::borrow::Cow;

use bmt_shared::codec::engineio::{self, Handshake};
use bmt_shared::codec::socketio::{self, Namespace, Packet, Reassembler};
use bmt_shared::json::Object;
use bmt_shared::payload::Payload;
use bmt_shared::request::{Call, Request};
use bytes::Bytes;

use super::{Inbound, LinkError, bare_token};
use crate::config::Config;
use crate::output::{Frame, Transmit};

/// What stands before and behind the body of a message that is alone in its frame.
pub const PLAIN_MESSAGE: (&str, &str) = ("42[\"message\",", "]");

#[derive(Debug)]
pub(crate) struct SocketIo {
    reassembler: Reassembler<Bytes>,
}

impl SocketIo {
    pub(super) fn new() -> Self {
        Self {
            reassembler: Reassembler::new(),
        }
    }

    /// See [`Link::plain_message`](super::Link::plain_message).
    pub(super) fn plain_message<'t>(&self, frame: &'t str) -> Option<&'t str> {
        let body = frame
            .strip_prefix(PLAIN_MESSAGE.0)?
            .strip_suffix(PLAIN_MESSAGE.1)?;
        Some(body).filter(|_| self.takes_plain_messages())
    }

    /// No frame of text belongs between binary parts.
    pub(super) fn takes_plain_messages(&self) -> bool {
        !self.reassembler.is_waiting()
    }

    pub(super) fn receive<'t>(&mut self, frame: Frame<'t>) -> Result<Option<Inbound<'t>>, LinkError> {
        match frame {
            Frame::Binary(bytes) => self.receive_binary(Bytes::copy_from_slice(bytes)),
            Frame::Text(text) => self.receive_packet(engineio::Packet::decode(text).map_err(broken)?),
        }
    }

    pub(super) fn receive_packet<'t>(
        &mut self,
        packet: engineio::Packet<'t>,
    ) -> Result<Option<Inbound<'t>>, LinkError> {
        match packet {
            engineio::Packet::Open(handshake) => {
                Ok(Some(Inbound::Open(Handshake::decode(handshake).map_err(broken)?)))
            }
            engineio::Packet::Ping(text) => Ok(Some(Inbound::Ping(Cow::Borrowed(text)))),
            engineio::Packet::Close => Ok(Some(Inbound::Closing)),
            engineio::Packet::Message(text) => {
                let packet = self.reassembler.handle_text(text).map_err(broken)?;
                packet.map_or(Ok(None), |packet| packet_of(packet, Vec::new()))
            }
            engineio::Packet::Binary(bytes) => self.receive_binary(Bytes::from(bytes.into_owned())),
            engineio::Packet::Pong(_) | engineio::Packet::Noop | engineio::Packet::Upgrade => Ok(None),
        }
    }

    fn receive_binary<'t>(&mut self, bytes: Bytes) -> Result<Option<Inbound<'t>>, LinkError> {
        let Some(assembled) = self.reassembler.handle_binary(bytes).map_err(broken)? else {
            return Ok(None);
        };
        Ok(packet_of(assembled.packet(), assembled.attachments.clone())?.map(Inbound::into_owned))
    }
}

impl Inbound<'_> {
    /// Keeps what a frame with attachments says beyond that frame; no other kind has any.
    fn into_owned<'t>(self) -> Inbound<'t> {
        match self {
            Self::Event {
                name,
                body,
                attachments,
            } => Inbound::Event {
                name: Cow::Owned(name.into_owned()),
                body: Cow::Owned(body.into_owned()),
                attachments,
            },
            Self::Reply {
                key,
                body,
                attachments,
            } => Inbound::Reply {
                key,
                body: Cow::Owned(body.into_owned()),
                attachments,
            },
            _ => unreachable!("only events and acks carry attachments"),
        }
    }
}

fn packet_of(packet: Packet<'_>, attachments: Vec<Bytes>) -> Result<Option<Inbound<'_>>, LinkError> {
    if !packet.namespace().is_main() {
        return Ok(None);
    }
    Ok(Some(match packet {
        Packet::Connect { .. } => Inbound::Granted,
        Packet::ConnectError { data, .. } => Inbound::Refused(data),
        Packet::Disconnect { .. } => Inbound::Left,
        Packet::Event { data, .. } => {
            let mut event = socketio::split_event(data).map_err(broken)?;
            let body = event.args.next().transpose().map_err(broken)?;
            Inbound::Event {
                name: event.name,
                body: Cow::Borrowed(body.unwrap_or("null")),
                attachments,
            }
        }
        Packet::Ack { id, data, .. } => {
            let mut args = bmt_shared::codec::json::elements(data).map_err(broken)?;
            let body = args.next().transpose().map_err(broken)?;
            Inbound::Reply {
                key: id,
                body: Cow::Borrowed(body.unwrap_or("null")),
                attachments,
            }
        }
    }))
}

fn broken(error: impl std::fmt::Display) -> LinkError {
    LinkError(error.to_string())
}

/// The path of the endpoint.
pub(super) fn path_and_query(config: &Config) -> String {
    format!("{}?EIO=4&transport=websocket", config.path())
}

pub(super) fn credentials(token: Option<&str>) -> Transmit {
    let mut frame = String::from(engineio::MESSAGE);
    let mut data = String::new();
    if let Some(token) = token {
        let bearer = format!("Bearer {}", bare_token(token));
        Object::open(&mut data).str("token", &bearer).close();
    }
    Packet::Connect {
        namespace: Namespace::MAIN,
        data: Some(data.as_str()).filter(|data| !data.is_empty()),
    }
    .encode_into(&mut frame);
    Transmit::Text(frame)
}

pub(super) fn pong(text: &str) -> Transmit {
    Transmit::Text(engineio::Packet::Pong(text).encode())
}

pub(super) fn farewell() -> Transmit {
    let mut frame = String::from(engineio::MESSAGE);
    Packet::Disconnect {
        namespace: Namespace::MAIN,
    }
    .encode_into(&mut frame);
    Transmit::Text(frame)
}

pub(super) fn request(key: Option<u64>, call: &Call, unix_ms: u64) -> Vec<Transmit> {
    let mut body = String::new();
    call.write_json(&mut body, unix_ms);
    let attachments = attachments(&call.request);
    let mut frame = String::from(engineio::MESSAGE);
    let name = call.request.name();
    socketio::encode_event(
        &mut frame,
        Namespace::MAIN,
        key,
        name,
        &[&body],
        attachments.len(),
    );
    let mut frames = vec![Transmit::Text(frame)];
    frames.extend(attachments.iter().cloned().map(Transmit::Binary));
    frames
}

/// A batch has none: entries with binary parts are published one by one.
fn attachments(request: &Request) -> &[Bytes] {
    match request {
        Request::Publish(publish) => publish.payload.attachments(),
        Request::Signal(_, payload) => Payload::attachments(payload),
        _ => &[],
    }
}
