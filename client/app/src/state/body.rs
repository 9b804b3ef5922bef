//! What a message says: the payloads of chat, read leniently, since any program may publish to a channel.

use std::sync::Arc;

use bmt_shared::id::UserId;
use bmt_shared::payload::Payload;
use serde_json::{Map, Value, json};

/// Content of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    /// Words of a person.
    Text(Arc<str>),
    /// Words of the system: `{type:"system",content}`.
    System(Arc<str>),
    /// Anything else, as compact JSON.
    Data(Arc<str>),
}

impl Body {
    /// Reads a payload. Text is `{type:"text",content}` (SPEC §11), a bare string, or an untyped object with
    /// `content`, `text` or `message`.
    #[must_use]
    pub(crate) fn read(payload: &Payload) -> Self {
        match payload.decode::<Value>() {
            Ok(Value::String(text)) => Self::Text(text.into()),
            Ok(Value::Object(fields)) => match words(&fields) {
                Some(("system", text)) => Self::System(text.into()),
                Some((_, text)) => Self::Text(text.into()),
                None => Self::Data(payload.json().into()),
            },
            _ => Self::Data(payload.json().into()),
        }
    }

    /// The words, or the JSON.
    #[must_use]
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Text(text) | Self::System(text) | Self::Data(text) => text,
        }
    }

    /// The payload of a text that `name` writes: the author's name travels with it, for readers who meet the
    /// author in the history only.
    #[must_use]
    pub(crate) fn text_payload(text: &str, me: &UserId, name: &str) -> Payload {
        let value = json!({"type": "text", "content": text, "user": {"id": me.as_str(), "name": name}});
        Payload::from_json(&value.to_string())
    }
}

fn words(fields: &Map<String, Value>) -> Option<(&str, &str)> {
    let kind = fields.get("type").and_then(Value::as_str).unwrap_or("text");
    if !matches!(kind, "text" | "system" | "message") {
        return None;
    }
    let text = ["content", "text", "message"]
        .iter()
        .find_map(|name| fields.get(*name).and_then(Value::as_str))?;
    Some((kind, text))
}

/// The author's name that a payload carries; only what its sender says about itself counts.
#[must_use]
pub(crate) fn claimed_name(payload: &Payload, from: &UserId) -> Option<String> {
    if !payload.json().contains("\"user\"") {
        return None;
    }
    let value = payload.decode::<Value>().ok()?;
    let user = value.get("user")?;
    let id = user.get("id").and_then(Value::as_str)?;
    let name = user.get("name").and_then(Value::as_str)?.trim();
    (id == from.as_str() && !name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Body {
        Body::read(&Payload::parse(json).unwrap())
    }

    #[test]
    fn text_is_read_in_every_spelling_and_the_rest_is_shown_as_data() {
        for json in [
            r#"{"type":"text","content":"hi"}"#,
            r#"{"content":"hi"}"#,
            r#"{"text":"hi"}"#,
            r#"{"type":"message","message":"hi"}"#,
            r#""hi""#,
        ] {
            assert_eq!(read(json), Body::Text("hi".into()), "{json}");
        }
        assert_eq!(
            read(r#"{"type":"system","content":"hi"}"#),
            Body::System("hi".into())
        );
        for json in ["7", "null", "[1]", r#"{"type":"data_update","content":{"a":1}}"#] {
            assert_eq!(read(json), Body::Data(json.into()));
        }
    }

    #[test]
    fn what_is_written_is_read_back_with_its_author() {
        let me = UserId::new("u1");
        let payload = Body::text_payload("你好 \"<b>\"\n", &me, "Alice");
        assert_eq!(Body::read(&payload), Body::Text("你好 \"<b>\"\n".into()));
        assert_eq!(claimed_name(&payload, &me).as_deref(), Some("Alice"));
    }

    #[test]
    fn nobody_names_somebody_else() {
        let payload = Body::text_payload("hi", &UserId::new("u1"), "Alice");
        assert_eq!(claimed_name(&payload, &UserId::new("u2")), None);
    }
}
