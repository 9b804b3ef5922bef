//! JSON as text: is it well formed, where does a value end, what does this string say.
//!
//! The codecs pass payloads through unparsed, so all they need of JSON is its grammar (RFC 8259). Nothing
//! here builds a value: every answer is a slice of the input. The native server and the app read fields with
//! `serde_json` afterwards, the browser face with `JSON.parse`. Writing JSON is [`crate::json`].
//!
//! One deliberate difference from a value parser: an escaped lone surrogate (`"\ud83d"`, what JavaScript makes
//! of half an emoji) and a number beyond a double (`1e999`) are within the grammar and pass. Refusing them
//! here would close the connection over a payload that nobody on the way needs to understand.
//! [`unquote`] refuses the surrogate, because no Rust string can hold it.

mod error;
mod items;
mod string;

pub use error::{JsonError, JsonErrorKind};
pub use items::{Elements, Entries, elements, entries};
pub use string::unquote;

/// How many arrays and objects may be nested in one text.
///
/// The same bound as `serde_json`'s default, so a text that passes here can be read there.
pub const MAX_DEPTH: usize = 127;

/// Checks that `text` is exactly one JSON value and returns it without the white space around it.
///
/// # Errors
/// The first offence against RFC 8259, or nesting beyond [`MAX_DEPTH`].
pub fn value(text: &str) -> Result<&str, JsonError> {
    let mut cursor = Cursor::new(text);
    let value = cursor.value()?;
    cursor.end()?;
    Ok(value)
}

/// The non-negative integer that a JSON number text spells without fraction or exponent.
///
/// `None` for everything else, also for integers above `u64::MAX`.
#[must_use]
pub fn integer(raw: &str) -> Option<u64> {
    let digits = raw.bytes().all(|byte| byte.is_ascii_digit());
    if digits && (raw.len() == 1 || !raw.starts_with('0')) {
        raw.parse().ok()
    } else {
        None
    }
}

/// A position in a text that moves over whole JSON tokens.
///
/// Invariant: `at` is a character boundary of `text`; it only ever stops beside an ASCII byte or at an end.
#[derive(Debug, Clone)]
pub(crate) struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    pub(crate) fn error(&self, kind: JsonErrorKind) -> JsonError {
        JsonError { at: self.at, kind }
    }

    pub(crate) fn skip_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    /// Skips white space and takes `byte` if it comes next.
    pub(crate) fn take(&mut self, byte: u8) -> bool {
        self.skip_space();
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// Only white space may be left.
    pub(crate) fn end(&mut self) -> Result<(), JsonError> {
        self.skip_space();
        if self.at == self.text.len() {
            Ok(())
        } else {
            Err(self.error(JsonErrorKind::TrailingText))
        }
    }

    /// Skips white space, then one value; returns the value's own text.
    ///
    /// Iterative, so that nesting costs a bit of a `u128` and not a stack frame of the caller.
    pub(crate) fn value(&mut self) -> Result<&'a str, JsonError> {
        self.skip_space();
        let start = self.at;
        // Which of the open levels are objects; `depth` is their number.
        let (mut objects, mut depth) = ([false; MAX_DEPTH], 0);
        loop {
            self.skip_space();
            match self.peek() {
                Some(open @ (b'{' | b'[')) => {
                    if depth == MAX_DEPTH {
                        return Err(self.error(JsonErrorKind::TooDeep));
                    }
                    self.at += 1;
                    let object = open == b'{';
                    if !self.take(if object { b'}' } else { b']' }) {
                        objects[depth] = object;
                        depth += 1;
                        if object {
                            self.key()?;
                        }
                        continue;
                    }
                }
                _ => self.scalar()?,
            }
            loop {
                if depth == 0 {
                    return Ok(&self.text[start..self.at]);
                }
                let object = objects[depth - 1];
                if self.take(b',') {
                    if object {
                        self.key()?;
                    }
                    break;
                }
                if !self.take(if object { b'}' } else { b']' }) {
                    return Err(self.unexpected());
                }
                depth -= 1;
            }
        }
    }

    /// Skips a string, with white space before it; returns it with its quotes.
    pub(crate) fn string(&mut self) -> Result<&'a str, JsonError> {
        self.skip_space();
        if self.peek() != Some(b'"') {
            return Err(self.unexpected());
        }
        let start = self.at;
        self.at = string::end(self.text.as_bytes(), start)?;
        Ok(&self.text[start..self.at])
    }

    /// Skips an object's key and the colon after it; returns the key with its quotes.
    pub(crate) fn key(&mut self) -> Result<&'a str, JsonError> {
        let key = self.string()?;
        if self.take(b':') {
            Ok(key)
        } else {
            Err(self.unexpected())
        }
    }

    /// What stands here cannot stand here; at the end of the text, something is missing.
    pub(crate) fn unexpected(&self) -> JsonError {
        self.error(match self.peek() {
            Some(_) => JsonErrorKind::Unexpected,
            None => JsonErrorKind::Ends,
        })
    }

    fn scalar(&mut self) -> Result<(), JsonError> {
        match self.peek() {
            Some(b'"') => {
                self.at = string::end(self.text.as_bytes(), self.at)?;
                Ok(())
            }
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.literal("true"),
            Some(b'f') => self.literal("false"),
            Some(b'n') => self.literal("null"),
            _ => Err(self.unexpected()),
        }
    }

    fn literal(&mut self, word: &str) -> Result<(), JsonError> {
        if !self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            return Err(self.error(JsonErrorKind::Unexpected));
        }
        self.at += word.len();
        Ok(())
    }

    fn number(&mut self) -> Result<(), JsonError> {
        self.at += usize::from(self.peek() == Some(b'-'));
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        // `01` is two numbers side by side: the caller finds the second where a comma or an end should be.
        Ok(())
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at == start {
            Err(self.error(JsonErrorKind::Number))
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(text: &str) -> JsonErrorKind {
        value(text).expect_err(text).kind
    }

    #[test]
    fn values_of_every_kind_are_returned_without_the_space_around_them() {
        for text in [
            "null",
            "true",
            "false",
            "0",
            "-0.5e+10",
            "\"é\\u00e9\"",
            "[]",
            "{}",
            "[1 , {\"a\" : [ ]}]",
        ] {
            assert_eq!(value(&format!(" \r\n\t{text} ")), Ok(text));
        }
    }

    #[test]
    fn offences_are_named_and_located() {
        assert_eq!(kind(""), JsonErrorKind::Ends);
        assert_eq!(kind("[1,"), JsonErrorKind::Ends);
        assert_eq!(kind("{\"a\""), JsonErrorKind::Ends);
        assert_eq!(kind("\"abc"), JsonErrorKind::Ends);
        assert_eq!(kind("[1}"), JsonErrorKind::Unexpected);
        assert_eq!(kind("{\"a\":1]"), JsonErrorKind::Unexpected);
        assert_eq!(kind("[,]"), JsonErrorKind::Unexpected);
        assert_eq!(kind("[1,]"), JsonErrorKind::Unexpected);
        assert_eq!(kind("{a:1}"), JsonErrorKind::Unexpected);
        assert_eq!(kind("tru"), JsonErrorKind::Unexpected);
        assert_eq!(kind("01"), JsonErrorKind::TrailingText);
        assert_eq!(kind("1 2"), JsonErrorKind::TrailingText);
        assert_eq!(kind("1."), JsonErrorKind::Number);
        assert_eq!(kind("-"), JsonErrorKind::Number);
        assert_eq!(kind("1e+"), JsonErrorKind::Number);
        assert_eq!(kind("\"\\x\""), JsonErrorKind::Escape);
        assert_eq!(kind("\"\\u12g4\""), JsonErrorKind::Escape);
        assert_eq!(kind("\"a\nb\""), JsonErrorKind::Control);
        assert_eq!(value("[1, x]").expect_err("x is no value").at, 4);
    }

    #[test]
    fn nesting_is_allowed_to_the_bound_and_not_beyond() {
        let nested = |open: &str, close: &str, depth: usize| open.repeat(depth) + "1" + &close.repeat(depth);
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let deepest = nested(open, close, MAX_DEPTH);
            assert_eq!(value(&deepest), Ok(deepest.as_str()));
            assert_eq!(kind(&nested(open, close, MAX_DEPTH + 1)), JsonErrorKind::TooDeep);
        }
    }

    #[test]
    fn integers_are_digits_alone() {
        assert_eq!(integer("0"), Some(0));
        assert_eq!(integer("18446744073709551615"), Some(u64::MAX));
        for text in ["18446744073709551616", "-1", "1.0", "1e3", "01", "", "\"1\""] {
            assert_eq!(integer(text), None, "{text}");
        }
    }
}
