//! The raw WebSocket binding (SPEC §7): one envelope a text frame, or an array of them.

use std::borrow::Cow;
use std::fmt;

use super::json::{self, JsonError};
use crate::json::{write_number, write_str};

/// The most envelopes that one frame may hold: as many as a batch may have requests (SPEC §10).
pub const MAX_BATCH: usize = 200;

/// `{type, data, timestamp, messageId, sequence?, topic?, from?}`.
///
/// Reading, a field that is `null` counts as missing, unknown fields are skipped, and of a repeated field the
/// last counts. Writing, a missing field is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope<'a> {
    /// The field `type`: what `data` is.
    pub kind: Cow<'a, str>,
    /// Raw JSON; `null` where the sender left it out.
    pub data: &'a str,
    /// Milliseconds since the Unix epoch.
    pub timestamp: Option<u64>,
    /// The id of the request, of the request answered, or of the message carried.
    pub message_id: Option<Cow<'a, str>>,
    /// The message's seq.
    pub sequence: Option<u64>,
    /// The message's channel.
    pub topic: Option<Cow<'a, str>>,
    /// The id of the user the message is from.
    pub from: Option<Cow<'a, str>>,
    /// The publisher's own id of the message.
    pub client_message_id: Option<Cow<'a, str>>,
    /// The last seq before this one that the subscription was entitled to, where that is not `sequence − 1`.
    pub prev: Option<u64>,
    /// Whether the message's publisher waits for an `ack {id}`.
    pub require_delivery: bool,
}

impl<'a> Envelope<'a> {
    /// An envelope with its two first fields.
    #[must_use]
    pub fn new(kind: impl Into<Cow<'a, str>>, data: &'a str) -> Self {
        Self {
            kind: kind.into(),
            data,
            timestamp: None,
            message_id: None,
            sequence: None,
            topic: None,
            from: None,
            client_message_id: None,
            prev: None,
            require_delivery: false,
        }
    }

    /// Reads a text frame that holds one envelope.
    ///
    /// # Errors
    /// When the text is no JSON object, has no `type`, or a field is of another type.
    pub fn decode(text: &'a str) -> Result<Self, DecodeError> {
        let mut kind = None;
        let mut envelope = Self::new("", "null");
        for entry in json::entries(text).map_err(DecodeError::Json)? {
            let (key, value) = entry.map_err(DecodeError::Json)?;
            match json::unquote(key).as_deref() {
                Ok("type") => kind = string(value, "type")?,
                Ok("data") => envelope.data = value,
                Ok("timestamp") => envelope.timestamp = number(value, "timestamp")?,
                Ok("messageId") => envelope.message_id = string(value, "messageId")?,
                Ok("sequence") => envelope.sequence = number(value, "sequence")?,
                Ok("topic") => envelope.topic = string(value, "topic")?,
                Ok("from") => envelope.from = string(value, "from")?,
                // These come from servers only, and a client reads on whatever stands there.
                Ok("clientMessageId") => {
                    envelope.client_message_id = string(value, "clientMessageId").unwrap_or_default();
                }
                Ok("prev") => envelope.prev = number(value, "prev").unwrap_or_default(),
                Ok("requireDelivery") => envelope.require_delivery = value == "true",
                _ => {}
            }
        }
        envelope.kind = kind
            .filter(|kind| !kind.is_empty())
            .ok_or(DecodeError::Field("type"))?;
        Ok(envelope)
    }

    /// Appends the envelope as JSON. `data` must be JSON; it is not looked at again.
    pub fn encode_into(&self, out: &mut String) {
        let texts = [&self.message_id, &self.topic, &self.from, &self.client_message_id];
        let strings: usize = texts
            .iter()
            .filter_map(|text| text.as_ref())
            .map(|text| text.len())
            .sum();
        // 128 covers all names, punctuation and three numbers of usual length.
        out.reserve(128 + self.kind.len() + self.data.len() + strings);
        out.push_str("{\"type\":");
        write_str(out, &self.kind);
        out.push_str(",\"data\":");
        out.push_str(self.data);
        push_number_field(out, ",\"timestamp\":", self.timestamp);
        push_string_field(out, ",\"messageId\":", self.message_id.as_deref());
        push_number_field(out, ",\"sequence\":", self.sequence);
        push_string_field(out, ",\"topic\":", self.topic.as_deref());
        push_string_field(out, ",\"from\":", self.from.as_deref());
        push_string_field(out, ",\"clientMessageId\":", self.client_message_id.as_deref());
        push_number_field(out, ",\"prev\":", self.prev);
        if self.require_delivery {
            out.push_str(",\"requireDelivery\":true");
        }
        out.push('}');
    }

    /// [`encode_into`](Self::encode_into) a new text.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut out = String::new();
        self.encode_into(&mut out);
        out
    }
}

/// Reads a text frame that holds one envelope, or, as `batch=1` allows, an array of them.
///
/// # Errors
/// When the text is neither, an envelope cannot be read, or there are more than [`MAX_BATCH`].
pub fn decode_frame(text: &str) -> Result<Vec<Envelope<'_>>, DecodeError> {
    let Ok(elements) = json::elements(text) else {
        return Envelope::decode(text).map(|one| vec![one]);
    };
    let mut envelopes = Vec::new();
    for element in elements {
        if envelopes.len() == MAX_BATCH {
            return Err(DecodeError::TooMany);
        }
        envelopes.push(Envelope::decode(element.map_err(DecodeError::Json)?)?);
    }
    Ok(envelopes)
}

/// Joins encoded envelopes into one frame: one stays as it is, several become an array.
#[must_use]
pub fn join_frames(encoded: &[&str]) -> String {
    if let [one] = encoded {
        return (*one).to_owned();
    }
    let mut out = String::with_capacity(encoded.iter().map(|text| text.len() + 1).sum::<usize>() + 2);
    out.push('[');
    for (n, text) in encoded.iter().enumerate() {
        if n > 0 {
            out.push(',');
        }
        out.push_str(text);
    }
    out.push(']');
    out
}

fn string<'a>(raw: &'a str, field: &'static str) -> Result<Option<Cow<'a, str>>, DecodeError> {
    if raw == "null" {
        return Ok(None);
    }
    json::unquote(raw)
        .map(Some)
        .map_err(|_| DecodeError::Field(field))
}

fn number(raw: &str, field: &'static str) -> Result<Option<u64>, DecodeError> {
    if raw == "null" {
        return Ok(None);
    }
    json::integer(raw).map(Some).ok_or(DecodeError::Field(field))
}

fn push_string_field(out: &mut String, name: &str, value: Option<&str>) {
    if let Some(text) = value {
        out.push_str(name);
        write_str(out, text);
    }
}

fn push_number_field(out: &mut String, name: &str, value: Option<u64>) {
    if let Some(number) = value {
        out.push_str(name);
        write_number(out, number);
    }
}

/// Why a frame holds no envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecodeError {
    /// It is no JSON object.
    Json(JsonError),
    /// This field is missing or not of its type.
    Field(&'static str),
    /// More envelopes than [`MAX_BATCH`].
    TooMany,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(error) => write!(f, "the frame is not a JSON object: {error}"),
            Self::Field(field @ ("timestamp" | "sequence")) => {
                write!(
                    f,
                    "the field `{field}` is not a whole number from 0 to 18446744073709551615"
                )
            }
            Self::Field(field @ "type") => write!(f, "the field `{field}` is missing or not a filled string"),
            Self::Field(field) => write!(f, "the field `{field}` is not a string"),
            Self::TooMany => write!(f, "the frame holds more than {MAX_BATCH} envelopes"),
        }
    }
}

impl std::error::Error for DecodeError {}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: &str = r#"{"type":"data","data":{"text":"hi"},"timestamp":1700000000000,"messageId":"m_1","sequence":7,"topic":"public:chat","from":"u1"}"#;

    fn full() -> Envelope<'static> {
        Envelope {
            timestamp: Some(1_700_000_000_000),
            message_id: Some("m_1".into()),
            sequence: Some(7),
            topic: Some("public:chat".into()),
            from: Some("u1".into()),
            ..Envelope::new("data", r#"{"text":"hi"}"#)
        }
    }

    #[test]
    fn a_full_envelope_survives_both_ways() {
        assert_eq!(Envelope::decode(FULL), Ok(full()));
        assert_eq!(full().encode(), FULL);
    }

    #[test]
    fn missing_null_unknown_and_repeated_fields_are_understood() {
        let text = r#"{"type":"x","x":[{"type":1}],"timestamp":null,"topic":null,"t\u0079pe":"pi\"ng"}"#;
        assert_eq!(Envelope::decode(text), Ok(Envelope::new("pi\"ng", "null")));
        assert_eq!(
            Envelope::new("pi\"ng", "null").encode(),
            r#"{"type":"pi\"ng","data":null}"#
        );
    }

    #[test]
    fn a_mistyped_field_is_named() {
        for (from, to, field) in [
            ("\"type\"", "\"kind\"", "type"),
            ("\"data\",\"data\"", "\"\",\"data\"", "type"),
            ("\"data\",\"data\"", "null,\"data\"", "type"),
            ("1700000000000", "1.5", "timestamp"),
            ("\"m_1\"", "1", "messageId"),
            ("\"m_1\"", "\"\\ud800\"", "messageId"),
            ("7", "\"7\"", "sequence"),
            ("\"public:chat\"", "[]", "topic"),
            ("\"u1\"", "false", "from"),
        ] {
            let text = FULL.replacen(&format!(":{from}"), &format!(":{to}"), 1).replacen(
                &format!("{{{from}"),
                &format!("{{{to}"),
                1,
            );
            assert_eq!(Envelope::decode(&text), Err(DecodeError::Field(field)), "{text}");
        }
        for text in ["", "[]", "1", "{\"type\":\"a\"", "{\"type\":\"a\"}}"] {
            assert!(
                matches!(Envelope::decode(text), Err(DecodeError::Json(_))),
                "{text}"
            );
        }
    }

    #[test]
    fn a_frame_holds_one_envelope_or_an_array_of_them() {
        assert_eq!(decode_frame(FULL), Ok(vec![full()]));
        let two = join_frames(&[FULL, "{\"type\":\"a\",\"data\":1}"]);
        assert_eq!(decode_frame(&two), Ok(vec![full(), Envelope::new("a", "1")]));
        assert_eq!(join_frames(&[FULL]), FULL);
        assert_eq!(decode_frame(&join_frames(&[])), Ok(Vec::new()));
        assert_eq!(
            decode_frame("[[]]").map_err(|error| matches!(error, DecodeError::Json(_))),
            Err(true)
        );
    }

    #[test]
    fn a_batch_is_bounded() {
        let one = "{\"type\":\"a\",\"data\":1}";
        assert_eq!(
            decode_frame(&join_frames(&[one; MAX_BATCH])).map(|all| all.len()),
            Ok(MAX_BATCH)
        );
        assert_eq!(
            decode_frame(&join_frames(&[one; MAX_BATCH + 1])),
            Err(DecodeError::TooMany)
        );
    }
}
