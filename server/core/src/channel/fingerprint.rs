//! What a `messageId` stands for: tells the repetition of a publish from another publish under the same key.

use std::fmt;

use bmt_shared::json;
use bmt_shared::message::Priority;
use bmt_shared::request::Publish;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// A digest of topic, payload, ttl and priority (SPEC §4). It is stored, so its definition never changes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 16]);

impl Fingerprint {
    /// The fingerprint of a publish. Two payloads that are the same JSON value, written differently, are one.
    #[must_use]
    pub fn of(publish: &Publish) -> Self {
        let mut digest = Sha256::new();
        let payload = publish.payload.decode::<Value>().map_or_else(
            // Deeper than the parser goes: the text itself is compared.
            |_| publish.payload.json().to_owned(),
            |value| canonical(&value),
        );
        let priority: &[u8] = match publish.priority {
            Priority::Low => b"low",
            Priority::Normal => b"normal",
            Priority::High => b"high",
        };
        let ttl = publish.ttl_ms.to_le_bytes();
        let parts = [
            publish.topic.as_str().as_bytes(),
            payload.as_bytes(),
            priority,
            &ttl,
        ];
        let attachments = publish.payload.attachments().iter().map(|bytes| &bytes[..]);
        for part in parts.into_iter().chain(attachments) {
            // The length keeps one part's end and the next one's beginning apart.
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        }
        let whole = digest.finalize();
        let mut half = [0; 16];
        half.copy_from_slice(&whole[..16]);
        Self(half)
    }

    /// Takes back what [`Self::bytes`] gave to a store.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// For a store.
    #[must_use]
    pub fn bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

/// The one text that stands for a JSON value: no spaces, keys in order, whole numbers without a fraction.
pub(super) fn canonical(value: &Value) -> String {
    let mut out = String::new();
    write_canonical(&mut out, value);
    out
}

fn write_canonical(out: &mut String, value: &Value) {
    match value {
        Value::Array(items) => json::write_list(out, items, write_canonical),
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_unstable_by_key(|(key, _)| *key);
            out.push('{');
            for (at, (key, value)) in fields.into_iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                json::write_str(out, key);
                out.push(':');
                write_canonical(out, value);
            }
            out.push('}');
        }
        Value::String(text) => json::write_str(out, text),
        Value::Number(number) => match number.as_f64() {
            // A JavaScript client writes 1.0 as 1; above 2^53 its numbers are not exact anyway.
            Some(float)
                if number.is_f64() && float.fract() == 0.0 && float.abs() < 9_007_199_254_740_992.0 =>
            {
                out.push_str(&format!("{float:.0}"));
            }
            _ => out.push_str(&number.to_string()),
        },
        Value::Bool(_) | Value::Null => out.push_str(&value.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bmt_shared::channel::ChannelName;
    use bmt_shared::payload::Payload;

    fn publish(payload: &str) -> Publish {
        Publish::new(
            ChannelName::parse("public:a").unwrap(),
            Payload::parse(payload).unwrap(),
        )
    }

    #[test]
    fn the_same_value_written_differently_has_one_fingerprint() {
        let one = Fingerprint::of(&publish(r#"{"b":[1.0,"é"],"a":null}"#));
        let other = Fingerprint::of(&publish(" { \"a\": null, \"b\":[1, \"\\u00e9\"] } "));
        assert_eq!(one, other);
    }

    #[test]
    fn whatever_is_part_of_the_body_changes_it() {
        let base = publish(r#"{"a":1}"#);
        let others = [
            publish(r#"{"a":2}"#),
            publish(r#"{"a":"1"}"#),
            publish("1"),
            Publish {
                ttl_ms: 1,
                ..base.clone()
            },
            Publish {
                priority: Priority::High,
                ..base.clone()
            },
            Publish {
                topic: ChannelName::parse("public:b").unwrap(),
                ..base.clone()
            },
            Publish {
                payload: base.payload.clone().with_attachments(vec![vec![1].into()]),
                ..base.clone()
            },
        ];
        for other in others {
            assert_ne!(Fingerprint::of(&base), Fingerprint::of(&other), "{other:?}");
        }
        let mut acked = base.clone();
        acked.ack_required = false;
        assert_eq!(Fingerprint::of(&base), Fingerprint::of(&acked));
    }

    #[test]
    fn stored_fingerprints_stay_valid() {
        assert_eq!(
            format!(
                "{:?}",
                Fingerprint::of(&publish(r#"{"type":"text","content":"hi"}"#))
            ),
            "PIN"
        );
    }
}
