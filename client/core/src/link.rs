//! One open transport: frames on one side, requests, replies and events on the other.

mod raw;
mod socketio;

use std::borrow::Cow;

use bmt_shared::codec::engineio::{Handshake, Packet};
use bmt_shared::request::Call;
use bytes::Bytes;

use crate::config::{Binding, Config};
use crate::output::{Connect, Frame, Transmit};

pub(crate) use raw::Enveloped;
use raw::Raw;
pub use socketio::PLAIN_MESSAGE;
use socketio::SocketIo;

/// The event that a channel message is.
pub(crate) const MESSAGE: &str = "message";

/// The wire of one binding. It is made anew for every connection.
#[derive(Debug)]
pub(crate) enum Link {
    SocketIo(SocketIo),
    Raw(Raw),
}

/// What a frame says.
#[derive(Debug, PartialEq)]
pub(crate) enum Inbound<'t> {
    /// The transport's own handshake.
    Open(Handshake<'t>),
    /// The transport asks for a sign of life.
    Ping(Cow<'t, str>),
    /// The server has taken the credentials.
    Granted,
    /// The server has refused them; its JSON says why.
    Refused(Option<&'t str>),
    /// The server ends the session.
    Left,
    /// The server closes the transport.
    Closing,
    /// An event.
    Event {
        name: Cow<'t, str>,
        body: Cow<'t, str>,
        attachments: Vec<Bytes>,
    },
    /// An answer to the request with this key.
    Reply {
        key: u64,
        body: Cow<'t, str>,
        attachments: Vec<Bytes>,
    },
    /// A channel message whose envelope is the frame's.
    Enveloped(Enveloped<'t>),
    /// A refusal that answers no request, in the raw binding's form.
    RawError(&'t str),
}

/// The peer broke the protocol; a sentence says how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LinkError(pub(crate) String);

impl Link {
    pub(crate) fn new(binding: Binding) -> Self {
        match binding {
            Binding::SocketIo => Self::SocketIo(SocketIo::new()),
            Binding::Raw => Self::Raw(Raw::new()),
        }
    }

    /// What to open.
    pub(crate) fn connect(config: &Config, token: Option<&str>) -> Connect {
        let (path_and_query, protocols) = match config.binding {
            Binding::SocketIo => (socketio::path_and_query(config), Vec::new()),
            Binding::Raw => raw::path_and_protocols(config, token),
        };
        Connect {
            path_and_query,
            protocols,
        }
    }

    /// Reads one frame.
    pub(crate) fn receive<'t>(&mut self, frame: Frame<'t>) -> Result<Vec<Inbound<'t>>, LinkError> {
        match self {
            Self::SocketIo(link) => Ok(link.receive(frame)?.into_iter().collect()),
            Self::Raw(link) => link.receive(frame),
        }
    }

    /// What stands where the body of a message would, in a frame that begins and ends like nothing but one message.
    pub(crate) fn plain_message<'t>(&self, frame: &'t str) -> Option<&'t str> {
        match self {
            Self::SocketIo(link) => link.plain_message(frame),
            Self::Raw(_) => None,
        }
    }

    /// Whether a frame may be a message that the driver has read.
    pub(crate) fn takes_plain_messages(&self) -> bool {
        match self {
            Self::SocketIo(link) => link.takes_plain_messages(),
            Self::Raw(_) => false,
        }
    }

    /// Reads one packet of a body of long-polling.
    pub(crate) fn receive_packet<'t>(
        &mut self,
        packet: Packet<'t>,
    ) -> Result<Option<Inbound<'t>>, LinkError> {
        match self {
            Self::SocketIo(link) => link.receive_packet(packet),
            Self::Raw(_) => Err(LinkError("the raw binding has no long-polling".to_owned())),
        }
    }

    /// The credentials, where they travel in a frame of their own.
    pub(crate) fn credentials(&self, token: Option<&str>) -> Option<Transmit> {
        match self {
            Self::SocketIo(_) => Some(socketio::credentials(token)),
            Self::Raw(_) => None,
        }
    }

    /// The answer to [`Inbound::Ping`].
    pub(crate) fn pong(&self, text: &str) -> Transmit {
        match self {
            Self::SocketIo(_) => socketio::pong(text),
            Self::Raw(_) => raw::pong(text),
        }
    }

    /// What is said before a connection is closed on purpose.
    pub(crate) fn farewell(&self) -> Option<Transmit> {
        match self {
            Self::SocketIo(_) => Some(socketio::farewell()),
            Self::Raw(_) => None,
        }
    }

    /// Writes a request; with a key it is answered.
    pub(crate) fn request(&mut self, key: Option<u64>, call: &Call, unix_ms: u64) -> Vec<Transmit> {
        match self {
            Self::SocketIo(_) => socketio::request(key, call, unix_ms),
            Self::Raw(link) => vec![link.request(key, call, unix_ms)],
        }
    }

    pub(crate) fn binding(&self) -> Binding {
        match self {
            Self::SocketIo(_) => Binding::SocketIo,
            Self::Raw(_) => Binding::Raw,
        }
    }
}

/// The JWT alone, where the application gave `Bearer <jwt>`.
pub(crate) fn bare_token(token: &str) -> &str {
    let trimmed = token.trim_ascii();
    match trimmed.get(..7) {
        Some(prefix) if prefix.eq_ignore_ascii_case("bearer ") => trimmed[7..].trim_ascii_start(),
        _ => trimmed,
    }
}
