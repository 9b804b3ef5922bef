//! Why a text is not the JSON it should be.

use std::fmt;

/// The first place where a text breaks the grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JsonError {
    /// Offset in bytes from the start of the text that was given.
    pub at: usize,
    /// What is wrong there.
    pub kind: JsonErrorKind,
}

/// What is wrong with a JSON text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonErrorKind {
    /// The text ends inside a value.
    Ends,
    /// A character that cannot stand in this place.
    Unexpected,
    /// Something follows the value.
    TrailingText,
    /// A number without the digits it needs.
    Number,
    /// A backslash with something after it that is no escape.
    Escape,
    /// A control character inside a string that must be escaped.
    Control,
    /// Half of a surrogate pair, in a string that has to become text.
    LoneSurrogate,
    /// Nested deeper than [`MAX_DEPTH`](super::MAX_DEPTH).
    TooDeep,
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sentence = match self.kind {
            JsonErrorKind::Ends => "the JSON text ends inside a value",
            JsonErrorKind::Unexpected => "the JSON text has a character that cannot stand there",
            JsonErrorKind::TrailingText => "the JSON text goes on after its value",
            JsonErrorKind::Number => "a JSON number lacks digits",
            JsonErrorKind::Escape => "a JSON string has an unknown escape",
            JsonErrorKind::Control => "a JSON string has an unescaped control character",
            JsonErrorKind::LoneSurrogate => "a JSON string has half of a surrogate pair",
            JsonErrorKind::TooDeep => "the JSON text is nested deeper than 127 levels",
        };
        write!(f, "{sentence} (at byte {})", self.at)
    }
}

impl std::error::Error for JsonError {}
