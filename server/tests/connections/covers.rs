//! What socketioxide would get wrong by itself. Each test fails without its cover (see `connection/socketio.rs`).

use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::Message;

use crate::support::{
    Client, POLLING, Polling, Socket, TestServer, WEBSOCKET, hasty, open_sid, token, within,
};

#[tokio::test]
async fn the_private_session_id_is_never_told_as_a_name() {
    let server = TestServer::start().await;
    let mut client = Client::connect(&server, "u").await;
    let hello = client.hello.to_string();
    assert!(!hello.contains(&client.sid), "{hello}");
    assert_ne!(client.hello["connectionId"], json!(client.sid));
    let reply = client.request("no_such_event", &json!({})).await;
    assert!(!reply.to_string().contains(&client.sid));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn events_right_behind_the_connect_answer_are_taken() {
    let server = TestServer::start().await;
    for _ in 0..300 {
        let mut client = Client::open(&server).await;
        let connect = format!("40{}", json!({"token": token("u")}));
        client.socket.send(connect).await;
        // The answer to CONNECT is written before the library's connect handler runs.
        assert!(client.packet().await.starts_with("40"));
        client.socket.send(r#"421["heartbeat",{"timestamp":7}]"#).await;
        assert_eq!(client.ack(1).await["status"], "success");
    }
}

#[tokio::test]
async fn a_body_that_cannot_be_read_is_answered_under_its_callback() {
    let server = TestServer::start().await;
    let mut client = Client::connect(&server, "u").await;
    for packet in [
        r#"421["publish",{"topic":5}]"#,
        r#"421["publish",{"topic":"public:a"}]"#,
        r#"421["publish",7]"#,
        r#"421["publish"]"#,
        r#"421["__proto__",{}]"#,
        r#"421["connect",{}]"#,
    ] {
        client.socket.send(packet).await;
        let reply = client.ack(1).await;
        assert_eq!(reply["code"], "invalid_message", "{packet}: {reply}");
    }
}

#[tokio::test]
async fn a_lone_surrogate_is_refused_and_the_connection_stays() {
    let server = TestServer::start().await;
    let mut client = Client::connect(&server, "u").await;
    client
        .socket
        .send(r#"421["publish",{"topic":"public:a","payload":1,"messageId":"\ud800"}]"#)
        .await;
    assert_eq!(client.ack(1).await["code"], "invalid_message");
    assert_eq!(client.request("heartbeat", &json!({})).await["status"], "success");
}

#[tokio::test]
async fn odd_events_end_the_connection_or_are_passed_over() {
    let server = TestServer::start().await;
    let mut bystander = Client::connect(&server, "b").await;
    let digits = "9".repeat(100_000);
    for packet in [
        "42[]".to_owned(),
        r#"421["publish",]"#.to_owned(),
        r#"421["publish",{"payload":{]"#.to_owned(),
        "42[null]".to_owned(),
        "42{}".to_owned(),
        format!("42{digits}[\"heartbeat\",{{}}]"),
        r#"42-1["heartbeat",{}]"#.to_owned(),
        r#"429223372036854775808["heartbeat",{}]"#.to_owned(),
        format!("42[\"{}\",{{}}]", "x".repeat(10_000)),
        "431[]".to_owned(),
        "44{}".to_owned(),
        "4".to_owned(),
        "9".to_owned(),
    ] {
        let mut client = Client::connect(&server, "u").await;
        client.socket.send(packet).await;
        // Whatever became of it: the connection is over or works.
        let _ = client
            .socket
            .try_send(Message::text(r#"427["heartbeat",{}]"#))
            .await;
        while let Ok(message) = client.socket.receive().await {
            if message.to_text().is_ok_and(|text| text.starts_with("437[")) {
                break;
            }
        }
    }
    assert_eq!(
        bystander.request("heartbeat", &json!({})).await["status"],
        "success"
    );
}

#[tokio::test]
async fn other_namespaces_are_refused_and_a_second_connect_changes_nothing() {
    let server = TestServer::start().await;
    let mut client = Client::connect(&server, "u").await;
    for n in 0..100 {
        client.socket.send(format!("40/ns{n},")).await;
        let refused = client.packet().await;
        assert_eq!(refused, format!("44/ns{n},{{\"message\":\"Invalid namespace\"}}"));
    }
    client
        .socket
        .send(format!("40{}", json!({"token": token("somebody else")})))
        .await;
    client.socket.send(r#"421["heartbeat",{}]"#).await;
    assert!(
        client.packet().await.starts_with(r#"42["heartbeat_ack""#),
        "no second CONNECT answer, no `connected`"
    );
    assert_eq!(server.count(), (1, 1));
}

#[tokio::test]
async fn frames_over_the_limit_close_the_session() {
    let server = TestServer::start().await;
    let most = 2 * 64 * 1_024 + 4 * 1_024;
    let mut client = Client::connect(&server, "u").await;
    // Engine.IO's `4`, Socket.IO's `2` and the brackets belong to the frame.
    let frame = |bytes: usize| format!("421[\"heartbeat\",\"{}\"]", "x".repeat(bytes - 19));
    assert_eq!(frame(most).len(), most);
    client.socket.send(frame(most)).await;
    assert_eq!(client.ack(1).await["code"], "invalid_message");
    client.socket.send(frame(most + 1)).await;
    client.rest().await;
    server.emptied().await;

    let polling = Polling::connect(&server, "u").await;
    assert_eq!(polling.post(frame(most + 1)).await.0, 413);
    server.emptied().await;
}

#[tokio::test]
async fn more_than_ten_attachments_close_the_session() {
    let server = TestServer::start().await;
    let mut client = Client::connect(&server, "u").await;
    client.socket.send(r#"4511-["publish",{}]"#).await;
    client.rest().await;
    server.emptied().await;
}

#[tokio::test]
async fn binary_parts_that_are_not_named_once_are_refused() {
    let server = TestServer::start().await;
    let mut client = Client::connect(&server, "u").await;
    let part = r#"{"_placeholder":true,"num":0}"#;
    for payload in [
        "1".to_owned(),
        format!("[{part},{part}]"),
        r#"{"_placeholder":true,"num":7}"#.to_owned(),
    ] {
        client
            .socket
            .send(format!(
                r#"451-1["publish",{{"topic":"public:a","payload":{payload}}}]"#
            ))
            .await;
        client.socket.try_send(Message::binary(vec![1, 2])).await.unwrap();
        assert_eq!(client.ack(1).await["code"], "invalid_message", "{payload}");
    }
}

/// A WebSocket whose owner never reads, with as little room in the kernel as it lets itself be given.
async fn deaf_socket(server: &TestServer, path: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(1_024).unwrap();
    let mut stream = socket.connect(server.address()).await.unwrap();
    let handshake = format!(
        "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(handshake.as_bytes()).await.unwrap();
    stream
}

/// The same, connected over Socket.IO: it reads so far and no further.
async fn deaf_client(server: &TestServer) -> TcpStream {
    let mut stream = deaf_socket(server, WEBSOCKET).await;
    let connect = format!("40{}", json!({"token": token("deaf")}));
    stream.write_all(&masked(&connect)).await.unwrap();
    let mut read = Vec::new();
    while !String::from_utf8_lossy(&read).contains("heartbeatInterval") {
        within("connected", stream.read_buf(&mut read)).await.unwrap();
    }
    stream
}

/// A masked text frame of a client; a mask of zeros leaves the text as it is.
fn masked(text: &str) -> Vec<u8> {
    let mut frame = vec![0x81];
    match u8::try_from(text.len()) {
        Ok(length) if length < 126 => frame.push(0x80 | length),
        _ => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&u16::try_from(text.len()).unwrap().to_be_bytes());
        }
    }
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(text.as_bytes());
    frame
}

/// Keeps asking for answers that it never reads until the server has had enough.
async fn ask_and_never_read(stream: &mut TcpStream, request: &str) {
    let frame = masked(request).repeat(100);
    let flood = async { while stream.write_all(&frame).await.is_ok() {} };
    within("the server to give up", flood).await;
}

#[tokio::test]
async fn a_reader_that_takes_nothing_is_dropped_from_socket_io() {
    let server = TestServer::with(hasty).await;
    let mut stream = deaf_client(&server).await;
    ask_and_never_read(&mut stream, r#"42["no_such_event",{}]"#).await;
    // The stream stays open on this side: it is the server that lets go.
    server.emptied().await;
    drop(stream);
}

#[tokio::test]
async fn a_reader_that_takes_nothing_is_dropped_from_raw() {
    let server = TestServer::with(hasty).await;
    let path = format!("/api/v1/ws?token={}", token("deaf"));
    let mut stream = deaf_socket(&server, &path).await;
    ask_and_never_read(&mut stream, r#"{"type":"no_such_type","data":{}}"#).await;
    server.emptied().await;
    drop(stream);
}

#[tokio::test]
async fn a_ping_flood_of_a_peer_that_never_reads_ends() {
    let server = TestServer::with(hasty).await;
    let path = format!("/api/v1/ws?token={}", token("deaf"));
    let mut stream = deaf_socket(&server, &path).await;
    let ping = [&[0x89, 0x80 | 125, 0, 0, 0, 0][..], &[7; 125][..]]
        .concat()
        .repeat(100);
    let flood = async { while stream.write_all(&ping).await.is_ok() {} };
    within("the server to give up", flood).await;
    server.emptied().await;
}

#[tokio::test]
async fn a_stuck_client_does_not_hold_up_the_end_of_the_server() {
    let mut server = TestServer::start().await;
    let mut stream = deaf_client(&server).await;
    let frame = masked(r#"42["no_such_event",{}]"#).repeat(1_000);
    // As much as goes in before both sides are full.
    let a_moment = Duration::from_millis(300);
    while let Ok(Ok(())) = tokio::time::timeout(a_moment, stream.write_all(&frame)).await {}
    server.stop().await;
}

#[tokio::test]
async fn two_polls_at_once_close_the_session() {
    let server = TestServer::start().await;
    let polling = Polling::connect(&server, "u").await;
    let (first, second) = tokio::join!(polling.get(), polling.get());
    assert!(first.0 == 400 || second.0 == 400, "{first:?} {second:?}");
    server.emptied().await;
}

#[tokio::test]
async fn a_post_that_never_ends_is_given_up() {
    let server = TestServer::with(|config| config.limits.authenticate_ms = 500).await;
    let opened = reqwest::get(server.url(POLLING))
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    let sid = open_sid(&opened);
    let mut streams = Vec::new();
    for _ in 0..20 {
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        let head = format!("POST {POLLING}&sid={sid} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n40");
        stream.write_all(head.as_bytes()).await.unwrap();
        streams.push(stream);
    }
    for stream in &mut streams {
        let mut answer = Vec::new();
        let read = stream.read_to_end(&mut answer);
        within("the server to hang up", read).await.unwrap();
    }
    server.emptied().await;
}

#[tokio::test]
async fn bad_polling_bodies_close_the_session() {
    let server = TestServer::start().await;
    for body in [
        vec![0x1e; 50_000],
        vec![0xff, 0xfe],
        b"b!!!notbase64".to_vec(),
        b"9".to_vec(),
    ] {
        let polling = Polling::open(&server).await;
        let (status, _) = polling.post(body.clone()).await;
        assert_eq!(status, 400, "{:?}", &body[..2]);
    }
}

#[tokio::test]
async fn a_flood_of_pongs_before_authentication_changes_nothing() {
    let server = TestServer::with(|config| config.limits.authenticate_ms = 500).await;
    let mut socket = Socket::open(&server.url(WEBSOCKET), &[]).await.unwrap();
    for _ in 0..10_000 {
        if socket.try_send(Message::text("3")).await.is_err() {
            break;
        }
    }
    assert!(socket.close_code().await.is_none_or(|code| code < 3_000));
    server.emptied().await;
}
