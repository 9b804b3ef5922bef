//! The handshake: what the server tells a client about the session it opened.

use std::borrow::Cow;
use std::fmt;

use crate::codec::json::{self, JsonError};
use crate::json::{write_number, write_str};

/// The most entries of `upgrades` that are read; the protocol knows two transports besides long-polling.
const MAX_UPGRADES: usize = 8;

/// The content of an `open` packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handshake<'a> {
    /// The private id of the session: a query parameter of every further request, never shown to a person.
    pub sid: Cow<'a, str>,
    /// The transports that the session can be moved to.
    pub upgrades: Vec<Cow<'a, str>>,
    /// Time between two pings of the server, in milliseconds.
    pub ping_interval_ms: u64,
    /// How long a pong, or beyond the interval a ping, may take, in milliseconds.
    pub ping_timeout_ms: u64,
    /// The longest payload the server accepts, in bytes. Servers before 4.1 do not tell.
    pub max_payload_bytes: Option<u64>,
}

impl<'a> Handshake<'a> {
    /// Reads the JSON object of an `open` packet. Unknown fields are skipped; of a repeated one the last counts.
    ///
    /// # Errors
    /// When the text is no JSON object, or a field is missing or of another type.
    pub fn decode(text: &'a str) -> Result<Self, HandshakeError> {
        let [
            mut sid,
            mut upgrades,
            mut ping_interval,
            mut ping_timeout,
            mut max_payload,
        ] = [None; 5];
        for entry in json::entries(text)? {
            let (key, value) = entry?;
            let field = match json::unquote(key).as_deref() {
                Ok("sid") => &mut sid,
                Ok("upgrades") => &mut upgrades,
                Ok("pingInterval") => &mut ping_interval,
                Ok("pingTimeout") => &mut ping_timeout,
                Ok("maxPayload") => &mut max_payload,
                _ => continue,
            };
            *field = Some(value);
        }
        let sid = sid
            .and_then(|raw| json::unquote(raw).ok())
            .filter(|sid| !sid.is_empty());
        let milliseconds =
            |raw: Option<&str>, name| raw.and_then(json::integer).ok_or(HandshakeError::Field(name));
        Ok(Self {
            sid: sid.ok_or(HandshakeError::Field("sid"))?,
            upgrades: upgrades
                .and_then(strings)
                .ok_or(HandshakeError::Field("upgrades"))?,
            ping_interval_ms: milliseconds(ping_interval, "pingInterval")?,
            ping_timeout_ms: milliseconds(ping_timeout, "pingTimeout")?,
            max_payload_bytes: match max_payload {
                Some(raw) => Some(json::integer(raw).ok_or(HandshakeError::Field("maxPayload"))?),
                None => None,
            },
        })
    }

    /// The JSON object that [`decode`](Self::decode) reads.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut out = String::with_capacity(128);
        out.push_str("{\"sid\":");
        write_str(&mut out, &self.sid);
        out.push_str(",\"upgrades\":[");
        for (n, upgrade) in self.upgrades.iter().enumerate() {
            if n > 0 {
                out.push(',');
            }
            write_str(&mut out, upgrade);
        }
        out.push_str("],\"pingInterval\":");
        write_number(&mut out, self.ping_interval_ms);
        out.push_str(",\"pingTimeout\":");
        write_number(&mut out, self.ping_timeout_ms);
        if let Some(bytes) = self.max_payload_bytes {
            out.push_str(",\"maxPayload\":");
            write_number(&mut out, bytes);
        }
        out.push('}');
        out
    }
}

/// The strings of a JSON array of at most [`MAX_UPGRADES`].
fn strings(raw: &str) -> Option<Vec<Cow<'_, str>>> {
    let mut strings = Vec::new();
    for element in json::elements(raw).ok()? {
        if strings.len() == MAX_UPGRADES {
            return None;
        }
        strings.push(json::unquote(element.ok()?).ok()?);
    }
    Some(strings)
}

/// Why a handshake cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandshakeError {
    /// It is no JSON object.
    Json(JsonError),
    /// This field is missing or not of its type.
    Field(&'static str),
}

impl From<JsonError> for HandshakeError {
    fn from(error: JsonError) -> Self {
        Self::Json(error)
    }
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(error) => write!(f, "the Engine.IO handshake is not a JSON object: {error}"),
            Self::Field(name) => write!(f, "the Engine.IO handshake lacks a valid `{name}`"),
        }
    }
}

impl std::error::Error for HandshakeError {}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFICIAL: &str = r#"{"sid":"lv_VI97HAXpY6yYWAAAC","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;

    fn official() -> Handshake<'static> {
        Handshake {
            sid: "lv_VI97HAXpY6yYWAAAC".into(),
            upgrades: vec!["websocket".into()],
            ping_interval_ms: 25_000,
            ping_timeout_ms: 20_000,
            max_payload_bytes: Some(1_000_000),
        }
    }

    #[test]
    fn the_official_example_survives_both_ways() {
        assert_eq!(Handshake::decode(OFFICIAL), Ok(official()));
        assert_eq!(official().encode(), OFFICIAL);
    }

    #[test]
    fn order_space_escapes_and_unknown_fields_do_not_matter() {
        let text = r#" { "extra" : {"sid":"no","a":[{"pingInterval":1}]} , "pingTimeout":20000,"upgrades":["web\u0073ocket"],
            "p\u0069ngInterval":25000, "maxPayload" : 1000000, "sid":"old", "sid":"lv_VI97HAXpY6yYWAAA\u0043" } "#;
        assert_eq!(Handshake::decode(text), Ok(official()));
    }

    #[test]
    fn servers_that_do_not_tell_their_payload_limit_are_understood() {
        let text = OFFICIAL.replace(",\"maxPayload\":1000000", "");
        assert_eq!(
            Handshake::decode(&text),
            Ok(Handshake {
                max_payload_bytes: None,
                ..official()
            })
        );
    }

    #[test]
    fn a_missing_or_mistyped_field_is_named() {
        for (from, to, name) in [
            ("\"sid\"", "\"s\"", "sid"),
            ("\"lv_VI97HAXpY6yYWAAAC\"", "\"\"", "sid"),
            ("\"lv_VI97HAXpY6yYWAAAC\"", "null", "sid"),
            ("[\"websocket\"]", "\"websocket\"", "upgrades"),
            ("[\"websocket\"]", "[1]", "upgrades"),
            ("25000", "-1", "pingInterval"),
            ("20000", "\"20000\"", "pingTimeout"),
            ("1000000", "1e6", "maxPayload"),
        ] {
            let text = OFFICIAL.replacen(from, to, 1);
            assert_eq!(
                Handshake::decode(&text),
                Err(HandshakeError::Field(name)),
                "{text}"
            );
        }
        for text in ["", "[]", "{", "null", "{\"sid\":\"a\"}x"] {
            assert!(
                matches!(Handshake::decode(text), Err(HandshakeError::Json(_))),
                "{text}"
            );
        }
    }
}
