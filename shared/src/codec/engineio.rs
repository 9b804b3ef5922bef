//! Engine.IO 4: packets, the handshake, and payloads of long-polling.
//!
//! Source: the protocol document of `socketio/engine.io-protocol`, revision 4.
//!
//! On a WebSocket each packet is one frame: text frames go through [`Packet::decode`], binary frames are
//! messages as they are ([`Packet::Binary`]). In long-polling, packets are joined into a [`payload`].

use std::borrow::Cow;
use std::fmt;

use super::base64;

mod handshake;
pub mod payload;

pub use handshake::{Handshake, HandshakeError};

/// The type digit of a text message: what every Socket.IO packet begins with on the wire.
pub const MESSAGE: char = '4';
/// Announces base64 where binary data must travel as text.
const BINARY: char = 'b';

/// One packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet<'a> {
    /// The server opens the session; the text is JSON for [`Handshake::decode`].
    Open(&'a str),
    /// The transport can be closed.
    Close,
    /// The server asks whether the client lives (empty), or a client probes an upgrade (`probe`).
    Ping(&'a str),
    /// The answer to a ping, with the ping's text.
    Pong(&'a str),
    /// A text message, for Socket.IO a [`socketio::Packet`](super::socketio::Packet).
    Message(&'a str),
    /// A binary message, for Socket.IO an attachment.
    Binary(Cow<'a, [u8]>),
    /// The client moves the session to this transport.
    Upgrade,
    /// Says nothing; ends a pending poll during an upgrade.
    Noop,
}

impl<'a> Packet<'a> {
    /// Reads a packet from a WebSocket text frame or from its part of a payload.
    ///
    /// # Errors
    /// When the text is empty, its type unknown, its base64 broken, or when it has data where none belongs.
    pub fn decode(text: &'a str) -> Result<Self, DecodeError> {
        let mut characters = text.chars();
        let kind = characters.next().ok_or(DecodeError::Empty)?;
        let data = characters.as_str();
        let bare = |packet| {
            if data.is_empty() {
                Ok(packet)
            } else {
                Err(DecodeError::UnexpectedData(kind))
            }
        };
        match kind {
            '0' => Ok(Self::Open(data)),
            '1' => bare(Self::Close),
            '2' => Ok(Self::Ping(data)),
            '3' => Ok(Self::Pong(data)),
            MESSAGE => Ok(Self::Message(data)),
            '5' => bare(Self::Upgrade),
            '6' => bare(Self::Noop),
            BINARY => base64::decode(data)
                .map(|bytes| Self::Binary(Cow::Owned(bytes)))
                .ok_or(DecodeError::Base64),
            unknown => Err(DecodeError::UnknownType(unknown)),
        }
    }

    /// Appends the packet as text: a WebSocket text frame or a part of a payload.
    ///
    /// A [`Packet::Binary`] becomes base64, which is for payloads only; on a WebSocket its bytes are the frame.
    pub fn encode_into(&self, out: &mut String) {
        out.reserve(self.encoded_len());
        let (kind, data) = match self {
            Self::Open(data) => ('0', *data),
            Self::Close => ('1', ""),
            Self::Ping(data) => ('2', *data),
            Self::Pong(data) => ('3', *data),
            Self::Message(data) => (MESSAGE, *data),
            Self::Upgrade => ('5', ""),
            Self::Noop => ('6', ""),
            Self::Binary(bytes) => {
                out.push(BINARY);
                return base64::encode_into(out, bytes);
            }
        };
        out.push(kind);
        out.push_str(data);
    }

    /// [`encode_into`](Self::encode_into) a new text.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut out = String::new();
        self.encode_into(&mut out);
        out
    }

    /// How many bytes [`encode_into`](Self::encode_into) appends.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        1 + match self {
            Self::Open(data) | Self::Ping(data) | Self::Pong(data) | Self::Message(data) => data.len(),
            Self::Binary(bytes) => base64::encoded_len(bytes.len()),
            Self::Close | Self::Upgrade | Self::Noop => 0,
        }
    }
}

/// Why a text is no packet or no payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecodeError {
    /// There is no type digit.
    Empty,
    /// The first character is no type of revision 4.
    UnknownType(char),
    /// A packet of this type has data although the protocol gives it none.
    UnexpectedData(char),
    /// What follows `b` is not base64.
    Base64,
    /// A payload holds more packets than this limit.
    TooManyPackets(usize),
    /// A payload is longer than this limit, in bytes.
    TooLong(usize),
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the Engine.IO packet is empty"),
            Self::UnknownType(kind) => write!(f, "`{kind}` is no packet type of Engine.IO 4"),
            Self::UnexpectedData(kind) => {
                write!(f, "an Engine.IO packet of type {kind} carries data but must not")
            }
            Self::Base64 => f.write_str("a binary Engine.IO packet is not valid base64"),
            Self::TooManyPackets(limit) => write!(f, "the payload holds more than {limit} packets"),
            Self::TooLong(limit) => write!(f, "the payload is longer than {limit} bytes"),
        }
    }
}

impl std::error::Error for DecodeError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_of_every_type_survive_the_wire() {
        let packets = [
            (Packet::Open("{}"), "0{}"),
            (Packet::Close, "1"),
            (Packet::Ping(""), "2"),
            (Packet::Ping("probe"), "2probe"),
            (Packet::Pong("probe"), "3probe"),
            (Packet::Message("hé"), "4hé"),
            (Packet::Upgrade, "5"),
            (Packet::Noop, "6"),
            (Packet::Binary(Cow::Borrowed(&[1, 2, 3, 4])), "bAQIDBA=="),
        ];
        for (packet, wire) in packets {
            assert_eq!(packet.encode(), wire);
            assert_eq!(packet.encoded_len(), wire.len());
            assert_eq!(Packet::decode(wire), Ok(packet));
        }
    }

    #[test]
    fn what_is_no_packet_is_named() {
        assert_eq!(Packet::decode(""), Err(DecodeError::Empty));
        assert_eq!(Packet::decode("7"), Err(DecodeError::UnknownType('7')));
        assert_eq!(Packet::decode("é"), Err(DecodeError::UnknownType('é')));
        assert_eq!(Packet::decode("1x"), Err(DecodeError::UnexpectedData('1')));
        assert_eq!(Packet::decode("6 "), Err(DecodeError::UnexpectedData('6')));
        assert_eq!(Packet::decode("bAQIDBA"), Err(DecodeError::Base64));
    }
}
