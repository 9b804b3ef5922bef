//! Channel names: `namespace:segment(:segment)*`, or one bare segment (SPEC §3).

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Most bytes a channel name may have (SPEC §3).
pub const MAX_NAME_BYTES: usize = 255;
/// Most bytes one segment of a channel name may have (SPEC §3).
pub const MAX_SEGMENT_BYTES: usize = 128;
/// The namespace in which a name without a colon lives (SPEC §3).
pub const BARE_NAMESPACE: &str = "bare";

/// A channel's name, known to be well formed.
///
/// Invariant: 1–255 bytes, segments of 1–128 bytes out of `[A-Za-z0-9_-]` joined by single colons.
/// The text is shared, so a clone costs a reference count.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChannelName(Arc<str>);

/// Why a text is not a channel name. The server answers it with `invalid_message`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelNameError {
    /// The name, or one of its segments, has no characters.
    Empty,
    /// The name is longer than [`MAX_NAME_BYTES`] or a segment than [`MAX_SEGMENT_BYTES`].
    TooLong,
    /// A character outside `[A-Za-z0-9_-]` stands in a segment.
    BadCharacter(char),
}

impl fmt::Display for ChannelNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "a channel name needs at least one character in every segment"),
            Self::TooLong => {
                write!(
                    f,
                    "a channel name has at most {MAX_NAME_BYTES} bytes, each segment at most {MAX_SEGMENT_BYTES}"
                )
            }
            Self::BadCharacter(c) => write!(
                f,
                "a channel name is made of letters, digits, `_`, `-` and `:` between segments; `{c}` is none of them"
            ),
        }
    }
}

impl std::error::Error for ChannelNameError {}

impl ChannelName {
    /// Reads a name by the full grammar. The one door in.
    pub fn parse(name: &str) -> Result<Self, ChannelNameError> {
        if name.len() > MAX_NAME_BYTES {
            return Err(ChannelNameError::TooLong);
        }
        for segment in name.split(':') {
            check_segment(segment)?;
        }
        Ok(Self(Arc::from(name)))
    }

    /// The name as it stands on the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first segment, or [`BARE_NAMESPACE`] where the name has only one.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.0
            .split_once(':')
            .map_or(BARE_NAMESPACE, |(namespace, _)| namespace)
    }

    /// All segments in order, the namespace included.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split(':')
    }

    /// The segment after the namespace: the id in `user:<id>` and `document:<id>:changes`.
    #[must_use]
    pub fn owner(&self) -> Option<&str> {
        self.0.split(':').nth(1)
    }
}

fn check_segment(segment: &str) -> Result<(), ChannelNameError> {
    if segment.is_empty() {
        return Err(ChannelNameError::Empty);
    }
    if let Some(bad) = segment
        .chars()
        .find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-')))
    {
        return Err(ChannelNameError::BadCharacter(bad));
    }
    if segment.len() > MAX_SEGMENT_BYTES {
        return Err(ChannelNameError::TooLong);
    }
    Ok(())
}

/// The strict form of the first protocol version, `^(public|private|user|system):[a-zA-Z0-9_-]+$` (SPEC §3).
///
/// Applications check their own names with it; the server accepts the full grammar.
#[must_use]
pub fn validate_channel_name(name: &str) -> bool {
    name.split_once(':').is_some_and(|(kind, rest)| {
        matches!(kind, "public" | "private" | "user" | "system")
            && !rest.is_empty()
            && rest
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
    })
}

impl fmt::Display for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl Borrow<str> for ChannelName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl Serialize for ChannelName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ChannelName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Self::parse(&name).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_grammar_accepts_bare_and_many_segments() {
        for name in [
            "lobby",
            "public:chat",
            "user:12:notifications",
            "document:a-b_c:changes",
            "chat-room-1",
        ] {
            assert_eq!(ChannelName::parse(name).unwrap().as_str(), name);
        }
    }

    #[test]
    fn malformed_names_say_why() {
        assert_eq!(ChannelName::parse(""), Err(ChannelNameError::Empty));
        assert_eq!(ChannelName::parse("public:"), Err(ChannelNameError::Empty));
        assert_eq!(ChannelName::parse("a::b"), Err(ChannelNameError::Empty));
        assert_eq!(
            ChannelName::parse("public:a b"),
            Err(ChannelNameError::BadCharacter(' '))
        );
        assert_eq!(
            ChannelName::parse("public:频道"),
            Err(ChannelNameError::BadCharacter('频'))
        );
        assert_eq!(
            ChannelName::parse(&"a".repeat(129)),
            Err(ChannelNameError::TooLong)
        );
        assert_eq!(
            ChannelName::parse(&"a:".repeat(200)),
            Err(ChannelNameError::TooLong)
        );
    }

    #[test]
    fn a_bare_name_lives_in_the_bare_namespace() {
        assert_eq!(ChannelName::parse("lobby").unwrap().namespace(), "bare");
        assert_eq!(ChannelName::parse("user:12:x").unwrap().owner(), Some("12"));
    }

    #[test]
    fn strict_form_is_the_first_protocol_version() {
        assert!(validate_channel_name("public:notifications"));
        assert!(!validate_channel_name("document:x"));
        assert!(!validate_channel_name("user:1:2"));
        assert!(!validate_channel_name("public:"));
    }
}
