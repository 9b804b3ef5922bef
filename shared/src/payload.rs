//! A message's content: JSON text that is carried and never looked into.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// Content of a message: JSON as text, and the binary parts that its placeholders name.
///
/// Invariant: `json` is one well-formed JSON value. A clone costs a reference count.
#[derive(Clone, PartialEq, Eq)]
pub struct Payload {
    json: Arc<str>,
    attachments: Vec<Bytes>,
}

impl Payload {
    /// Takes JSON text as it came from the wire, after looking that it is well formed.
    pub fn parse(json: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str::<&RawValue>(json)?;
        Ok(Self::from_json(json))
    }

    /// Takes text that a JSON encoder made: a wrong text here breaks the frame it is spliced into.
    #[must_use]
    pub fn from_json(json: &str) -> Self {
        Self {
            json: Arc::from(json),
            attachments: Vec::new(),
        }
    }

    /// Turns any value into a payload.
    pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Self, serde_json::Error> {
        Ok(Self {
            json: serde_json::to_string(value)?.into(),
            attachments: Vec::new(),
        })
    }

    /// Adds the binary parts that stand beside the JSON (`{"_placeholder":true,"num":0}` names the first).
    #[must_use]
    pub fn with_attachments(mut self, attachments: Vec<Bytes>) -> Self {
        self.attachments = attachments;
        self
    }

    /// The JSON text.
    #[must_use]
    pub fn json(&self) -> &str {
        &self.json
    }

    /// Binary parts in the order of their placeholders; mostly none.
    #[must_use]
    pub fn attachments(&self) -> &[Bytes] {
        &self.attachments
    }

    /// Bytes of text and binary parts together: what the limit of SPEC §10 counts.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.json.len() + self.attachments.iter().map(Bytes::len).sum::<usize>()
    }

    /// Reads the payload as a value of the application's own type.
    pub fn decode<'a, T: Deserialize<'a>>(&'a self) -> Result<T, serde_json::Error> {
        serde_json::from_str(&self.json)
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.json)?;
        if self.attachments.is_empty() {
            Ok(())
        } else {
            write!(f, " + {} binary", self.attachments.len())
        }
    }
}

impl Serialize for Payload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::Error;
        serde_json::from_str::<&RawValue>(&self.json)
            .map_err(S::Error::custom)?
            .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::from_json(Box::<RawValue>::deserialize(deserializer)?.get()))
    }
}
