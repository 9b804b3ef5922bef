//! Whose token it is, unverified: enough to know whose queue to send.

use bmt_shared::codec::json;
use bmt_shared::id::UserId;

/// The `sub` of a JWT, believed as it stands; the server verifies.
pub(crate) fn subject(token: &str) -> Option<UserId> {
    let claims = token.split('.').nth(1)?;
    let claims = String::from_utf8(decode_base64url(claims)?).ok()?;
    let entries = json::entries(&claims).ok()?;
    let mut subject = None;
    for entry in entries {
        let (key, value) = entry.ok()?;
        if key == "\"sub\"" {
            subject = json::unquote(value).ok();
        }
    }
    subject.filter(|sub| !sub.is_empty()).map(|sub| UserId::new(&sub))
}

/// RFC 4648 §5 without padding.
fn decode_base64url(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    let (mut bits, mut held) = (0u32, 0u32);
    for byte in text.trim_end_matches('=').bytes() {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(digit);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
            bits &= (1 << held) - 1;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_subject_is_read_and_anything_else_is_nobody() {
        // {"sub":"ü1","name":"x"}
        assert_eq!(
            subject("Bearer e30.eyJzdWIiOiLDvDEiLCJuYW1lIjoieCJ9.sig"),
            Some(UserId::new("ü1"))
        );
        for none in ["", "a", "a.b.c", "a.!.c", "e30.e30.x", "e30.eyJzdWIiOjF9.x"] {
            assert_eq!(subject(none), None, "{none}");
        }
    }
}
