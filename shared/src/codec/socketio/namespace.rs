//! Namespaces: the streams that share one connection.

use super::DecodeError;

/// The name of a namespace.
///
/// Invariant: begins with `/`; has no comma, which ends it on the wire, and no control character, which
/// could part a long-polling payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Namespace<'a>(&'a str);

impl<'a> Namespace<'a> {
    /// The main namespace, which the wire leaves out.
    pub const MAIN: Namespace<'static> = Namespace("/");

    /// # Errors
    /// [`DecodeError::Namespace`] when the name cannot travel.
    pub fn parse(name: &'a str) -> Result<Self, DecodeError> {
        let fits = name.starts_with('/') && !name.bytes().any(|byte| byte == b',' || byte.is_ascii_control());
        if fits {
            Ok(Self(name))
        } else {
            Err(DecodeError::Namespace)
        }
    }

    /// The name, with its `/`.
    #[must_use]
    pub fn as_str(self) -> &'a str {
        self.0
    }

    /// Whether it is [`Namespace::MAIN`].
    #[must_use]
    pub fn is_main(self) -> bool {
        self.0 == "/"
    }
}

impl Default for Namespace<'_> {
    fn default() -> Self {
        Self::MAIN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_cannot_travel_are_refused() {
        assert!(Namespace::parse("/").is_ok_and(Namespace::is_main));
        assert_eq!(
            Namespace::parse("/админ-1").map(Namespace::as_str),
            Ok("/админ-1")
        );
        for name in ["", "admin", "/a,b", "/a\u{1e}b", "/a\n"] {
            assert_eq!(Namespace::parse(name), Err(DecodeError::Namespace), "{name:?}");
        }
    }
}
