//! The data of an event: a JSON array of its name and its arguments.

use std::borrow::Cow;

use super::DecodeError;
use crate::codec::json::{self, Elements};

/// Names that the library uses for its own events on either side. No peer may send them: a client that
/// believed a `disconnect` event would drop its connection.
pub const RESERVED_EVENTS: [&str; 6] = [
    "connect",
    "connect_error",
    "disconnect",
    "disconnecting",
    "newListener",
    "removeListener",
];

/// The parts of an event's data.
#[derive(Debug, Clone)]
pub struct Event<'a> {
    /// The name; a name that is a number keeps its spelling.
    pub name: Cow<'a, str>,
    /// The raw JSON text of each argument. On data of a decoded packet no item is an error.
    pub args: Elements<'a>,
}

impl PartialEq for Event<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.args.clone().eq(other.args.clone())
    }
}

/// Splits the data of an event into its name and its arguments.
///
/// # Errors
/// When `data` is no array that begins with a name that may be sent. Errors behind the name come out of
/// [`Event::args`].
pub fn split_event(data: &str) -> Result<Event<'_>, DecodeError> {
    let mut args = json::elements(data).map_err(|_| DecodeError::DataShape("an array"))?;
    let raw = args.next().ok_or(DecodeError::EventName)??;
    let name = match raw.as_bytes() {
        [b'"', ..] => json::unquote(raw)?,
        [b'-' | b'0'..=b'9', ..] => Cow::Borrowed(raw),
        _ => return Err(DecodeError::EventName),
    };
    if RESERVED_EVENTS.contains(&&*name) {
        Err(DecodeError::ReservedEvent)
    } else {
        Ok(Event { name, args })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_raw_arguments_come_apart() {
        let event = split_event(r#" [ "caf\u00e9" , {"a":[1,"]"]} ,null] "#).expect("an event");
        assert_eq!(event.name, "café");
        assert_eq!(
            event.args.collect::<Result<Vec<_>, _>>(),
            Ok(vec![r#"{"a":[1,"]"]}"#, "null"])
        );
        assert_eq!(
            split_event("[12]").map(|event| event.name),
            Ok(Cow::Borrowed("12"))
        );
    }

    #[test]
    fn data_without_a_sendable_name_is_refused() {
        for (data, error) in [
            ("{}", DecodeError::DataShape("an array")),
            ("[]", DecodeError::EventName),
            ("[null]", DecodeError::EventName),
            ("[[\"a\"]]", DecodeError::EventName),
            ("[\"disconnect\"]", DecodeError::ReservedEvent),
            ("[\"\\u0063onnect\"]", DecodeError::ReservedEvent),
        ] {
            assert_eq!(split_event(data).err(), Some(error), "{data}");
        }
        assert!(matches!(split_event("[\"\\ud83d\"]"), Err(DecodeError::Json(_))));
    }
}
