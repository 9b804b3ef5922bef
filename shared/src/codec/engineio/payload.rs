//! Payloads: several packets in one body of HTTP long-polling.

use std::fmt;

use super::{BINARY, DecodeError, Packet};
use crate::codec::base64;

/// Stands between two packets. JSON never contains it unescaped.
pub const SEPARATOR: char = '\u{1e}';

/// What a receiver accepts in one payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Length of the body in bytes.
    pub bytes: usize,
    /// Number of packets.
    pub packets: usize,
}

impl Default for Limits {
    /// 16 MiB and 16,384 packets.
    ///
    /// A server may answer one poll with all that waits for the client: our outbox holds 8,192 messages or
    /// 1 MiB (SPEC §10), an attachment is a packet of its own, and the official server has no bound. Both
    /// numbers lie far above that and far below what would stop a browser tab.
    fn default() -> Self {
        Self {
            bytes: 16 << 20,
            packets: 16_384,
        }
    }
}

/// Reads the packets of `payload` in order. A packet that cannot be read is the last item.
///
/// # Errors
/// When the payload is longer or holds more packets than `limits` allows.
pub fn decode(payload: &str, limits: Limits) -> Result<Packets<'_>, DecodeError> {
    if payload.len() > limits.bytes {
        return Err(DecodeError::TooLong(limits.bytes));
    }
    let packets = payload.bytes().filter(|&byte| byte == SEPARATOR as u8).count() + 1;
    if packets > limits.packets {
        return Err(DecodeError::TooManyPackets(limits.packets));
    }
    Ok(Packets { rest: Some(payload) })
}

/// See [`decode`].
#[derive(Debug, Clone)]
pub struct Packets<'a> {
    /// What is not read yet; `None` at the end and after an error.
    rest: Option<&'a str>,
}

impl<'a> Iterator for Packets<'a> {
    type Item = Result<Packet<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest.take()?;
        let (text, rest) = match rest.split_once(SEPARATOR) {
            Some((text, rest)) => (text, Some(rest)),
            None => (rest, None),
        };
        let packet = Packet::decode(text);
        if packet.is_ok() {
            self.rest = rest;
        }
        Some(packet)
    }
}

/// Joins packets into a payload until it is full.
#[derive(Debug, Clone)]
pub struct Writer {
    text: String,
    max_bytes: usize,
}

impl Writer {
    /// An empty payload of at most `max_bytes` (the handshake's `maxPayload`).
    #[must_use]
    pub fn new(max_bytes: usize) -> Self {
        Self {
            text: String::new(),
            max_bytes,
        }
    }

    /// Adds a text packet that is encoded already, type digit included.
    ///
    /// The first packet is taken whatever its length: it has to travel some time, and only the server can say
    /// that it is too long.
    ///
    /// # Errors
    /// When the payload is full, or the text holds a [`SEPARATOR`] and would fall apart.
    pub fn push_text(&mut self, encoded: &str) -> Result<(), PushError> {
        if encoded.contains(SEPARATOR) {
            return Err(PushError::Separator);
        }
        self.begin(encoded.len())?;
        self.text.push_str(encoded);
        Ok(())
    }

    /// Adds a binary message, in base64.
    ///
    /// # Errors
    /// When the payload is full; see [`push_text`](Self::push_text) on the first packet.
    pub fn push_binary(&mut self, bytes: &[u8]) -> Result<(), PushError> {
        self.begin(1 + base64::encoded_len(bytes.len()))?;
        self.text.push(BINARY);
        base64::encode_into(&mut self.text, bytes);
        Ok(())
    }

    /// Whether no packet was added yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The payload's text.
    #[must_use]
    pub fn finish(self) -> String {
        self.text
    }

    /// Makes room for a packet of `length` bytes, behind a separator if it is not the first.
    fn begin(&mut self, length: usize) -> Result<(), PushError> {
        if !self.text.is_empty() {
            if self.text.len() + 1 + length > self.max_bytes {
                return Err(PushError::Full);
            }
            self.text.push(SEPARATOR);
        }
        self.text.reserve(length);
        Ok(())
    }
}

/// Why a packet was not added to a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PushError {
    /// It does not fit; send this payload first.
    Full,
    /// Its text holds the record separator, which no payload can carry.
    Separator,
}

impl fmt::Display for PushError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "the payload is full; the packet belongs into the next one",
            Self::Separator => {
                "the packet's text holds the record separator U+001E, which long-polling cannot carry"
            }
        })
    }
}

impl std::error::Error for PushError {}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    fn packets(payload: &str) -> Vec<Result<Packet<'_>, DecodeError>> {
        decode(payload, Limits::default())
            .expect("within the limits")
            .collect()
    }

    #[test]
    fn packets_come_out_in_order() {
        assert_eq!(
            packets("4hello\u{1e}2\u{1e}bAQIDBA=="),
            [
                Ok(Packet::Message("hello")),
                Ok(Packet::Ping("")),
                Ok(Packet::Binary(Cow::Borrowed(&[1, 2, 3, 4])))
            ]
        );
    }

    #[test]
    fn a_broken_packet_ends_the_payload() {
        assert_eq!(
            packets("4a\u{1e}x\u{1e}4b"),
            [Ok(Packet::Message("a")), Err(DecodeError::UnknownType('x'))]
        );
        assert_eq!(
            packets("4a\u{1e}"),
            [Ok(Packet::Message("a")), Err(DecodeError::Empty)]
        );
        assert_eq!(packets(""), [Err(DecodeError::Empty)]);
    }

    #[test]
    fn the_limits_hold_exactly() {
        let limits = Limits { bytes: 5, packets: 3 };
        assert!(decode("2\u{1e}2\u{1e}2", limits).is_ok());
        assert_eq!(decode("4aaaaa", limits).err(), Some(DecodeError::TooLong(5)));
        let limits = Limits { bytes: 5, packets: 2 };
        assert_eq!(
            decode("2\u{1e}2\u{1e}2", limits).err(),
            Some(DecodeError::TooManyPackets(2))
        );
    }

    #[test]
    fn a_writer_takes_the_first_packet_and_then_what_fits() {
        let mut writer = Writer::new(8);
        assert!(writer.is_empty());
        assert_eq!(writer.push_text("4longer than eight"), Ok(()));
        assert_eq!(writer.push_text("2"), Err(PushError::Full));
        assert_eq!(writer.finish(), "4longer than eight");

        let mut writer = Writer::new(8);
        assert_eq!(writer.push_text("42"), Ok(()));
        assert_eq!(writer.push_binary(&[1]), Ok(()));
        assert_eq!(writer.push_text("2"), Err(PushError::Full));
        assert_eq!(writer.finish(), "42\u{1e}bAQ==");
    }

    #[test]
    fn a_text_that_would_fall_apart_is_refused() {
        let mut writer = Writer::new(100);
        assert_eq!(writer.push_text("4a\u{1e}1"), Err(PushError::Separator));
        assert!(writer.is_empty());
    }
}
