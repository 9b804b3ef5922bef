//! Puts a packet and the binary messages behind it together.

use std::fmt;

use super::{DecodeError, Packet};

/// Collects the attachments of one connection's packets, in the order of the wire.
///
/// Generic in what holds an attachment: bytes natively, a `Uint8Array` in the browser, which need not be
/// copied into Rust's memory. What waits is bounded by [`MAX_ATTACHMENTS`](super::MAX_ATTACHMENTS) times the
/// transport's largest frame. After an error the connection is out of step and has to be closed.
#[derive(Debug)]
pub struct Reassembler<B> {
    waiting: Option<Waiting<B>>,
}

#[derive(Debug)]
struct Waiting<B> {
    text: String,
    announced: usize,
    attachments: Vec<B>,
}

impl<B> Reassembler<B> {
    /// Nothing waits.
    #[must_use]
    pub fn new() -> Self {
        Self { waiting: None }
    }

    /// Takes a text message. `None` means that the packet waits for its attachments.
    ///
    /// # Errors
    /// When it is no packet, or comes while attachments are due.
    pub fn handle_text<'t>(&mut self, text: &'t str) -> Result<Option<Packet<'t>>, AttachmentError> {
        if self.waiting.is_some() {
            return Err(AttachmentError::TextInstead);
        }
        let packet = Packet::decode(text)?;
        let announced = packet.attachments();
        if announced == 0 {
            return Ok(Some(packet));
        }
        self.waiting = Some(Waiting {
            text: text.to_owned(),
            announced,
            attachments: Vec::with_capacity(announced),
        });
        Ok(None)
    }

    /// Takes a binary message; answers with the packet when this was its last attachment.
    ///
    /// # Errors
    /// When no packet waits for an attachment.
    pub fn handle_binary(&mut self, attachment: B) -> Result<Option<Assembled<B>>, AttachmentError> {
        let mut waiting = self.waiting.take().ok_or(AttachmentError::Unannounced)?;
        waiting.attachments.push(attachment);
        if waiting.attachments.len() < waiting.announced {
            self.waiting = Some(waiting);
            return Ok(None);
        }
        Ok(Some(Assembled {
            text: waiting.text,
            attachments: waiting.attachments,
        }))
    }

    /// Whether attachments are due.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }
}

impl<B> Default for Reassembler<B> {
    fn default() -> Self {
        Self::new()
    }
}

/// A packet with all its attachments.
///
/// Invariant: `text` was decoded when it arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assembled<B> {
    text: String,
    /// In the order of the placeholders' numbers.
    pub attachments: Vec<B>,
}

impl<B> Assembled<B> {
    /// The packet, whose data holds the placeholders.
    #[must_use]
    pub fn packet(&self) -> Packet<'_> {
        // No `expect`: it would link the `Debug` of every codec error into the browser package.
        let Ok(packet) = Packet::decode(&self.text) else {
            unreachable!("the text was decoded when it arrived")
        };
        packet
    }
}

/// Why a message does not fit the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttachmentError {
    /// A text message where an attachment was due.
    TextInstead,
    /// A binary message that no packet announced, one too many included.
    Unannounced,
    /// The text message is no packet.
    Packet(DecodeError),
}

impl From<DecodeError> for AttachmentError {
    fn from(error: DecodeError) -> Self {
        Self::Packet(error)
    }
}

impl fmt::Display for AttachmentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TextInstead => f.write_str("a text message came where a binary attachment was announced"),
            Self::Unannounced => f.write_str("a binary message came that no packet announced"),
            Self::Packet(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for AttachmentError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_without_attachments_is_not_kept() {
        let mut reassembler = Reassembler::<Vec<u8>>::new();
        assert_eq!(
            reassembler.handle_text("2[\"a\"]"),
            Ok(Some(Packet::decode("2[\"a\"]").expect("a packet")))
        );
        assert!(!reassembler.is_waiting());
    }

    #[test]
    fn a_packet_comes_with_its_last_attachment_and_the_next_one_after_it() {
        let text = "52-7[\"a\",{\"_placeholder\":true,\"num\":1},{\"_placeholder\":true,\"num\":0}]";
        let mut reassembler = Reassembler::new();
        for _ in 0..2 {
            assert_eq!(reassembler.handle_text(text), Ok(None));
            assert_eq!(reassembler.handle_binary(vec![1]), Ok(None));
            assert!(reassembler.is_waiting());
            let assembled = reassembler
                .handle_binary(vec![2, 3])
                .expect("announced")
                .expect("complete");
            assert_eq!(assembled.attachments, [vec![1], vec![2, 3]]);
            assert_eq!(assembled.packet(), Packet::decode(text).expect("a packet"));
        }
    }

    #[test]
    fn messages_out_of_step_are_refused() {
        let mut reassembler = Reassembler::new();
        assert_eq!(reassembler.handle_binary(1), Err(AttachmentError::Unannounced));
        assert_eq!(
            reassembler.handle_text("7"),
            Err(AttachmentError::Packet(DecodeError::UnknownType('7')))
        );
        assert_eq!(reassembler.handle_text("51-[\"a\"]"), Ok(None));
        assert_eq!(
            reassembler.handle_text("2[\"a\"]"),
            Err(AttachmentError::TextInstead)
        );
        assert!(
            reassembler
                .handle_binary(1)
                .is_ok_and(|assembled| assembled.is_some())
        );
        assert_eq!(reassembler.handle_binary(2), Err(AttachmentError::Unannounced));
    }
}
