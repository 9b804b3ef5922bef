//! The raw WebSocket binding (SPEC §7).

use std::borrow::Cow;

use bmt_shared::codec::raw::{self, Envelope};
use bmt_shared::json::Object;
use bmt_shared::request::Call;
use bmt_shared::sorted::SortedMap;

use super::{Inbound, LinkError, bare_token};
use crate::config::Config;
use crate::output::{Frame, Transmit};

/// Begins the `messageId` of a request that has none of its own.
const KEY_PREFIX: &str = "q_";

/// Requests in flight by the id that answers them.
#[derive(Debug)]
pub(crate) struct Raw {
    keys: SortedMap<String, u64>,
}

/// A channel message whose envelope is the frame's: only its payload is JSON of the publisher's.
#[derive(Debug, PartialEq)]
pub(crate) struct Enveloped<'t> {
    /// The frame's `type`: what kind of message it is.
    pub(crate) kind: Cow<'t, str>,
    pub(crate) id: Cow<'t, str>,
    pub(crate) topic: Cow<'t, str>,
    pub(crate) from: Cow<'t, str>,
    pub(crate) seq: u64,
    pub(crate) timestamp: u64,
    pub(crate) payload: &'t str,
    pub(crate) client_message_id: Option<Cow<'t, str>>,
    pub(crate) prev: Option<u64>,
    pub(crate) require_delivery: bool,
}

impl Raw {
    pub(super) fn new() -> Self {
        Self {
            keys: SortedMap::new(),
        }
    }

    pub(super) fn receive<'t>(&mut self, frame: Frame<'t>) -> Result<Vec<Inbound<'t>>, LinkError> {
        let Frame::Text(text) = frame else {
            return Err(LinkError("a binary frame came on the raw binding".to_owned()));
        };
        let envelopes = raw::decode_frame(text).map_err(|error| LinkError(error.to_string()))?;
        Ok(envelopes
            .into_iter()
            .map(|envelope| self.inbound(envelope))
            .collect())
    }

    fn inbound<'t>(&mut self, envelope: Envelope<'t>) -> Inbound<'t> {
        let event = |name: &'static str, body: Cow<'t, str>| Inbound::Event {
            name: Cow::Borrowed(name),
            body,
            attachments: Vec::new(),
        };
        match &*envelope.kind {
            "connect" => event("connected", with_timestamp(&envelope)),
            "heartbeat" => event("heartbeat_ack", with_timestamp(&envelope)),
            "ping" => Inbound::Ping(Cow::Borrowed(envelope.data)),
            "ack" | "error" => {
                let asked = envelope.message_id.as_deref().and_then(|id| self.keys.remove(id));
                match asked {
                    Some(key) => Inbound::Reply {
                        key,
                        body: Cow::Borrowed(envelope.data),
                        attachments: Vec::new(),
                    },
                    None => Inbound::RawError(envelope.data),
                }
            }
            "data" | "status" | "notification" if envelope.sequence.is_some() => {
                Inbound::Enveloped(Enveloped {
                    kind: envelope.kind,
                    id: envelope.message_id.unwrap_or_default(),
                    topic: envelope.topic.unwrap_or_default(),
                    from: envelope.from.unwrap_or_default(),
                    seq: envelope.sequence.unwrap_or_default(),
                    timestamp: envelope.timestamp.unwrap_or_default(),
                    payload: envelope.data,
                    client_message_id: envelope.client_message_id,
                    prev: envelope.prev,
                    require_delivery: envelope.require_delivery,
                })
            }
            _ => Inbound::Event {
                name: envelope.kind,
                body: Cow::Borrowed(envelope.data),
                attachments: Vec::new(),
            },
        }
    }

    pub(super) fn request(&mut self, key: Option<u64>, call: &Call, unix_ms: u64) -> Transmit {
        let mut data = String::new();
        call.write_json(&mut data, unix_ms);
        let id = match (&call.message_id, key) {
            (Some(id), _) => Some(id.as_str().to_owned()),
            (None, Some(key)) => Some(format!("{KEY_PREFIX}{key}")),
            (None, None) => None,
        };
        if let (Some(id), Some(key)) = (&id, key) {
            self.keys.insert(id.clone(), key);
        }
        let mut envelope = Envelope::new(call.request.name(), &data);
        envelope.timestamp = Some(unix_ms);
        envelope.message_id = id.map(Cow::Owned);
        Transmit::Text(envelope.encode())
    }
}

/// The body, with the envelope's time in it where it has none of its own: `connect` and `heartbeat` may leave
/// it out. A repeated field would be refused, so it is looked for.
fn with_timestamp<'t>(envelope: &Envelope<'t>) -> Cow<'t, str> {
    let fields = bmt_shared::codec::json::entries(envelope.data).ok();
    let has_time = fields
        .is_some_and(|mut fields| fields.any(|field| field.is_ok_and(|(key, _)| key == "\"timestamp\"")));
    if has_time {
        return Cow::Borrowed(envelope.data);
    }
    let mut body = String::new();
    Object::open(&mut body)
        .number("timestamp", envelope.timestamp.unwrap_or_default())
        .close();
    if let Some(rest) = envelope.data.trim_ascii_start().strip_prefix('{')
        && rest.trim_ascii_start() != "}"
    {
        body.pop();
        body.push(',');
        body.push_str(rest);
    }
    Cow::Owned(body)
}

pub(super) fn path_and_protocols(config: &Config, token: Option<&str>) -> (String, Vec<String>) {
    let path = config.path();
    // Several messages in one frame cost one event of the page's loop; a server that knows nothing of it sends one each.
    let mut path_and_query = format!("{path}?protocol=1.0&batch=1");
    if let Some(id) = &config.client_id {
        path_and_query.push_str("&clientId=");
        push_query(&mut path_and_query, id);
    }
    let mut protocols = vec!["bmt.v1".to_owned()];
    if let Some(token) = token {
        protocols.push(format!("bearer.{}", bare_token(token)));
    }
    (path_and_query, protocols)
}

/// RFC 3986: what is not unreserved is percent-encoded.
fn push_query(out: &mut String, text: &str) {
    use std::fmt::Write;
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").expect("writing to a String does not fail");
        }
    }
}

pub(super) fn pong(data: &str) -> Transmit {
    Transmit::Text(Envelope::new("pong", data).encode())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_without_a_time_gets_the_envelopes() {
        for (text, body) in [
            (r#"{"type":"heartbeat","timestamp":5}"#, r#"{"timestamp":5}"#),
            (
                r#"{"type":"heartbeat","data":{ },"timestamp":5}"#,
                r#"{"timestamp":5}"#,
            ),
            (
                r#"{"type":"connect","data":{"a":1},"timestamp":5}"#,
                r#"{"timestamp":5,"a":1}"#,
            ),
            (
                r#"{"type":"connect","data":{"timestamp":7}}"#,
                r#"{"timestamp":7}"#,
            ),
        ] {
            let envelope = Envelope::decode(text).unwrap();
            assert_eq!(with_timestamp(&envelope), body);
        }
    }

    #[test]
    fn the_token_travels_as_a_subprotocol_and_never_in_the_address() {
        let config = Config {
            binding: crate::config::Binding::Raw,
            client_id: Some("a b&c".to_owned()),
            ..Config::default()
        };
        let (path, protocols) = path_and_protocols(&config, Some("Bearer x.y.z"));
        assert_eq!(path, "/api/v1/ws?protocol=1.0&batch=1&clientId=a%20b%26c");
        assert_eq!(protocols, ["bmt.v1", "bearer.x.y.z"]);
    }
}
