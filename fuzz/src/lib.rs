//! What must hold for any bytes: one check a decoder, the body of its fuzz target.
//!
//! `shared/tests/corpus.rs` includes this file and runs the corpus through it on every `cargo test`.

use bmt_shared::codec::engineio::{self, Handshake, payload};
use bmt_shared::codec::json::{self, JsonErrorKind};
use bmt_shared::codec::raw;
use bmt_shared::codec::socketio::{self, Namespace, Reassembler};
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

/// The text of a frame; a WebSocket or an HTTP client refuses other bytes before a codec sees them.
fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

/// A packet has one spelling; a handshake survives being written and read.
pub fn engineio_packet(bytes: &[u8]) {
    let binary = engineio::Packet::Binary(bytes.into());
    assert_eq!(engineio::Packet::decode(&binary.encode()), Ok(binary));
    let Some(text) = text(bytes) else { return };
    let Ok(packet) = engineio::Packet::decode(text) else {
        return;
    };
    assert_eq!(packet.encode(), text);
    assert_eq!(packet.encoded_len(), text.len());
    if let engineio::Packet::Open(data) = packet
        && let Ok(handshake) = Handshake::decode(data)
    {
        assert_eq!(Handshake::decode(&handshake.encode()), Ok(handshake));
        assert!(serde_json::from_str::<IgnoredAny>(data).is_ok());
    }
}

/// A payload within its limits that can be read whole is written again as it was.
pub fn engineio_payload(bytes: &[u8]) {
    let limits = payload::Limits {
        bytes: 4_096,
        packets: 64,
    };
    let Some(text) = text(bytes) else { return };
    let Ok(packets) = payload::decode(text, limits) else {
        assert!(text.len() > limits.bytes || text.split(payload::SEPARATOR).count() > limits.packets);
        return;
    };
    let Ok(packets) = packets.collect::<Result<Vec<_>, _>>() else {
        return;
    };
    assert!(packets.len() <= limits.packets);
    let mut writer = payload::Writer::new(text.len());
    for packet in &packets {
        let pushed = match packet {
            engineio::Packet::Binary(bytes) => writer.push_binary(bytes),
            text => writer.push_text(&text.encode()),
        };
        assert_eq!(pushed, Ok(()));
    }
    assert_eq!(writer.finish(), text);
}

/// A packet survives being written and read, also from its parts; its attachments complete it.
pub fn socketio_packet(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    let Ok(packet) = socketio::Packet::decode(text) else {
        assert!(Reassembler::<()>::new().handle_text(text).is_err());
        return;
    };
    assert_eq!(socketio::Packet::decode(&packet.encode()), Ok(packet));
    assert_eq!(
        Namespace::parse(packet.namespace().as_str()),
        Ok(packet.namespace())
    );
    rebuild(&packet);

    let mut reassembler = Reassembler::new();
    let mut complete = reassembler.handle_text(text) == Ok(Some(packet));
    for attachment in 0..packet.attachments() {
        assert!(!complete);
        let assembled = reassembler.handle_binary(attachment).expect("announced");
        if let Some(assembled) = assembled {
            assert_eq!(assembled.packet(), packet);
            assert!(assembled.attachments.iter().copied().eq(0..packet.attachments()));
            complete = true;
        }
    }
    assert!(complete && !reassembler.is_waiting());
}

/// Takes an event or acknowledgement apart and makes it again.
fn rebuild(packet: &socketio::Packet<'_>) {
    let mut out = String::new();
    match *packet {
        socketio::Packet::Event {
            namespace,
            id,
            data,
            attachments,
        } => {
            let event = socketio::split_event(data).expect("checked by decode");
            let args: Vec<_> = event
                .args
                .clone()
                .map(|arg| arg.expect("checked by decode"))
                .collect();
            socketio::encode_event(&mut out, namespace, id, &event.name, &args, attachments);
            let Ok(socketio::Packet::Event { data, .. }) = socketio::Packet::decode(&out) else {
                panic!("{out} is no event")
            };
            assert_eq!(socketio::split_event(data), Ok(event));
        }
        socketio::Packet::Ack {
            namespace,
            id,
            data,
            attachments,
        } => {
            let args: Result<Vec<_>, _> = json::elements(data).expect("an array").collect();
            let args = args.expect("checked by decode");
            socketio::encode_ack(&mut out, namespace, id, &args, attachments);
            let Ok(socketio::Packet::Ack { data, .. }) = socketio::Packet::decode(&out) else {
                panic!("{out} is no acknowledgement")
            };
            assert_eq!(
                json::elements(data)
                    .expect("an array")
                    .collect::<Result<Vec<_>, _>>(),
                Ok(args)
            );
        }
        _ => {}
    }
}

/// Envelopes survive being written and read, and their data is JSON.
pub fn raw_envelope(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    let Ok(envelopes) = raw::decode_frame(text) else {
        return;
    };
    assert!(envelopes.len() <= raw::MAX_BATCH);
    assert!(serde_json::from_str::<IgnoredAny>(text).is_ok());
    for envelope in &envelopes {
        assert!(serde_json::from_str::<IgnoredAny>(envelope.data).is_ok());
        assert_eq!(raw::Envelope::decode(&envelope.encode()).as_ref(), Ok(envelope));
    }
}

/// The grammar is the one of `serde_json`, but for the bound on nesting.
pub fn json(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    match json::value(text) {
        Ok(value) => {
            assert!(
                serde_json::from_str::<IgnoredAny>(text).is_ok(),
                "accepted: {text:?}"
            );
            assert_eq!(value, text.trim_matches([' ', '\t', '\r', '\n']));
        }
        Err(error) => {
            assert!(error.at <= text.len());
            assert!(
                serde_json::from_str::<serde_json::Value>(text).is_err(),
                "refused: {text:?}"
            );
            let judged = serde_json::from_str::<IgnoredAny>(text).is_err();
            assert!(
                judged || error.kind == JsonErrorKind::TooDeep,
                "refused: {text:?}"
            );
        }
    }
    let unquoted = json::unquote(text).ok();
    assert_eq!(
        unquoted.as_deref(),
        serde_json::from_str::<String>(text).ok().as_deref()
    );
    if json::value(text) == Ok(text) {
        assert_eq!(json::integer(text), serde_json::from_str(text).ok());
    }
    json_items(text);
}

fn json_items(text: &str) {
    let elements = json::elements(text).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match (elements, serde_json::from_str::<Vec<&RawValue>>(text)) {
        (Ok(ours), Ok(theirs)) => assert!(ours.iter().copied().eq(theirs.iter().map(|raw| raw.get()))),
        (Ok(_), Err(error)) => panic!("elements of {text:?}: {error}"),
        (Err(error), theirs) => assert!(
            theirs.is_err() || error.kind == JsonErrorKind::TooDeep,
            "{text:?}"
        ),
    }
    let entries = json::entries(text).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    if let Ok(entries) = entries {
        assert!(serde_json::from_str::<IgnoredAny>(text).is_ok());
        assert!(
            entries
                .iter()
                .all(|(key, value)| json::value(key).is_ok() && json::value(value).is_ok())
        );
    } else if text.trim_start().starts_with('{') {
        assert!(json::value(text).is_err());
    }
}
