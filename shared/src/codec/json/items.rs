//! The items of one array or object as slices of its text, one level deep.

use super::{Cursor, JsonError};

/// Iterates over the elements of the array `text`, each as its raw text.
///
/// Lazy: an error shows when the iteration reaches it, and is the last item. An iteration that ended without
/// one has checked the whole text.
///
/// # Errors
/// When `text` does not begin with an array.
pub fn elements(text: &str) -> Result<Elements<'_>, JsonError> {
    Items::open(text, b'[').map(Elements)
}

/// Iterates over the members of the object `text`, each as its key (raw, with quotes) and its raw value.
///
/// Lazy like [`elements`]. A key may come more than once; the last one counts, as in `JSON.parse`.
///
/// # Errors
/// When `text` does not begin with an object.
pub fn entries(text: &str) -> Result<Entries<'_>, JsonError> {
    Items::open(text, b'{').map(Entries)
}

/// See [`elements`].
#[derive(Debug, Clone)]
pub struct Elements<'a>(Items<'a>);

/// See [`entries`].
#[derive(Debug, Clone)]
pub struct Entries<'a>(Items<'a>);

impl<'a> Iterator for Elements<'a> {
    type Item = Result<&'a str, JsonError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next_with(b']', Cursor::value)
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<(&'a str, &'a str), JsonError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0
            .next_with(b'}', |cursor| Ok((cursor.key()?, cursor.value()?)))
    }
}

#[derive(Debug, Clone)]
struct Items<'a> {
    cursor: Cursor<'a>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    BeforeFirst,
    AfterItem,
    Over,
}

impl<'a> Items<'a> {
    fn open(text: &'a str, bracket: u8) -> Result<Self, JsonError> {
        let mut cursor = Cursor::new(text);
        if cursor.take(bracket) {
            Ok(Self {
                cursor,
                state: State::BeforeFirst,
            })
        } else {
            Err(cursor.unexpected())
        }
    }

    fn next_with<T>(
        &mut self,
        close: u8,
        item: impl FnOnce(&mut Cursor<'a>) -> Result<T, JsonError>,
    ) -> Option<Result<T, JsonError>> {
        let state = std::mem::replace(&mut self.state, State::Over);
        if state == State::Over {
            return None;
        }
        if self.cursor.take(close) {
            return self.cursor.end().err().map(Err);
        }
        if state == State::AfterItem && !self.cursor.take(b',') {
            return Some(Err(self.cursor.unexpected()));
        }
        let item = item(&mut self.cursor);
        if item.is_ok() {
            self.state = State::AfterItem;
        }
        Some(item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_the_raw_texts_between_the_commas() {
        let found: Result<Vec<_>, _> = elements(" [ 1 ,\"a,]\", {\"b\":[2,3]} ] ")
            .expect("an array")
            .collect();
        assert_eq!(found, Ok(vec!["1", "\"a,]\"", "{\"b\":[2,3]}"]));
        assert_eq!(elements("[ ]").expect("an array").count(), 0);
    }

    #[test]
    fn entries_are_keys_and_raw_values() {
        let found: Result<Vec<_>, _> = entries("{\"a\" : 1, \"\\u0062\":{\"c\":null}}")
            .expect("an object")
            .collect();
        assert_eq!(found, Ok(vec![("\"a\"", "1"), ("\"\\u0062\"", "{\"c\":null}")]));
    }

    #[test]
    fn a_fault_is_the_last_item() {
        for text in ["[1 2]", "[1,]", "[1", "[1]2", "[1,,2]"] {
            let found: Vec<_> = elements(text).expect("an array").collect();
            assert!(found[..found.len() - 1].iter().all(Result::is_ok), "{text}");
            assert!(found[found.len() - 1].is_err(), "{text}");
        }
        assert!(elements("{}").is_err());
        assert!(entries("[]").is_err());
        assert!(
            entries("{1:2}")
                .expect("an object")
                .next()
                .expect("an item")
                .is_err()
        );
    }
}
