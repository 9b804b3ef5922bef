//! Names of users by id.

use std::collections::HashMap;

use bmt_shared::id::UserId;

/// Names kept: about as many as the subscribers of one large channel (SPEC §3); more show their id.
const MAX_NAMES: usize = 10_000;
/// Characters of a name that are kept: as many as the server takes. A message may claim a name as long as itself.
const NAME_CHARACTERS: usize = 128;
/// Tones an avatar may have.
pub(crate) const TONES: u32 = 6;

/// Where a name comes from. A later source outranks an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    /// The author's own message: anybody may write anything there.
    Claimed,
    /// The server: presence, or the connection's own user.
    Server,
}

/// Names of users.
#[derive(Clone, Debug, Default)]
pub(crate) struct People(HashMap<UserId, (Source, String)>);

impl People {
    /// Learns a name.
    pub(crate) fn learn(&mut self, user: &UserId, name: &str, source: Source) {
        let name = match name.char_indices().nth(NAME_CHARACTERS) {
            Some((end, _)) => &name[..end],
            None => name,
        };
        if let Some((known, old)) = self.0.get_mut(user) {
            if source >= *known {
                *known = source;
                if old != name {
                    name.clone_into(old);
                }
            }
        } else if self.0.len() < MAX_NAMES && !name.is_empty() {
            self.0.insert(user.clone(), (source, name.to_owned()));
        }
    }

    /// A user's name; the id where none is known.
    #[must_use]
    pub(crate) fn name<'a>(&'a self, user: &'a UserId) -> &'a str {
        self.0.get(user).map_or(user.as_str(), |(_, name)| name)
    }
}

/// The letter or character that stands for a name in an avatar.
#[must_use]
pub(crate) fn initial(name: &str) -> String {
    let first = name.chars().find(|c| c.is_alphanumeric());
    first.map_or_else(|| "?".to_owned(), |c| c.to_uppercase().collect())
}

/// A user's tone, always the same: 0 to [`TONES`] − 1.
#[must_use]
pub(crate) fn tone(user: &UserId) -> u32 {
    // FNV-1a: spreads ids that differ in one character.
    let hash = user.as_str().bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    (hash >> 8) % TONES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_outranks_what_somebody_says_about_themself() {
        let mut people = People::default();
        let user = UserId::new("u1");
        assert_eq!(people.name(&user), "u1");
        people.learn(&user, "Ally", Source::Claimed);
        people.learn(&user, "Alice", Source::Server);
        people.learn(&user, "admin", Source::Claimed);
        assert_eq!(people.name(&user), "Alice");
    }

    #[test]
    fn of_an_endless_name_the_beginning_is_kept() {
        let mut people = People::default();
        let user = UserId::new("u1");
        people.learn(&user, &"😀".repeat(10_000), Source::Claimed);
        assert_eq!(people.name(&user).chars().count(), NAME_CHARACTERS);
    }

    #[test]
    fn an_initial_is_the_first_letter_of_any_script() {
        assert_eq!(initial("alice"), "A");
        assert_eq!(initial("(王芳)"), "王");
        assert_eq!(initial("…"), "?");
    }
}
