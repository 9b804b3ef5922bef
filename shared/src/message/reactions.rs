//! Who reacted to a message, with what (SPEC §4).

use serde::{Deserialize, Serialize};

use crate::id::UserId;
use crate::json;
use crate::sorted::SortedMap;

/// Most different emoji on one message: what a row under a message shows.
pub const EMOJI: usize = 20;
/// Most reactions on one message, all emoji together. They travel with every copy of the message, so they may not
/// grow with the channel.
pub const REACTIONS: usize = 200;
/// Most bytes of one emoji: the longest joined sequences of Unicode have 35, and short names (`:tada:`) fit too.
pub const EMOJI_BYTES: usize = 64;

/// Users by emoji, in the order in which they reacted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Reactions(SortedMap<String, Vec<UserId>>);

/// A message has as many reactions as it may have: [`EMOJI`], [`REACTIONS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany;

impl Reactions {
    /// Sets or takes back one user's reaction; doing it twice is no fault.
    ///
    /// # Errors
    /// Where the message has as many as it may have.
    pub fn set(&mut self, emoji: &str, user: &UserId, on: bool) -> Result<(), TooMany> {
        if !on {
            if let Some(users) = self.0.get_mut(emoji) {
                users.retain(|one| one != user);
                if users.is_empty() {
                    self.0.remove(emoji);
                }
            }
            return Ok(());
        }
        if self.of(emoji).contains(user) {
            return Ok(());
        }
        let all: usize = self.0.values().map(Vec::len).sum();
        if all >= REACTIONS || (self.0.len() >= EMOJI && !self.0.contains_key(emoji)) {
            return Err(TooMany);
        }
        match self.0.get_mut(emoji) {
            Some(users) => users.push(user.clone()),
            None => {
                self.0.insert(emoji.to_owned(), vec![user.clone()]);
            }
        }
        Ok(())
    }

    /// Takes back all reactions of a user.
    pub fn forget(&mut self, user: &UserId) {
        self.0.retain(|_, users| {
            users.retain(|one| one != user);
            !users.is_empty()
        });
    }

    /// Whether a user has reacted.
    #[must_use]
    pub fn include(&self, user: &UserId) -> bool {
        self.0.values().any(|users| users.contains(user))
    }

    /// Who reacted with this emoji.
    #[must_use]
    pub fn of(&self, emoji: &str) -> &[UserId] {
        self.0.get(emoji).map_or(&[], Vec::as_slice)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes of the emoji and ids.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        let users = |users: &Vec<UserId>| users.iter().map(|user| user.as_str().len()).sum::<usize>();
        self.0.iter().map(|(emoji, ids)| emoji.len() + users(ids)).sum()
    }

    /// Appends `{emoji: [userId…]}`.
    pub fn write_json(&self, out: &mut String) {
        let mut object = json::Object::open(out);
        for (emoji, users) in self.0.iter() {
            object = object.list(emoji, users, |out, user| json::write_str(out, user.as_str()));
        }
        object.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(n: usize) -> UserId {
        UserId::new(&format!("u{n}"))
    }

    #[test]
    fn a_reaction_stands_once_and_goes_when_it_is_taken_back() {
        let mut reactions = Reactions::default();
        for on in [true, true] {
            reactions.set("👍", &user(1), on).unwrap();
        }
        reactions.set("👍", &user(2), true).unwrap();
        assert_eq!(reactions.of("👍"), [user(1), user(2)]);
        let mut json = String::new();
        reactions.write_json(&mut json);
        assert_eq!(json, r#"{"👍":["u1","u2"]}"#);
        assert_eq!(serde_json::from_str::<Reactions>(&json).unwrap(), reactions);
        for n in [1, 2, 3] {
            reactions.set("👍", &user(n), false).unwrap();
        }
        assert!(reactions.is_empty());
    }

    #[test]
    fn who_is_forgotten_has_reacted_to_nothing_and_others_have() {
        let mut reactions = Reactions::default();
        for (emoji, n) in [("👍", 1), ("👍", 2), ("🎉", 1)] {
            reactions.set(emoji, &user(n), true).unwrap();
        }
        assert!(reactions.include(&user(1)));
        reactions.forget(&user(1));
        assert!(!reactions.include(&user(1)));
        let mut json = String::new();
        reactions.write_json(&mut json);
        assert_eq!(json, r#"{"👍":["u2"]}"#);
    }

    #[test]
    fn they_do_not_grow_without_bound() {
        let mut reactions = Reactions::default();
        for n in 0..EMOJI {
            reactions.set(&format!("e{n}"), &user(1), true).unwrap();
        }
        assert_eq!(reactions.set("another", &user(1), true), Err(TooMany));
        for n in 1..=REACTIONS - EMOJI {
            reactions.set("e0", &user(n + 1), true).unwrap();
        }
        assert_eq!(reactions.set("e0", &user(9_999), true), Err(TooMany));
        reactions.set("e1", &user(1), false).unwrap();
        assert_eq!(reactions.set("e0", &user(9_999), true), Ok(()));
    }
}
