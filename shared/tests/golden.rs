//! The codecs against the wire fixtures in `tests/golden`, whose README describes their format.

use bmt_shared::codec::engineio::{self, Handshake, payload};
use bmt_shared::codec::raw::{self, Envelope};
use bmt_shared::codec::socketio::{self, Reassembler};
use serde_json::{Map, Value, json};

/// The cases of one file; at least `at_least` of them, so that an emptied file is noticed.
fn cases(file: &str, at_least: usize) -> Vec<Value> {
    let path = format!("{}/../tests/golden/{file}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let cases: Vec<Value> = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"));
    let mut names: Vec<_> = cases.iter().map(name).collect();
    names.sort_unstable();
    assert!(
        names.windows(2).all(|pair| pair[0] != pair[1]),
        "{path}: a name comes twice"
    );
    assert!(cases.len() >= at_least, "{path}: {} cases", cases.len());
    cases
}

fn name(case: &Value) -> &str {
    case["name"].as_str().expect("a case has a name")
}

fn wire(case: &Value) -> &str {
    case["wire"].as_str().expect("a case has a wire text")
}

fn is_canonical(case: &Value) -> bool {
    case["canonical"] != json!(false)
}

/// Checks one text case: `decode` reads it as its `decoded`, or fails if it has none.
fn check<E: std::fmt::Display>(case: &Value, decoded: Result<Value, E>) {
    match (case.get("decoded"), decoded) {
        (Some(expected), Ok(found)) => assert_eq!(&found, expected, "{}", name(case)),
        (Some(_), Err(error)) => panic!("{}: {error}", name(case)),
        (None, Ok(found)) => panic!("{}: decoded to {found}", name(case)),
        (None, Err(error)) => {
            assert!(
                case["error"].is_string(),
                "{}: neither decoded nor error",
                name(case)
            );
            assert!(!error.to_string().is_empty());
        }
    }
}

/// Base64 as the polling transport writes it.
fn base64(bytes: &[u8]) -> String {
    engineio::Packet::Binary(bytes.into()).encode()[1..].to_owned()
}

fn unbase64(text: &Value) -> Vec<u8> {
    let wire = format!("b{}", text.as_str().expect("base64 is a text"));
    match engineio::Packet::decode(&wire) {
        Ok(engineio::Packet::Binary(bytes)) => bytes.into_owned(),
        other => panic!("{wire}: {other:?}"),
    }
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn engineio_value(packet: &engineio::Packet<'_>) -> Value {
    use engineio::Packet;
    match packet {
        Packet::Open(data) => json!({"type": "open", "data": data, "handshake": handshake_value(data)}),
        Packet::Close => json!({"type": "close"}),
        Packet::Ping(data) => json!({"type": "ping", "data": data}),
        Packet::Pong(data) => json!({"type": "pong", "data": data}),
        Packet::Message(data) => json!({"type": "message", "data": data}),
        Packet::Binary(bytes) => json!({"type": "message", "dataBase64": base64(bytes)}),
        Packet::Upgrade => json!({"type": "upgrade"}),
        Packet::Noop => json!({"type": "noop"}),
    }
}

fn handshake_value(text: &str) -> Value {
    let handshake = Handshake::decode(text).expect("a handshake");
    assert_eq!(
        handshake.encode(),
        text,
        "a handshake is written as the official server writes it"
    );
    let mut value = json!({
        "sid": handshake.sid,
        "upgrades": handshake.upgrades,
        "pingInterval": handshake.ping_interval_ms,
        "pingTimeout": handshake.ping_timeout_ms,
    });
    if let Some(bytes) = handshake.max_payload_bytes {
        value["maxPayload"] = bytes.into();
    }
    value
}

fn socketio_value(packet: &socketio::Packet<'_>) -> Value {
    use socketio::Packet;
    let mut value = Map::new();
    let (kind, id, data) = match *packet {
        Packet::Connect { data, .. } => ("CONNECT", None, data),
        Packet::Disconnect { .. } => ("DISCONNECT", None, None),
        Packet::ConnectError { data, .. } => ("CONNECT_ERROR", None, data),
        Packet::Event {
            id,
            data,
            attachments: 0,
            ..
        } => ("EVENT", id, Some(data)),
        Packet::Event { id, data, .. } => ("BINARY_EVENT", id, Some(data)),
        Packet::Ack {
            id,
            data,
            attachments: 0,
            ..
        } => ("ACK", Some(id), Some(data)),
        Packet::Ack { id, data, .. } => ("BINARY_ACK", Some(id), Some(data)),
    };
    value.insert("type".into(), kind.into());
    value.insert("namespace".into(), packet.namespace().as_str().into());
    if let Some(id) = id {
        value.insert("id".into(), id.into());
    }
    if let Some(data) = data {
        value.insert("data".into(), parsed(data));
    }
    if packet.attachments() > 0 {
        value.insert("attachments".into(), packet.attachments().into());
    }
    value.into()
}

fn envelope_value(envelope: &Envelope<'_>) -> Value {
    let mut value = json!({"type": envelope.kind, "data": parsed(envelope.data)});
    let numbers = [("timestamp", envelope.timestamp), ("sequence", envelope.sequence)];
    let texts = [
        ("messageId", &envelope.message_id),
        ("topic", &envelope.topic),
        ("from", &envelope.from),
    ];
    for (field, number) in numbers {
        if let Some(number) = number {
            value[field] = number.into();
        }
    }
    for (field, text) in texts {
        if let Some(text) = text {
            value[field] = (&**text).into();
        }
    }
    value
}

#[test]
fn engineio_packets_read_and_write_as_the_fixtures_say() {
    for case in cases("engineio", 22) {
        if let Some(binary) = case.get("wireBase64") {
            // A binary frame is the message: there is nothing to decode.
            check::<String>(
                &case,
                Ok(engineio_value(&engineio::Packet::Binary(unbase64(binary).into()))),
            );
            continue;
        }
        let packet = engineio::Packet::decode(wire(&case));
        if let Ok(packet) = &packet {
            assert_eq!(packet.encode(), wire(&case), "{}", name(&case));
        }
        check(&case, packet.map(|packet| engineio_value(&packet)));
    }
}

#[test]
fn engineio_payloads_read_and_write_as_the_fixtures_say() {
    for case in cases("engineio-payload", 9) {
        let packets = payload::decode(wire(&case), payload::Limits::default())
            .and_then(|packets| packets.collect::<Result<Vec<_>, _>>());
        if let Ok(packets) = &packets {
            let mut writer = payload::Writer::new(wire(&case).len());
            for packet in packets {
                match packet {
                    engineio::Packet::Binary(bytes) => writer.push_binary(bytes),
                    text => writer.push_text(&text.encode()),
                }
                .expect("it fits");
            }
            assert_eq!(writer.finish(), wire(&case), "{}", name(&case));
        }
        check(
            &case,
            packets.map(|packets| packets.iter().map(engineio_value).collect()),
        );
    }
}

#[test]
fn socketio_packets_read_and_write_as_the_fixtures_say() {
    for case in cases("socketio", 48) {
        let packet = socketio::Packet::decode(wire(&case));
        if let Ok(packet) = packet {
            let encoded = packet.encode();
            assert!(
                !is_canonical(&case) || encoded == wire(&case),
                "{}: {encoded}",
                name(&case)
            );
            assert_eq!(socketio::Packet::decode(&encoded), Ok(packet), "{}", name(&case));
            collect_attachments(&case, &packet);
        }
        check(&case, packet.map(|packet| socketio_value(&packet)));
    }
}

/// Sends a case's packet and attachments through a [`Reassembler`].
fn collect_attachments(case: &Value, packet: &socketio::Packet<'_>) {
    let attachments: Vec<_> = case["attachmentsBase64"]
        .as_array()
        .into_iter()
        .flatten()
        .map(unbase64)
        .collect();
    let mut reassembler = Reassembler::new();
    let whole = reassembler.handle_text(wire(case)).expect("a packet");
    assert_eq!(whole.is_some(), attachments.is_empty(), "{}", name(case));
    let mut assembled = None;
    for attachment in &attachments {
        assert!(assembled.is_none(), "{}: complete too early", name(case));
        assembled = reassembler.handle_binary(attachment.clone()).expect("announced");
    }
    assert!(!reassembler.is_waiting(), "{}", name(case));
    if let Some(assembled) = assembled {
        assert_eq!(
            (assembled.packet(), &assembled.attachments),
            (*packet, &attachments),
            "{}",
            name(case)
        );
    }
}

#[test]
fn a_whole_session_is_understood_frame_by_frame() {
    let [mut client, mut server] = [Reassembler::new(), Reassembler::new()];
    for case in cases("session", 17) {
        let reassembler = if case["from"] == "client" {
            &mut client
        } else {
            &mut server
        };
        let packet = match case.get("wireBase64") {
            Some(binary) => engineio::Packet::Binary(unbase64(binary).into()),
            None => engineio::Packet::decode(wire(&case)).expect("a packet"),
        };
        let mut found = json!({"engineio": engineio_value(&packet)});
        match packet {
            engineio::Packet::Message(text) => {
                if let Some(packet) = reassembler.handle_text(text).expect("in step") {
                    found["socketio"] = socketio_value(&packet);
                }
            }
            engineio::Packet::Binary(bytes) => {
                if let Some(assembled) = reassembler.handle_binary(bytes.into_owned()).expect("in step") {
                    found["socketio"] = socketio_value(&assembled.packet());
                    found["attachmentsBase64"] =
                        assembled.attachments.iter().map(|bytes| base64(bytes)).collect();
                }
            }
            _ => {}
        }
        assert_eq!(found, case["decoded"], "{}", name(&case));
    }
}

#[test]
fn raw_frames_read_and_write_as_the_fixtures_say() {
    for case in cases("raw", 27) {
        let envelopes = raw::decode_frame(wire(&case));
        if let Ok(envelopes) = &envelopes {
            let encoded: Vec<_> = envelopes.iter().map(Envelope::encode).collect();
            let frame = raw::join_frames(&encoded.iter().map(String::as_str).collect::<Vec<_>>());
            assert!(
                !is_canonical(&case) || frame == wire(&case),
                "{}: {frame}",
                name(&case)
            );
            assert_eq!(
                raw::decode_frame(&frame).as_ref(),
                Ok(envelopes),
                "{}",
                name(&case)
            );
        }
        let value = envelopes.map(|envelopes| match &envelopes[..] {
            [one] => envelope_value(one),
            many => many.iter().map(envelope_value).collect(),
        });
        check(&case, value);
    }
}
