//! WebSocket frames as a server writes them, for both bindings: whole and not masked (RFC 6455 §5.1, §5.2).

use bmt_shared::close::CloseCode;

/// A ping without content.
pub(super) const PING: [u8; 2] = [0x89, 0];

/// Appends a text frame.
pub(super) fn push_text(out: &mut Vec<u8>, text: &str) {
    push_utf8(out, text.as_bytes());
}

/// The same of bytes that are known to be UTF-8.
pub(super) fn push_utf8(out: &mut Vec<u8>, text: &[u8]) {
    push(out, 0x81, text);
}

/// Appends a binary frame.
pub(super) fn push_binary(out: &mut Vec<u8>, bytes: &[u8]) {
    push(out, 0x82, bytes);
}

/// Appends a close frame.
pub(super) fn push_close(out: &mut Vec<u8>, code: CloseCode, reason: &str) {
    debug_assert!(reason.len() <= 123, "reasons are short words");
    let length = u8::try_from(reason.len() + 2).unwrap_or(2);
    out.extend_from_slice(&[0x88, length]);
    out.extend_from_slice(&code.number().to_be_bytes());
    if length > 2 {
        out.extend_from_slice(reason.as_bytes());
    }
}

/// What stands in a frame that was written here.
pub(super) fn content(frame: &[u8]) -> &[u8] {
    let header = match frame.get(1) {
        Some(127) => 10,
        Some(126) => 4,
        _ => 2,
    };
    &frame[header..]
}

fn push(out: &mut Vec<u8>, first: u8, content: &[u8]) {
    out.reserve(content.len() + 10);
    out.push(first);
    let length = content.len();
    if let (Ok(short), true) = (u8::try_from(length), length < 126) {
        out.push(short);
    } else if let Ok(medium) = u16::try_from(length) {
        out.push(126);
        out.extend_from_slice(&medium.to_be_bytes());
    } else {
        out.push(127);
        out.extend_from_slice(&(length as u64).to_be_bytes());
    }
    out.extend_from_slice(content);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_written_in_their_three_forms() {
        for (length, header) in [
            (125, vec![0x81, 125]),
            (126, vec![0x81, 126, 0, 126]),
            (65_536, vec![0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let mut out = Vec::new();
            push_text(&mut out, &"x".repeat(length));
            assert_eq!(out[..header.len()], header);
            assert_eq!(content(&out).len(), length);
        }
        let mut out = Vec::new();
        push_close(&mut out, CloseCode::Restart, "restart");
        assert_eq!(out, b"\x88\x09\x03\xf4restart");
    }
}
