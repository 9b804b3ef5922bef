//! Socket.IO packets as WebSocket frames, ready for the socket; and what passes by of the library's.

use bmt_shared::codec::engineio::MESSAGE;
use bmt_shared::codec::socketio::{Namespace, encode_ack, encode_event};
use bmt_shared::event::ServerEvent;
use bmt_shared::id::MessageId;
use bmt_shared::message::Message;
use bmt_shared::payload::Payload;
use bmt_shared::reply::Reply;
use bytes::Bytes;

use super::super::frame::{push_binary, push_text};
use super::body::renumber;

/// Before each packet but the first in the body of a polling response.
const SEPARATOR: u8 = 0x1e;

/// The frames of an event that goes to many: its text, then its binary parts.
pub(super) fn event(event: &ServerEvent) -> Bytes {
    let mut body = String::new();
    event.write_json(&mut body);
    let mut sent = Vec::new();
    let attachments = attachments(event);
    if !attachments.is_empty() {
        let json = std::mem::take(&mut body);
        renumber(&json, attachments, &mut sent, &mut body);
    }
    let mut frames = Vec::new();
    push_event(&mut frames, event.name(), &body, &sent);
    frames.into()
}

/// The binary parts of an event.
pub(super) fn attachments(event: &ServerEvent) -> &[Bytes] {
    match event {
        ServerEvent::Message(message) => message.payload.attachments(),
        ServerEvent::Signal(signal) => signal.payload.attachments(),
        _ => &[],
    }
}

/// Appends the frames of an answer: to a callback, or as the event `ack` where there is none.
pub(super) fn push_reply(out: &mut Vec<u8>, callback: Option<i64>, id: &MessageId, mut reply: Reply) {
    let attachments = take_attachments(&mut reply);
    let mut body = String::new();
    reply.write_socketio(id.as_str(), &mut body);
    // The library reads callbacks as signed numbers; the protocol knows no sign.
    let Some(callback) = callback.and_then(|callback| u64::try_from(callback).ok()) else {
        return push_event(out, "ack", &body, &attachments);
    };
    let mut text = String::from(MESSAGE);
    encode_ack(&mut text, Namespace::MAIN, callback, &[&body], attachments.len());
    push_packet(out, &text, &attachments);
}

/// Takes the binary parts out of a reply's messages and numbers their placeholders through the whole reply.
pub(super) fn take_attachments(reply: &mut Reply) -> Vec<Bytes> {
    let mut parts = Vec::new();
    let mut visit = |messages: &mut Vec<Message>| {
        if messages
            .iter()
            .any(|message| !message.payload.attachments().is_empty())
        {
            for message in messages {
                let mut json = String::with_capacity(message.payload.json().len());
                let attachments = message.payload.attachments();
                renumber(message.payload.json(), attachments, &mut parts, &mut json);
                message.payload = Payload::from_json(&json);
            }
        }
    };
    match reply {
        Reply::Subscribed(subscribed) => visit(&mut subscribed.messages),
        Reply::History(page) => visit(&mut page.messages),
        Reply::Batch(results) => {
            for (_, reply) in results {
                if let Reply::Subscribed(subscribed) = reply {
                    visit(&mut subscribed.messages);
                }
            }
        }
        _ => {}
    }
    parts
}

fn push_event(out: &mut Vec<u8>, name: &str, body: &str, attachments: &[Bytes]) {
    let mut text = String::from(MESSAGE);
    encode_event(&mut text, Namespace::MAIN, None, name, &[body], attachments.len());
    push_packet(out, &text, attachments);
}

fn push_packet(out: &mut Vec<u8>, text: &str, attachments: &[Bytes]) {
    push_text(out, text);
    for attachment in attachments {
        push_binary(out, attachment);
    }
}

/// What was seen leaving the library.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Passed {
    /// Packets of connections: what one sends, and the answer that lets it in; binary parts are packets.
    pub(super) packets: usize,
    /// Answers to CONNECT, whether they let somebody in or not.
    pub(super) connects: usize,
}

impl Passed {
    /// Takes note of an Engine.IO packet that begins so.
    fn note(&mut self, packet: &[u8]) {
        if let [b'4', kind, ..] = packet {
            // CONNECT, EVENT, ACK and the last two with binary parts; CONNECT_ERROR lets nobody in.
            self.packets += usize::from(matches!(kind, b'0' | b'2' | b'3' | b'5' | b'6'));
            self.connects += usize::from(matches!(kind, b'0' | b'4'));
        }
    }
}

/// What is in the body of a polling response.
pub(super) fn polled(body: &[u8]) -> Passed {
    let mut passed = Passed::default();
    for packet in body.split(|byte| *byte == SEPARATOR) {
        passed.packets += usize::from(packet.starts_with(b"b"));
        passed.note(packet);
    }
    passed
}

/// Follows the frames that the library writes: where one ends, and which carry packets of connections.
#[derive(Default)]
pub(super) struct Passing {
    /// The frame's header and the first two bytes of its content, as far as they have passed.
    head: [u8; Self::MOST],
    have: usize,
    /// Bytes of the frame after those.
    rest: u64,
    /// A close has passed: nothing may follow it (RFC 6455 §5.5.1).
    closed: bool,
}

impl Passing {
    /// The longest header of a frame that is not masked, and two bytes.
    const MOST: usize = 12;

    /// Whether what passed ended with a whole frame that another may follow.
    pub(super) fn is_between_frames(&self) -> bool {
        self.have == 0 && self.rest == 0 && !self.closed
    }

    /// Takes note of bytes that pass; answers what began with them.
    pub(super) fn pass(&mut self, mut bytes: &[u8]) -> Passed {
        let mut passed = Passed::default();
        while let [first, others @ ..] = bytes {
            if self.rest > 0 {
                let skipped = usize::try_from(self.rest).map_or(bytes.len(), |rest| rest.min(bytes.len()));
                self.rest -= skipped as u64;
                bytes = &bytes[skipped..];
                continue;
            }
            self.head[self.have] = *first;
            self.have += 1;
            bytes = others;
            if let Some((header, length)) = self.header() {
                let looked_at = length.min(2);
                if self.have as u64 == header as u64 + looked_at {
                    let content = &self.head[header..self.have];
                    match self.head[0] & 0x0f {
                        1 => passed.note(content),
                        8 => self.closed = true,
                        opcode => passed.packets += usize::from(opcode == 2),
                    }
                    self.rest = length - looked_at;
                    self.have = 0;
                }
            }
        }
        passed
    }

    /// Bytes of the frame's header and of its content, once the header has passed.
    fn header(&self) -> Option<(usize, u64)> {
        let head = &self.head[..self.have];
        match *head.get(1)? & 0x7f {
            126 => {
                let length = head.get(2..4)?.try_into().ok()?;
                Some((4, u64::from(u16::from_be_bytes(length))))
            }
            127 => Some((10, u64::from_be_bytes(head.get(2..10)?.try_into().ok()?))),
            short => Some((2, u64::from(short))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_followed_however_they_are_cut() {
        let mut frames = Vec::new();
        push_text(&mut frames, "2");
        push_text(&mut frames, "40{\"sid\":\"x\"}");
        push_text(&mut frames, "44{\"message\":\"no\"}");
        push_text(&mut frames, "");
        push_text(
            &mut frames,
            &format!("451-[\"message\",\"{}\"]", "x".repeat(70_000)),
        );
        push_binary(&mut frames, &[0x81; 300]);
        push_binary(&mut frames, &[]);
        push_text(&mut frames, "43");
        for size in [1, 2, 3, 7, 1_000, frames.len()] {
            let mut passing = Passing::default();
            let mut counted = (0, 0);
            for passed in frames.chunks(size).map(|chunk| passing.pass(chunk)) {
                counted = (counted.0 + passed.packets, counted.1 + passed.connects);
            }
            assert_eq!(
                (counted, passing.is_between_frames()),
                ((5, 2), true),
                "pieces of {size} bytes"
            );
        }
        let mut passing = Passing::default();
        assert_eq!(passing.pass(&frames[..1]), Passed::default());
        assert!(!passing.is_between_frames());
    }

    #[test]
    fn nothing_goes_between_frames_after_a_close() {
        for close in [&b"\x88\x00"[..], b"\x88\x02\x03\xe8", b"\x88\x05\x03\xe8bye"] {
            let mut passing = Passing::default();
            assert_eq!(passing.pass(b"\x8a\x00"), Passed::default());
            assert!(passing.is_between_frames(), "behind a pong");
            assert_eq!(passing.pass(close), Passed::default());
            assert!(!passing.is_between_frames(), "behind {close:?}");
        }
    }

    #[test]
    fn packets_in_the_body_of_a_polling_response_are_counted() {
        for (body, packets, connects) in [
            ("40{\"sid\":\"x\"}\u{1e}2\u{1e}42[\"message\",{}]", 2, 1),
            (
                "451-[\"message\",{\"_placeholder\":true,\"num\":0}]\u{1e}bAQI=",
                2,
                0,
            ),
            ("44/a,{}\u{1e}44/b,{}", 0, 2),
            ("6", 0, 0),
            ("", 0, 0),
        ] {
            assert_eq!(polled(body.as_bytes()), Passed { packets, connects }, "{body}");
        }
    }
}
