//! JSON strings: where one ends and what it says.

use std::borrow::Cow;

use super::{Cursor, JsonError, JsonErrorKind};

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// The text that the JSON string `raw` (with its quotes) stands for; borrowed where nothing is escaped.
///
/// # Errors
/// When `raw` is not exactly one JSON string, or escapes half of a surrogate pair.
pub fn unquote(raw: &str) -> Result<Cow<'_, str>, JsonError> {
    let mut cursor = Cursor::new(raw);
    cursor.skip_space();
    // Offsets in errors count from the start of `raw`, which may have space before the quote.
    let base = cursor.at + 1;
    let quoted = cursor.string()?;
    cursor.end()?;
    let inner = &quoted[1..quoted.len() - 1];
    if inner.contains('\\') {
        unescape(inner, base).map(Cow::Owned)
    } else {
        Ok(Cow::Borrowed(inner))
    }
}

/// The offset just behind the string whose opening quote is at `start`.
pub(super) fn end(bytes: &[u8], start: usize) -> Result<usize, JsonError> {
    let mut at = start + 1;
    loop {
        at = plain_run(bytes, at);
        match bytes.get(at) {
            Some(b'"') => return Ok(at + 1),
            Some(b'\\') => at = escape_end(bytes, at)?,
            Some(_) => {
                return Err(JsonError {
                    at,
                    kind: JsonErrorKind::Control,
                });
            }
            None => {
                return Err(JsonError {
                    at,
                    kind: JsonErrorKind::Ends,
                });
            }
        }
    }
}

/// The offset of the next quote, backslash or control character at or after `at`, or the length.
///
/// Payloads are mostly string content, so this loop is where decoding spends its time: eight bytes a step.
fn plain_run(bytes: &[u8], mut at: usize) -> usize {
    while let Some(chunk) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*chunk);
        let quote = word ^ (ONES * b'"' as u64);
        let slash = word ^ (ONES * b'\\' as u64);
        // A byte that is zero (or, for the last term, below 0x20) borrows into its high bit; a byte above it
        // may be flagged falsely by that borrow, the lowest flagged one never is.
        let flags = (quote.wrapping_sub(ONES) & !quote
            | slash.wrapping_sub(ONES) & !slash
            | word.wrapping_sub(ONES * 0x20) & !word)
            & HIGHS;
        if flags != 0 {
            return at + (flags.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while bytes
        .get(at)
        .is_some_and(|&byte| byte >= 0x20 && byte != b'"' && byte != b'\\')
    {
        at += 1;
    }
    at
}

/// The offset just behind the escape whose backslash is at `at`.
fn escape_end(bytes: &[u8], at: usize) -> Result<usize, JsonError> {
    match bytes.get(at + 1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
        Some(b'u') => match bytes.get(at + 2..at + 6) {
            Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => Ok(at + 6),
            Some(_) => Err(JsonError {
                at,
                kind: JsonErrorKind::Escape,
            }),
            None => Err(JsonError {
                at,
                kind: JsonErrorKind::Ends,
            }),
        },
        Some(_) => Err(JsonError {
            at,
            kind: JsonErrorKind::Escape,
        }),
        None => Err(JsonError {
            at,
            kind: JsonErrorKind::Ends,
        }),
    }
}

/// Resolves the escapes of `inner`, the grammatical content of a string that begins at `base` of its text.
fn unescape(inner: &str, base: usize) -> Result<String, JsonError> {
    // An escape is never shorter than what it stands for.
    let mut out = String::with_capacity(inner.len());
    let mut at = 0;
    while let Some(run) = inner[at..].find('\\') {
        out.push_str(&inner[at..at + run]);
        at += run;
        let plain = match inner.as_bytes()[at + 1] {
            b'u' => {
                let (character, length) = unicode_escape(&inner[at..]).ok_or(JsonError {
                    at: base + at,
                    kind: JsonErrorKind::LoneSurrogate,
                })?;
                out.push(character);
                at += length;
                continue;
            }
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            itself => char::from(itself),
        };
        out.push(plain);
        at += 2;
    }
    out.push_str(&inner[at..]);
    Ok(out)
}

/// The character of the `\uXXXX` or `\uXXXX\uXXXX` that `text` begins with, and how long that escape is.
fn unicode_escape(text: &str) -> Option<(char, usize)> {
    let first = code_unit(text)?;
    match first {
        0xD800..0xDC00 => {
            let second = code_unit(&text[6..]).filter(|unit| (0xDC00..0xE000).contains(unit))?;
            let scalar = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
            char::from_u32(scalar).map(|character| (character, 12))
        }
        _ => char::from_u32(first).map(|character| (character, 6)),
    }
}

fn code_unit(text: &str) -> Option<u32> {
    text.strip_prefix("\\u")
        .and_then(|rest| u32::from_str_radix(rest.get(..4)?, 16).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_escaped_is_borrowed() {
        assert!(matches!(unquote(" \"héllo 😀\" "), Ok(Cow::Borrowed("héllo 😀"))));
        assert!(matches!(unquote("\"\""), Ok(Cow::Borrowed(""))));
    }

    #[test]
    fn every_escape_is_resolved() {
        let raw = r#""\"\\\/\b\f\n\r\t\u0041\u00e9\u4e2d\uD83D\uDE00\u0000z""#;
        assert_eq!(unquote(raw).as_deref(), Ok("\"\\/\u{8}\u{c}\n\r\tAé中😀\0z"));
    }

    #[test]
    fn characters_at_the_bounds_of_the_surrogates_are_resolved() {
        for character in [
            '\u{d7ff}',
            '\u{e000}',
            '\u{ffff}',
            '\u{10000}',
            '\u{103ff}',
            '\u{10fc00}',
            '\u{10ffff}',
        ] {
            let mut units = [0; 2];
            let escaped: String = character
                .encode_utf16(&mut units)
                .iter()
                .map(|unit| format!("\\u{unit:04x}"))
                .collect();
            assert_eq!(
                unquote(&format!("\"{escaped}\"")),
                Ok(Cow::Owned(character.to_string())),
                "{escaped}"
            );
        }
    }

    #[test]
    fn half_a_surrogate_pair_is_refused_where_it_stands() {
        for raw in [
            r#""a\ud83d""#,
            r#""a\ud83dx""#,
            r#""a\ud83d\n""#,
            r#""a\ud83d\u0041""#,
            r#""a\ude00""#,
            r#""a\ud83d\ud83d""#,
        ] {
            assert_eq!(
                unquote(raw),
                Err(JsonError {
                    at: 2,
                    kind: JsonErrorKind::LoneSurrogate
                }),
                "{raw}"
            );
        }
    }

    #[test]
    fn a_run_stops_at_the_first_special_byte_wherever_it_stands() {
        for special in [b'"', b'\\', 0, 0x1f] {
            for at in 0..40 {
                for fill in [b' ', b'!', b'#', b'[', b']', 0x7f, 0x80, 0xff] {
                    let mut bytes = vec![fill; 40];
                    bytes[at] = special;
                    assert_eq!(plain_run(&bytes, 0), at);
                    assert_eq!(plain_run(&bytes[..at], 0), at);
                }
            }
        }
    }
}
