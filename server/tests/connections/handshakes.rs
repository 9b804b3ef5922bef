//! Requests that open nothing, on both endpoints (FAULTS 12, 17, 23, 48).

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::bytes::frame;
use crate::support::{Client, POLLING, Polling, Socket, TestServer, WEBSOCKET, token, within};

const RAW: &str = "/api/v1/ws";

/// Sends a request by hand and answers its status line.
async fn status_of(server: &TestServer, request: &str) -> String {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    within("a status line", stream.read_exact(&mut answer))
        .await
        .unwrap();
    String::from_utf8(answer.to_vec()).unwrap()
}

#[tokio::test]
async fn a_broken_websocket_handshake_is_refused_on_both_endpoints() {
    // The library forgets a session whose socket goes at once only when nobody authenticated in time.
    let server = TestServer::with(|config| config.limits.authenticate_ms = 500).await;
    let good = [
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    for path in [RAW, WEBSOCKET] {
        for (method, name, value, status) in [
            ("GET", "Sec-WebSocket-Key", "", "400"),
            ("GET", "Sec-WebSocket-Key", "c2hvcnQ=", "400"),
            ("GET", "Sec-WebSocket-Version", "8", "426"),
            ("GET", "Upgrade", "foo", "426"),
            // To Engine.IO it is no upgrade at all.
            (
                "GET",
                "Connection",
                "close",
                if path == RAW { "426" } else { "400" },
            ),
            ("POST", "X-Nothing", "", "400"),
            ("GET", "X-Nothing", "", "101"),
        ] {
            let mut request = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n");
            for (header, normal) in good {
                let value = if header == name { value } else { normal };
                if !value.is_empty() {
                    request += &format!("{header}: {value}\r\n");
                }
            }
            let answer = status_of(&server, &(request + "\r\n")).await;
            assert_eq!(
                answer,
                format!("HTTP/1.1 {status}"),
                "{method} {path} {name}: {value:?}"
            );
        }
    }
    server.emptied().await;
}

/// FAULTS 2: no extension is negotiated, so a frame that claims one breaks the protocol.
#[tokio::test]
async fn compression_that_is_offered_is_not_taken() {
    let server = TestServer::start().await;
    for path in [RAW, WEBSOCKET] {
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(within("the head", stream.read_u8()).await.unwrap());
        }
        let head = String::from_utf8(head).unwrap().to_lowercase();
        assert!(head.starts_with("http/1.1 101"), "{head}");
        assert!(!head.contains("sec-websocket-extensions"), "{head}");
        // The bit of a compressed message.
        stream.write_all(&frame(0xc1, b"\x4a\x00")).await.unwrap();
        let mut rest = Vec::new();
        within("the end", stream.read_to_end(&mut rest)).await.unwrap();
        // 1002, with its reason behind the code.
        let is_close = |end: &[u8]| end[0] == 0x88 && end[2..] == [0x03, 0xea];
        assert!(path == WEBSOCKET || rest.windows(4).any(is_close), "{rest:?}");
    }
    server.emptied().await;
}

#[tokio::test]
async fn requests_that_are_not_engine_io_4_open_no_session() {
    let server = TestServer::start().await;
    for (query, code) in [
        ("EIO=3&transport=polling", 5),
        ("EIO=4&EIO=3&transport=polling", 5),
        ("transport=polling", 5),
        ("EIO=4&transport=__proto__", 0),
        ("EIO=4&transport=constructor", 0),
        ("EIO=4&transport=webtransport", 0),
        ("EIO=4&transport=polling&sid=123456789012345", 1),
        ("EIO=4&transport=polling&sid=12345678901234567", 1),
        ("EIO=4&transport=polling&sid=../x", 1),
        ("EIO=4&transport=polling&sid=%00", 1),
        ("EIO=4&transport=websocket&sid=AAAAAAAAAAAAAAHs", 1),
        ("EIO=3&transport=polling&sid=AAAAAAAAAAAAAAHs", 1),
        ("EIO=3&transport=websocket", 3),
        ("EIO=4&transport=websocket", 3),
    ] {
        let url = server.url(&format!("/socket.io/?{query}"));
        let response = reqwest::get(url).await.unwrap();
        assert_eq!(response.status(), 400, "{query}");
        let body: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
        assert_eq!(body["code"], code, "{query}");
    }
    let elsewhere = reqwest::get(server.url("/socket.io-admin/?EIO=4&transport=polling"))
        .await
        .unwrap();
    assert_eq!(elsewhere.status(), 404);
    assert_eq!(server.count(), (0, 0));
}

#[tokio::test]
async fn pages_of_other_origins_are_refused_before_the_handshake() {
    let server = TestServer::with(|config| config.mode = bmt_server::config::Mode::Production).await;
    let own = format!("http://{}", server.address());
    for (origin, allowed) in [
        (own.as_str(), true),
        ("https://evil.example", false),
        ("null", false),
        ("http://localhost.evil.example", false),
    ] {
        for path in [RAW, WEBSOCKET] {
            let opened = Socket::open(&server.url(path), &[("origin", origin.to_owned())]).await;
            assert_eq!(opened.err(), (!allowed).then_some(403), "{origin} at {path}");
        }
        let request = reqwest::Client::new()
            .get(server.url(POLLING))
            .header("origin", origin);
        let response = request.send().await.unwrap();
        assert_eq!(response.status().is_success(), allowed, "{origin}");
        let told = response.headers().get("access-control-allow-origin").is_some();
        assert_eq!(told, allowed, "{origin}");
    }
    let twice = [("origin", own.clone()), ("origin", own)];
    assert_eq!(Socket::open(&server.url(RAW), &twice).await.err(), Some(403));
}

#[tokio::test]
async fn a_session_is_upgraded_once_and_the_first_upgrade_survives() {
    let server = TestServer::start().await;
    let polling = Polling::connect(&server, "u").await;
    let url = server.url(&format!("{WEBSOCKET}&sid={}", polling.sid));
    let mut first = Socket::open(&url, &[]).await.unwrap();
    assert_eq!(
        Socket::open(&url, &[]).await.err(),
        Some(400),
        "while the first is under way"
    );
    first.send("2probe").await;
    assert_eq!(first.text().await, "3probe");
    first.send("5").await;
    first.send(r#"421["heartbeat",{"timestamp":1}]"#).await;
    while !first.text().await.starts_with("431[") {}
    assert_eq!(
        Socket::open(&url, &[]).await.err(),
        Some(400),
        "after the first succeeded"
    );
    first.send(r#"422["heartbeat",{"timestamp":1}]"#).await;
    while !first.text().await.starts_with("432[") {}
}

#[tokio::test]
async fn a_failed_upgrade_ends_the_session_at_once() {
    let server = TestServer::start().await;
    let polling = Polling::connect(&server, "u").await;
    let url = server.url(&format!("{WEBSOCKET}&sid={}", polling.sid));
    let mut socket = Socket::open(&url, &[]).await.unwrap();
    socket.send("5").await;
    assert!(socket.receive().await.is_err());
    server.emptied().await;
    assert_eq!(polling.get().await.0, 400);
}

#[tokio::test]
async fn a_session_begun_on_a_websocket_takes_no_second_one() {
    let server = TestServer::start().await;
    let client = Client::connect(&server, "u").await;
    let url = server.url(&format!("{WEBSOCKET}&sid={}", client.sid));
    assert_eq!(Socket::open(&url, &[]).await.err(), Some(400));
}

#[tokio::test]
async fn an_unknown_protocol_of_the_raw_endpoint_is_refused() {
    let server = TestServer::start().await;
    let path = format!("{RAW}?protocol=2.0&token={}", token("u"));
    assert_eq!(Socket::open(&server.url(&path), &[]).await.err(), Some(400));
}
