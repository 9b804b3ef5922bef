//! A text of somebody else inside of a sentence of ours.

use std::borrow::Cow;

/// The characters that turn the direction of all that stands behind them (Unicode TR 9, explicit formatting).
const TURNING: [char; 9] = [
    '\u{202a}', '\u{202b}', '\u{202c}', '\u{202d}', '\u{202e}', '\u{2066}', '\u{2067}', '\u{2068}',
    '\u{2069}',
];

/// The text without what would turn the words behind it around: a name must not rewrite the sentence it is in.
#[must_use]
pub(crate) fn level(text: &str) -> Cow<'_, str> {
    if text.contains(TURNING) {
        Cow::Owned(text.replace(TURNING, ""))
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FAULTS 63.
    #[test]
    fn what_turns_direction_is_left_out_and_letters_of_any_direction_stay() {
        assert_eq!(level("\u{202e}gpj\u{2066}.exe"), "gpj.exe");
        for text in ["Alice", "王芳", "שרה", "😀\u{200d}😀"] {
            assert_eq!(level(text), text);
        }
    }
}
