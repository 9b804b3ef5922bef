//! Base64 (RFC 4648 §4), the form binary data takes in long-polling.
//!
//! Written here, in a page, because a general library with its alphabets and engines would outweigh the
//! rest of the codec in the browser package.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// Marks what is not a digit in [`DIGITS`].
const NONE: u8 = 0xff;
/// The value of each byte as a digit.
const DIGITS: [u8; 256] = {
    let mut digits = [NONE; 256];
    let mut value = 0;
    while value < 64 {
        digits[ALPHABET[value as usize] as usize] = value;
        value += 1;
    }
    digits
};

/// How many characters `length` bytes become.
pub(crate) const fn encoded_len(length: usize) -> usize {
    length.div_ceil(3) * 4
}

/// Appends `bytes` to `out`, with padding.
pub(crate) fn encode_into(out: &mut String, bytes: &[u8]) {
    out.reserve(encoded_len(bytes.len()));
    for group in bytes.chunks(3) {
        let byte = |n: usize| u32::from(group.get(n).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for n in 0..4 {
            let digit = ALPHABET[(bits >> (18 - 6 * n) & 63) as usize];
            out.push(if n <= group.len() { char::from(digit) } else { '=' });
        }
    }
}

/// The bytes that `text` stands for; `None` unless it is exactly what [`encode_into`] writes for them.
///
/// One text per value: wrong padding and set bits behind the last byte are refused.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let (groups, []) = text.as_bytes().as_chunks::<4>() else {
        return None;
    };
    let Some((last, full)) = groups.split_last() else {
        return Some(Vec::new());
    };
    let mut out = Vec::with_capacity(groups.len() * 3);
    for group in full {
        let [_, bytes @ ..] = bits(group)?.to_be_bytes();
        out.extend_from_slice(&bytes);
    }
    let length = match last {
        [_, _, b'=', b'='] => 1,
        [_, _, _, b'='] => 2,
        _ => 3,
    };
    let mut padded = *last;
    padded[length + 1..].fill(b'A');
    let [_, bytes @ ..] = bits(&padded)?.to_be_bytes();
    if bytes[length..].iter().any(|&byte| byte != 0) {
        return None;
    }
    out.extend_from_slice(&bytes[..length]);
    Some(out)
}

/// The 24 bits of four digits.
fn bits(group: &[u8; 4]) -> Option<u32> {
    let mut bits = 0;
    let mut seen = 0;
    for &byte in group {
        let digit = DIGITS[usize::from(byte)];
        seen |= digit;
        bits = bits << 6 | u32::from(digit & 63);
    }
    // Only NONE has a bit above the six.
    (seen < 64).then_some(bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(bytes: &[u8]) -> String {
        let mut out = String::new();
        encode_into(&mut out, bytes);
        out
    }

    #[test]
    fn the_vectors_of_the_rfc_hold_both_ways() {
        let vectors = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ];
        for (plain, text) in vectors {
            assert_eq!(encode(plain.as_bytes()), text);
            assert_eq!(decode(text).as_deref(), Some(plain.as_bytes()));
        }
    }

    #[test]
    fn every_byte_survives_in_every_position() {
        for byte in 0..=u8::MAX {
            for bytes in [&[byte][..], &[1, byte], &[1, 2, byte], &[byte, 1, 2, 3]] {
                let text = encode(bytes);
                assert_eq!(text.len(), encoded_len(bytes.len()));
                assert_eq!(decode(&text).as_deref(), Some(bytes));
            }
        }
    }

    #[test]
    fn what_is_not_canonical_is_refused() {
        for text in [
            "Zg", "Zg=", "Zh==", "Zm9=", "Z===", "====", "Zg==Zg==", "Zm9v\n", "Zm-_", "é8=", "Zm9vYg=A",
        ] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
