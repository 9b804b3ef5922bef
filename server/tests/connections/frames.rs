//! WebSocket frames that break RFC 6455, on the raw endpoint and behind Socket.IO (FAULTS 7, 8, 10, 84).

use std::time::Duration;

use serde_json::json;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};

use crate::raw::RawClient;
use crate::support::{Client, TestServer, token};

/// How soon nothing is left of a connection that broke the protocol: the second in which its last frame may still
/// be read, and what a busy machine adds.
const GONE: Duration = Duration::from_secs(2);

async fn is_emptied_soon(server: &TestServer, after: &str) {
    let emptied = timeout(GONE, server.emptied()).await;
    assert!(
        emptied.is_ok(),
        "{:?} are left {GONE:?} after {after}",
        server.count()
    );
}

fn text(bytes: &'static [u8], kind: Data, is_final: bool) -> Message {
    Message::Frame(Frame::message(bytes, OpCode::Data(kind), is_final))
}

/// FAULTS 7: a character that begins in one frame and does not go on in the next.
#[tokio::test]
async fn a_text_that_is_not_utf8_over_two_frames_closes_with_1007() {
    let server = TestServer::start().await;
    let mut raw = RawClient::connect(&server, &token("a")).await;
    let mut other = Client::connect(&server, "b").await;
    for socket in [&mut raw.socket, &mut other.socket] {
        for part in [
            text(b"{\"\xe4\xbd", Data::Text, false),
            text(b"\x20\"}", Data::Continue, true),
        ] {
            socket.try_send(part).await.unwrap();
        }
    }
    assert_eq!(raw.socket.close_code().await, Some(1007));
    let code = other.socket.close_code().await;
    assert!(code.is_none_or(|code| code == 1007), "{code:?}");
    is_emptied_soon(&server, "invalid UTF-8").await;
}

/// FAULTS 7, on raw; behind Socket.IO it is `covers.rs` that shows it.
#[tokio::test]
async fn a_lone_surrogate_on_raw_is_refused_and_the_connection_stays() {
    let server = TestServer::start().await;
    let mut raw = RawClient::connect(&server, &token("a")).await;
    for text in [
        r#"{"type":"publish","messageId":"m","data":{"topic":"public:\ud800","payload":1}}"#,
        r#"{"type":"publish","messageId":"\ud800","data":{"topic":"public:a","payload":1}}"#,
        r#"{"type":"\ud800","data":{}}"#,
    ] {
        raw.socket.send(text).await;
        assert_eq!(raw.next().await["data"]["code"], 2000, "{text}");
    }
    assert_eq!(
        raw.request("presence", &json!({"topic": "public:a"})).await["type"],
        "ack"
    );
}

/// FAULTS 10 behind Socket.IO: what is no packet ends the session or is passed over, and nobody else notices.
#[tokio::test]
async fn frames_that_are_no_packet_end_the_session_or_are_passed_over() {
    let server = TestServer::start().await;
    let mut bystander = Client::connect(&server, "b").await;
    let text = |text: &str| Message::text(text);
    for bad in [
        Message::binary(vec![1, 2, 3]),
        Message::binary(Vec::new()),
        text("[1]"),
        text("4[1]"),
        text("7"),
        text("47"),
        text("null"),
        text("4null"),
        text("42null"),
        text(""),
        text("  "),
        text("4  "),
    ] {
        let mut other = Client::connect(&server, "a").await;
        for _ in 0..5 {
            // The session may be over already.
            let _ = other.socket.try_send(bad.clone()).await;
        }
        let _ = other.socket.try_send(text(r#"421["heartbeat",{}]"#)).await;
        while let Ok(message) = other.socket.receive().await {
            if message.to_text().is_ok_and(|text| text.starts_with("431[")) {
                break;
            }
        }
        drop(other);
        assert_eq!(
            bystander.request("heartbeat", &json!({})).await["status"],
            "success",
            "{bad:?}"
        );
    }
    drop(bystander);
    is_emptied_soon(&server, "frames that are no packet").await;
}

/// A character may be cut in two as long as its halves meet.
#[tokio::test]
async fn a_character_that_is_cut_between_two_frames_arrives_whole() {
    let server = TestServer::start().await;
    let mut raw = RawClient::connect(&server, &token("a")).await;
    raw.request("subscribe", &json!({"topic": "public:a"})).await;
    let head = b"{\"type\":\"publish\",\"messageId\":\"m\",\"data\":{\"topic\":\"public:a\",\"payload\":{\"content\":\"\xe4\xbd";
    for part in [
        text(head, Data::Text, false),
        text(b"\xa0\"}}}", Data::Continue, true),
    ] {
        raw.socket.try_send(part).await.unwrap();
    }
    assert_eq!(raw.frame("data").await["data"], "你");
}

/// FAULTS 8: codes that must not stand in a close frame (RFC 6455 §7.4).
#[tokio::test]
async fn a_close_with_a_forbidden_code_ends_the_connection_at_once() {
    let server = TestServer::start().await;
    for code in [0, 999, 1005, 1006, 1015, 65_535] {
        let frame = CloseFrame {
            code: CloseCode::from(code),
            reason: "".into(),
        };
        let mut raw = RawClient::connect(&server, &token("a")).await;
        let mut other = Client::connect(&server, "b").await;
        for socket in [&mut raw.socket, &mut other.socket] {
            let close = Message::Frame(Frame::close(Some(frame.clone())));
            socket.try_send(close).await.unwrap();
            let answer = socket.close_code().await;
            let allowed = [None, Some(1000), Some(1002), Some(1007)];
            assert!(allowed.contains(&answer), "{code} was answered {answer:?}");
        }
        is_emptied_soon(&server, &format!("close {code}")).await;
    }
}

/// FAULTS 8: a control frame holds 125 bytes at most (RFC 6455 §5.5), and nothing follows a close.
#[tokio::test]
async fn a_close_that_is_too_long_and_data_behind_a_close_end_the_connection() {
    let server = TestServer::start().await;
    let long = |length: usize| {
        Frame::close(Some(CloseFrame {
            code: CloseCode::Normal,
            reason: "x".repeat(length).into(),
        }))
    };
    let normal = Frame::close(None);
    for (close, behind) in [
        (long(124), None),
        (long(126), None),
        (normal, Some("{\"type\":\"ping\"}")),
    ] {
        let mut raw = RawClient::connect(&server, &token("a")).await;
        let mut other = Client::connect(&server, "b").await;
        for socket in [&mut raw.socket, &mut other.socket] {
            socket.try_send(Message::Frame(close.clone())).await.unwrap();
            if let Some(behind) = behind {
                // The server may have hung up already.
                let data = Frame::message(behind, OpCode::Data(Data::Text), true);
                let _ = socket.try_send(Message::Frame(data)).await;
            }
            while socket.receive().await.is_ok() {}
        }
        is_emptied_soon(&server, "a close").await;
    }
}

/// FAULTS 84.
#[tokio::test]
async fn a_key_is_printable_ascii_of_64_bytes_at_most_and_a_missing_one_is_made() {
    let server = TestServer::start().await;
    let mut client = Client::connect(&server, "a").await;
    let longest = "k".repeat(64);
    let publish = |key: &str| json!({"topic": "public:a", "payload": 1, "messageId": key});
    for key in ["__proto__", "constructor", "a b~", longest.as_str()] {
        let answer = client.request("publish", &publish(key)).await;
        assert_eq!(answer["status"], "success", "{key}: {answer}");
        let again = client.request("publish", &publish(key)).await;
        assert_eq!(
            (&again["duplicate"], &again["seq"]),
            (&json!(true), &answer["seq"])
        );
    }
    for key in ["", "ключ", "a\u{7f}", "a\n", &"k".repeat(65)] {
        let answer = client.request("publish", &publish(key)).await;
        assert_eq!(answer["code"], "invalid_message", "{key:?}: {answer}");
    }
    let missing = json!({"topic": "public:a", "payload": 1});
    let (first, second) = (
        client.request("publish", &missing).await,
        client.request("publish", &missing).await,
    );
    assert_ne!(first["messageId"], second["messageId"]);
    assert_eq!(second["seq"], 6, "four keys, and two that were made");
}
