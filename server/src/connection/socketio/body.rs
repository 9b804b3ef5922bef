//! JSON that was encoded already, on its way through socketioxide's serializer.

use std::collections::BTreeSet;

use bmt_shared::codec::json::{elements, entries, integer, unquote};
use bytes::Bytes;
use serde::ser::{Error, SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

/// JSON text whose placeholders name `attachments`: text passes through as it is, each placeholder becomes the
/// binary part it names. With no attachments a placeholder is an object like any other.
pub(super) struct Attached<'a> {
    pub(super) json: &'a str,
    pub(super) attachments: &'a [Bytes],
}

impl Serialize for Attached<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { json, attachments } = *self;
        let inner = |json| Attached { json, attachments };
        if let Some(attachment) = placeholder(json).and_then(|at| attachments.get(at)) {
            return serializer.serialize_bytes(attachment);
        }
        if !json.contains(PLACEHOLDER) {
            return serde_json::from_str::<&RawValue>(json)
                .map_err(S::Error::custom)?
                .serialize(serializer);
        }
        if let Ok(members) = entries(json) {
            let mut map = serializer.serialize_map(None)?;
            for member in members {
                let (key, value) = member.map_err(S::Error::custom)?;
                map.serialize_entry(&unquote(key).map_err(S::Error::custom)?, &inner(value))?;
            }
            return map.end();
        }
        if let Ok(items) = elements(json) {
            let mut sequence = serializer.serialize_seq(None)?;
            for item in items {
                sequence.serialize_element(&inner(item.map_err(S::Error::custom)?))?;
            }
            return sequence.end();
        }
        serde_json::from_str::<&RawValue>(json)
            .map_err(S::Error::custom)?
            .serialize(serializer)
    }
}

/// Every placeholder's text holds this, whatever spaces stand in it. (A key spelled with escapes is not seen:
/// the official clients write it plainly, and what is not seen is delivered as the object it is.)
const PLACEHOLDER: &str = "\"_placeholder\"";

/// Which binary part a JSON text is the placeholder of.
fn placeholder(json: &str) -> Option<usize> {
    // The longest is `{"_placeholder":true,"num":9}` with spaces; a payload is not searched for nothing.
    if json.len() > 64 || !json.contains(PLACEHOLDER) {
        return None;
    }
    let (mut marked, mut number) = (false, None);
    for member in entries(json).ok()? {
        let (key, value) = member.ok()?;
        match unquote(key).ok()?.as_ref() {
            "_placeholder" => marked = value == "true",
            "num" => number = integer(value),
            _ => return None,
        }
    }
    usize::try_from(number?).ok().filter(|_| marked)
}

/// Whether each of `attachments` binary parts is named by one placeholder, and by no more: a part named twice
/// would be sent twice, and one that names nothing makes official clients close the connection.
pub(super) fn names_each_once(json: &str, attachments: usize) -> bool {
    let mut named = BTreeSet::new();
    collect(json, &mut named) && named.len() == attachments && named.last().is_none_or(|&at| at < attachments)
}

/// Collects the numbers of all placeholders; `false` at the first that comes twice.
fn collect(json: &str, named: &mut BTreeSet<usize>) -> bool {
    if !json.contains(PLACEHOLDER) {
        return true;
    }
    if let Some(at) = placeholder(json) {
        return named.insert(at);
    }
    if let Ok(mut members) = entries(json) {
        return members.all(|member| member.is_ok_and(|(_, value)| collect(value, named)));
    }
    match elements(json) {
        Ok(mut items) => items.all(|item| item.is_ok_and(|item| collect(item, named))),
        Err(_) => true,
    }
}

/// The same JSON with its placeholders numbered in their order, as official servers number them, on from those of
/// the parts in `sent`; the `attachments` it names are appended there. Where it names none, what looks like a
/// placeholder is made to look like none: in a binary packet a client would take it for one.
pub(super) fn renumber(json: &str, attachments: &[Bytes], sent: &mut Vec<Bytes>, out: &mut String) {
    if !json.contains(PLACEHOLDER) {
        return out.push_str(json);
    }
    if let Some(at) = placeholder(json) {
        return if let Some(attachment) = attachments.get(at) {
            out.push_str(&format!("{{\"_placeholder\":true,\"num\":{}}}", sent.len()));
            sent.push(attachment.clone());
        } else {
            out.push_str("{\"_placeholder\":false}");
        };
    }
    if let Ok(members) = entries(json) {
        out.push('{');
        for (n, (key, value)) in members.flatten().enumerate() {
            if n > 0 {
                out.push(',');
            }
            out.push_str(key);
            out.push(':');
            renumber(value, attachments, sent, out);
        }
        return out.push('}');
    }
    let Ok(items) = elements(json) else {
        return out.push_str(json);
    };
    out.push('[');
    for (n, item) in items.flatten().enumerate() {
        if n > 0 {
            out.push(',');
        }
        renumber(item, attachments, sent, out);
    }
    out.push(']');
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = r#"{"a":{"_placeholder":true,"num":1},"b":[1.0,{"num":0, "_placeholder":true},"x"]}"#;

    #[test]
    fn each_binary_part_is_named_once_or_the_message_is_refused() {
        assert!(names_each_once(TWO, 2));
        assert!(!names_each_once(TWO, 1), "the part 1 does not exist");
        assert!(!names_each_once(TWO, 3), "the part 2 is named by nothing");
        assert!(!names_each_once(
            r#"[{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}]"#,
            1
        ));
        assert!(names_each_once("[1]", 0));
    }

    #[test]
    fn placeholders_of_several_messages_are_numbered_on() {
        let parts = [Bytes::from_static(b"a"), Bytes::from_static(b"b")];
        let (mut out, mut sent) = (String::new(), vec![Bytes::new(); 3]);
        renumber(TWO, &parts, &mut sent, &mut out);
        assert_eq!(
            out,
            r#"{"a":{"_placeholder":true,"num":3},"b":[1.0,{"_placeholder":true,"num":4},"x"]}"#
        );
        assert_eq!(sent[3..], [parts[1].clone(), parts[0].clone()]);
        out.clear();
        renumber(r#"{"_placeholder":true,"num":0}"#, &[], &mut sent, &mut out);
        assert_eq!(out, r#"{"_placeholder":false}"#);
    }

    #[test]
    fn text_passes_through_as_it_is() {
        let json = r#"{"n":1.00,"big":123456789012345678901234567890,"s":"\u00e9"}"#;
        let attached = Attached {
            json,
            attachments: &[],
        };
        assert_eq!(serde_json::to_string(&attached).unwrap(), json);
    }

    #[test]
    fn a_placeholder_becomes_its_bytes() {
        let parts = [Bytes::from_static(b"\x00"), Bytes::from_static(b"\x01\x02")];
        let attached = Attached {
            json: TWO,
            attachments: &parts,
        };
        assert_eq!(
            serde_json::to_string(&attached).unwrap(),
            r#"{"a":[1,2],"b":[1.0,[0],"x"]}"#
        );
    }
}
