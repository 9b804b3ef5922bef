//! What must hold for any value and any bytes: the codecs against random input.

use std::borrow::Cow;

use bmt_shared::codec::engineio::{self, Handshake, payload};
use bmt_shared::codec::json;
use bmt_shared::codec::raw::{self, Envelope};
use bmt_shared::codec::socketio::{self, MAX_ATTACHMENTS, Namespace, RESERVED_EVENTS};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::Value;

#[expect(
    unreachable_pub,
    reason = "the file is the library of the fuzz targets, which call it from outside"
)]
#[path = "../../fuzz/src/lib.rs"]
mod checks;

/// Any text, with many of the characters that mean something to a codec.
fn any_text() -> impl Strategy<Value = String> {
    let telling = select(vec![
        '"', '\\', '/', ',', '-', '\u{1e}', '\0', '\u{7f}', '0', '9', '[', '{', 'é', '中', '😀',
    ]);
    prop_oneof![
        ".{0,20}",
        vec(telling, 0..20).prop_map(|characters| characters.into_iter().collect())
    ]
}

/// Any JSON value with finite numbers.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any_text().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 48, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            vec((any_text(), inner), 0..6).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Any JSON text, compact or spread over lines.
fn any_json_text() -> impl Strategy<Value = String> {
    (any_json(), any::<bool>()).prop_map(|(value, pretty)| {
        if pretty {
            format!("{value:#}")
        } else {
            value.to_string()
        }
    })
}

/// A text after a few small injuries that keep it UTF-8.
fn injured(text: &str, injuries: &[(Index, char, u8)]) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    for &(index, character, kind) in injuries {
        if characters.is_empty() {
            characters.push(character);
        }
        let at = index.index(characters.len());
        match kind % 4 {
            0 => characters[at] = character,
            1 => characters.insert(at, character),
            2 => drop(characters.remove(at)),
            _ => characters.truncate(at),
        }
    }
    characters.into_iter().collect()
}

fn any_injuries() -> impl Strategy<Value = Vec<(Index, char, u8)>> {
    let telling = select(
        "\"\\/{}[]:,-+.eEu0189ntfalsr \n\u{1e}\0bé😀"
            .chars()
            .collect::<Vec<_>>(),
    );
    vec((any::<Index>(), telling, any::<u8>()), 0..4)
}

fn any_namespace() -> impl Strategy<Value = String> {
    prop_oneof![Just("/".to_owned()), "/[^,\\x00-\\x1f\\x7f]{0,12}"]
}

fn any_event_name() -> impl Strategy<Value = String> {
    any_text().prop_filter("reserved", |name| !RESERVED_EVENTS.contains(&name.as_str()))
}

/// What an Engine.IO packet is made of: its type, its text, its bytes.
type Parts = (u8, String, Vec<u8>);

fn any_parts() -> impl Strategy<Value = Parts> {
    (any::<u8>(), any_text(), vec(any::<u8>(), 0..64))
}

fn engineio_packet((kind, text, bytes): &Parts) -> engineio::Packet<'_> {
    match kind % 8 {
        0 => engineio::Packet::Open(text),
        1 => engineio::Packet::Close,
        2 => engineio::Packet::Ping(text),
        3 => engineio::Packet::Pong(text),
        4 => engineio::Packet::Message(text),
        5 => engineio::Packet::Binary(bytes.into()),
        6 => engineio::Packet::Upgrade,
        _ => engineio::Packet::Noop,
    }
}

fn any_cow() -> impl Strategy<Value = Cow<'static, str>> {
    any_text().prop_map(Cow::Owned)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn any_bytes_are_a_value_or_an_error(bytes in vec(any::<u8>(), 0..200)) {
        checks::engineio_packet(&bytes);
        checks::engineio_payload(&bytes);
        checks::socketio_packet(&bytes);
        checks::raw_envelope(&bytes);
        checks::json(&bytes);
    }

    #[test]
    fn injured_frames_are_a_value_or_an_error(
        data in any_json_text(),
        kind in "[0-6b]{1,2}[0-9-]{0,4}(/[a-z]{0,3},)?",
        injuries in any_injuries(),
    ) {
        let frame = injured(&format!("{kind}[\"event\",{data}]"), &injuries);
        checks::engineio_packet(frame.as_bytes());
        checks::engineio_payload(frame.as_bytes());
        checks::socketio_packet(frame.as_bytes());
        let fields = r#""type":"a","timestamp":1,"sequence":2,"topic":"t","from":"f","messageId":"m""#;
        let envelope = format!("{{{fields},\"data\":{data}}}");
        checks::raw_envelope(injured(&envelope, &injuries).as_bytes());
    }

    #[test]
    fn json_is_accepted_and_refused_as_by_serde_json(text in any_json_text(), injuries in any_injuries()) {
        checks::json(injured(&text, &injuries).as_bytes());
    }

    #[test]
    fn json_that_was_written_is_accepted(text in any_json_text()) {
        prop_assert_eq!(json::value(&text), Ok(text.as_str()));
    }

    #[test]
    fn strings_are_unquoted_as_they_were_quoted(
        text in any_text(),
        quoted in "\"(\\\\u[0-9a-fA-F]{4}|\\\\[\"\\\\/bfnrt]|[a-zé中😀]){0,12}\"",
    ) {
        let written = serde_json::to_string(&text).expect("a string");
        prop_assert_eq!(json::unquote(&written), Ok(Cow::Borrowed(text.as_str())));
        prop_assert_eq!(json::unquote(&quoted).ok().map(Cow::into_owned), serde_json::from_str(&quoted).ok());
    }

    #[test]
    fn engineio_packets_survive_the_wire(parts in any_parts()) {
        let packet = engineio_packet(&parts);
        let wire = packet.encode();
        prop_assert_eq!(wire.len(), packet.encoded_len());
        prop_assert_eq!(engineio::Packet::decode(&wire), Ok(packet));
    }

    #[test]
    fn engineio_payloads_survive_the_wire_and_keep_their_limit(
        parts in vec(any_parts(), 1..12),
        max_bytes in 0usize..400,
    ) {
        let mut writer = payload::Writer::new(max_bytes);
        let mut taken = Vec::new();
        for packet in parts.iter().map(engineio_packet) {
            let pushed = match &packet {
                engineio::Packet::Binary(bytes) => writer.push_binary(bytes),
                text => writer.push_text(&text.encode()),
            };
            match pushed {
                Ok(()) => taken.push(packet),
                Err(payload::PushError::Full) => break,
                Err(payload::PushError::Separator) => {
                    prop_assert!(packet.encode().contains(payload::SEPARATOR));
                }
            }
        }
        prop_assume!(!taken.is_empty());
        let body = writer.finish();
        prop_assert!(taken.len() == 1 || body.len() <= max_bytes);
        let read = payload::decode(&body, payload::Limits::default()).expect("small");
        prop_assert_eq!(read.collect::<Result<Vec<_>, _>>(), Ok(taken));
    }

    #[test]
    fn handshakes_survive_the_wire(
        sid in any_cow(),
        upgrades in vec(any_cow(), 0..8),
        numbers in any::<[u64; 2]>(),
        max_payload_bytes in option::of(any::<u64>()),
    ) {
        prop_assume!(!sid.is_empty());
        let [ping_interval_ms, ping_timeout_ms] = numbers;
        let handshake = Handshake { sid, upgrades, ping_interval_ms, ping_timeout_ms, max_payload_bytes };
        let wire = handshake.encode();
        prop_assert!(serde_json::from_str::<Value>(&wire).is_ok());
        prop_assert_eq!(Handshake::decode(&wire), Ok(handshake));
    }

    #[test]
    fn socketio_events_survive_the_wire(
        namespace in any_namespace(),
        id in option::of(any::<u64>()),
        name in any_event_name(),
        args in vec(any_json_text(), 0..4),
        attachments in 0..=MAX_ATTACHMENTS,
    ) {
        let namespace = Namespace::parse(&namespace).expect("a namespace");
        let args: Vec<_> = args.iter().map(String::as_str).collect();
        let mut wire = String::new();
        socketio::encode_event(&mut wire, namespace, id, &name, &args, attachments);
        let packet = socketio::Packet::decode(&wire).expect("an event");
        let socketio::Packet::Event { data, .. } = packet else { panic!("{packet:?}") };
        prop_assert_eq!(packet, socketio::Packet::Event { namespace, id, data, attachments });
        prop_assert_eq!(packet.encode(), wire.as_str());
        let event = socketio::split_event(data).expect("an event");
        prop_assert_eq!(&*event.name, name.as_str());
        prop_assert_eq!(event.args.collect::<Result<Vec<_>, _>>(), Ok(args));
    }

    #[test]
    fn socketio_acknowledgements_survive_the_wire(
        namespace in any_namespace(),
        id in any::<u64>(),
        args in vec(any_json_text(), 0..4),
        attachments in 0..=MAX_ATTACHMENTS,
    ) {
        let namespace = Namespace::parse(&namespace).expect("a namespace");
        let args: Vec<_> = args.iter().map(String::as_str).collect();
        let mut wire = String::new();
        socketio::encode_ack(&mut wire, namespace, id, &args, attachments);
        let packet = socketio::Packet::decode(&wire).expect("an acknowledgement");
        let socketio::Packet::Ack { data, .. } = packet else { panic!("{packet:?}") };
        prop_assert_eq!(packet, socketio::Packet::Ack { namespace, id, data, attachments });
        prop_assert_eq!(packet.encode(), wire.as_str());
        let elements = json::elements(data).expect("an array");
        prop_assert_eq!(elements.collect::<Result<Vec<_>, _>>(), Ok(args));
    }

    #[test]
    fn socketio_connects_and_disconnects_survive_the_wire(
        namespace in any_namespace(),
        data in option::of(any_json()),
    ) {
        let namespace = Namespace::parse(&namespace).expect("a namespace");
        let object = data.as_ref().map(|value| serde_json::json!({"value": value}).to_string());
        let data = object.as_deref();
        for packet in [
            socketio::Packet::Connect { namespace, data },
            socketio::Packet::ConnectError { namespace, data },
            socketio::Packet::ConnectError { namespace, data: Some("\"no\"") },
            socketio::Packet::Disconnect { namespace },
        ] {
            let wire = packet.encode();
            prop_assert_eq!(socketio::Packet::decode(&wire), Ok(packet));
        }
    }

    #[test]
    fn raw_envelopes_survive_the_wire_alone_and_in_a_batch(
        kind in any_cow(),
        data in any_json_text(),
        numbers in any::<[Option<u64>; 2]>(),
        texts in [option::of(any_cow()), option::of(any_cow()), option::of(any_cow())],
        count in 0usize..5,
    ) {
        prop_assume!(!kind.is_empty());
        let [timestamp, sequence] = numbers;
        let [message_id, topic, from] = texts;
        let envelope =
            Envelope { timestamp, message_id, sequence, topic, from, ..Envelope::new(kind, &data) };
        let wire = envelope.encode();
        prop_assert!(serde_json::from_str::<Value>(&wire).is_ok());
        prop_assert_eq!(&Envelope::decode(&wire), &Ok(envelope.clone()));
        let frame = raw::join_frames(&vec![wire.as_str(); count]);
        prop_assert_eq!(raw::decode_frame(&frame), Ok(vec![envelope; count]));
    }
}
