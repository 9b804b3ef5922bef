//! From a text to a packet.

use super::{DecodeError, MAX_ATTACHMENTS, Namespace, Packet, split_event};
use crate::codec::json;

/// The shapes that data can be required to have.
const OBJECT: &str = "an object";
const ARRAY: &str = "an array";
const OBJECT_OR_STRING: &str = "an object or a string";

impl<'a> Packet<'a> {
    /// Reads the text of an Engine.IO message.
    ///
    /// # Errors
    /// When the header is malformed, the data is not JSON of the shape that the type demands, or the packet
    /// announces more than [`MAX_ATTACHMENTS`].
    pub fn decode(text: &'a str) -> Result<Self, DecodeError> {
        let kind = text.chars().next().ok_or(DecodeError::Empty)?;
        if !matches!(kind, '0'..='6') {
            return Err(DecodeError::UnknownType(kind));
        }
        let rest = &text[1..];
        let (attachments, rest) = if matches!(kind, '5' | '6') {
            attachments(rest)?
        } else {
            (0, rest)
        };
        let (namespace, rest) = namespace(rest)?;
        let (id, rest) = ack_id(rest)?;
        if id.is_some() && matches!(kind, '0' | '1' | '4') {
            return Err(DecodeError::UnexpectedAckId);
        }
        let data = if rest.is_empty() {
            None
        } else {
            Some(json::value(rest)?)
        };
        match kind {
            '0' => Ok(Self::Connect {
                namespace,
                data: shaped(data, OBJECT, b"{")?,
            }),
            '1' if data.is_some() => Err(DecodeError::UnexpectedData),
            '1' => Ok(Self::Disconnect { namespace }),
            '4' => Ok(Self::ConnectError {
                namespace,
                data: shaped(data, OBJECT_OR_STRING, b"{\"")?,
            }),
            '2' | '5' => {
                let data = data.ok_or(DecodeError::MissingData)?;
                split_event(data)?;
                Ok(Self::Event {
                    namespace,
                    id,
                    data,
                    attachments,
                })
            }
            _ => {
                let data = shaped(data, ARRAY, b"[")?.ok_or(DecodeError::MissingData)?;
                let id = id.ok_or(DecodeError::MissingAckId)?;
                Ok(Self::Ack {
                    namespace,
                    id,
                    data,
                    attachments,
                })
            }
        }
    }
}

/// `data`, if it begins with one of `openings`: enough to know the shape of a valid JSON text.
fn shaped<'a>(
    data: Option<&'a str>,
    shape: &'static str,
    openings: &[u8],
) -> Result<Option<&'a str>, DecodeError> {
    match data {
        Some(text) if !openings.contains(&text.as_bytes()[0]) => Err(DecodeError::DataShape(shape)),
        _ => Ok(data),
    }
}

/// The number before the `-` that every binary packet has.
fn attachments(text: &str) -> Result<(usize, &str), DecodeError> {
    let (count, rest) = text.split_once('-').ok_or(DecodeError::AttachmentCount)?;
    if count.is_empty() || !count.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(DecodeError::AttachmentCount);
    }
    // A number too large for the type is too large for the limit, too.
    match count.parse() {
        Ok(count) if count <= MAX_ATTACHMENTS => Ok((count, rest)),
        _ => Err(DecodeError::TooManyAttachments),
    }
}

/// The namespace, which ends at a comma or with the text; without a `/` it is the main one.
fn namespace(text: &str) -> Result<(Namespace<'_>, &str), DecodeError> {
    if !text.starts_with('/') {
        return Ok((Namespace::MAIN, text));
    }
    let (name, rest) = text.split_once(',').unwrap_or((text, ""));
    Ok((Namespace::parse(name)?, rest))
}

/// The digits before the data.
fn ack_id(text: &str) -> Result<(Option<u64>, &str), DecodeError> {
    let length = text.bytes().take_while(u8::is_ascii_digit).count();
    if length == 0 {
        return Ok((None, text));
    }
    let (digits, rest) = text.split_at(length);
    digits
        .parse()
        .map(|id| (Some(id), rest))
        .map_err(|_| DecodeError::AckIdTooLarge)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_taken_apart() {
        let admin = Namespace::parse("/admin").expect("a namespace");
        assert_eq!(
            Packet::decode("52-/admin,13[\"baz\",{\"_placeholder\":true,\"num\":0}]"),
            Ok(Packet::Event {
                namespace: admin,
                id: Some(13),
                data: "[\"baz\",{\"_placeholder\":true,\"num\":0}]",
                attachments: 2
            })
        );
        assert_eq!(
            Packet::decode("0/admin"),
            Ok(Packet::Connect {
                namespace: admin,
                data: None
            })
        );
        assert_eq!(
            Packet::decode("60-7[]"),
            Ok(Packet::Ack {
                namespace: Namespace::MAIN,
                id: 7,
                data: "[]",
                attachments: 0
            })
        );
    }

    #[test]
    fn offences_are_named() {
        for (text, error) in [
            ("", DecodeError::Empty),
            ("7", DecodeError::UnknownType('7')),
            ("é", DecodeError::UnknownType('é')),
            ("5[\"a\"]", DecodeError::AttachmentCount),
            ("5-[\"a\"]", DecodeError::AttachmentCount),
            ("5+1-[\"a\"]", DecodeError::AttachmentCount),
            ("511-[\"a\"]", DecodeError::TooManyAttachments),
            (
                "599999999999999999999999-[\"a\"]",
                DecodeError::TooManyAttachments,
            ),
            ("2/a\u{1e},[\"a\"]", DecodeError::Namespace),
            ("218446744073709551616[\"a\"]", DecodeError::AckIdTooLarge),
            ("3[]", DecodeError::MissingAckId),
            ("01{}", DecodeError::UnexpectedAckId),
            ("11", DecodeError::UnexpectedAckId),
            ("2", DecodeError::MissingData),
            ("31", DecodeError::MissingData),
            ("1{}", DecodeError::UnexpectedData),
            ("0[]", DecodeError::DataShape(OBJECT)),
            ("4[]", DecodeError::DataShape(OBJECT_OR_STRING)),
            ("2{}", DecodeError::DataShape(ARRAY)),
            ("31{}", DecodeError::DataShape(ARRAY)),
            ("2[]", DecodeError::EventName),
            ("2[\"disconnecting\"]", DecodeError::ReservedEvent),
        ] {
            assert_eq!(Packet::decode(text), Err(error), "{text}");
        }
        assert!(matches!(Packet::decode("2[\"a\""), Err(DecodeError::Json(_))));
    }
}
