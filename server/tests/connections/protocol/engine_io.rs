//! Engine.IO 4, the behaviours of its official suite. A session echoes nothing by itself, so where the suite sends a
//! text and waits for it, a heartbeat is asked for and its answer waited for.

use std::io::Read;
use std::time::Duration;

use bmt_server::config::Config;
use flate2::read::GzDecoder;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::Message;

use super::{SEPARATOR, handshake, often_pinged, patient, polled};
use crate::support::{Client, POLLING, Polling, Socket, TestServer, WEBSOCKET, connect_packet, hasty};

/// A heartbeat under this callback.
fn ask(call: u64) -> String {
    format!("42{call}{}", json!(["heartbeat", {"timestamp": call}]))
}

async fn status(server: &TestServer, query: &str) -> u16 {
    let url = server.url(&format!("/socket.io/?{query}"));
    reqwest::get(url).await.unwrap().status().as_u16()
}

#[tokio::test]
async fn a_poll_opens_a_session_and_tells_its_terms() {
    let server = TestServer::start().await;
    let response = reqwest::get(server.url(POLLING)).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(
        response.headers()["content-type"]
            .to_str()
            .unwrap()
            .to_lowercase(),
        "text/plain; charset=utf-8"
    );
    let terms = handshake(&response.text().await.unwrap());
    assert_eq!(terms["upgrades"], json!(["websocket"]));
    assert_eq!(terms["pingInterval"], 10_000);
    assert_eq!(terms["pingTimeout"], 5_000);
    assert_eq!(terms["maxPayload"], 2 * 65_536 + 4_096);
}

#[tokio::test]
async fn a_poll_without_the_protocols_version_opens_nothing() {
    let server = TestServer::start().await;
    assert_eq!(status(&server, "transport=polling").await, 400);
    assert_eq!(status(&server, "EIO=abc&transport=polling").await, 400);
    assert_eq!(server.count(), (0, 0));
}

#[tokio::test]
async fn a_poll_without_a_known_transport_opens_nothing() {
    let server = TestServer::start().await;
    assert_eq!(status(&server, "EIO=4").await, 400);
    assert_eq!(status(&server, "EIO=4&transport=abc").await, 400);
    assert_eq!(server.count(), (0, 0));
}

#[tokio::test]
async fn no_method_but_get_opens_a_session() {
    let server = TestServer::start().await;
    let http = reqwest::Client::new();
    for request in [
        http.post(server.url(POLLING)),
        http.put(server.url(POLLING)),
        http.delete(server.url(POLLING)),
        http.patch(server.url(POLLING)),
    ] {
        assert_eq!(request.send().await.unwrap().status(), 400);
    }
    assert_eq!(server.count(), (0, 0));
}

#[tokio::test]
async fn a_websocket_opens_a_session_and_tells_its_terms() {
    let server = TestServer::start().await;
    let mut socket = Socket::open(&server.url(WEBSOCKET), &[]).await.unwrap();
    let terms = handshake(&socket.text().await);
    assert_eq!(terms["upgrades"], json!([]));
    assert_eq!(terms["pingInterval"], 10_000);
    assert_eq!(terms["pingTimeout"], 5_000);
    assert_eq!(terms["maxPayload"], 2 * 65_536 + 4_096);
}

#[tokio::test]
async fn a_websocket_without_the_protocols_version_is_not_accepted() {
    let server = TestServer::start().await;
    for query in ["transport=websocket", "EIO=abc&transport=websocket"] {
        let url = server.url(&format!("/socket.io/?{query}"));
        assert_eq!(Socket::open(&url, &[]).await.err(), Some(400), "{query}");
    }
    assert_eq!(server.count(), (0, 0));
}

#[tokio::test]
async fn a_websocket_without_a_known_transport_is_not_accepted() {
    let server = TestServer::start().await;
    for query in ["EIO=4", "EIO=4&transport=abc"] {
        let url = server.url(&format!("/socket.io/?{query}"));
        assert_eq!(Socket::open(&url, &[]).await.err(), Some(400), "{query}");
    }
    assert_eq!(server.count(), (0, 0));
}

#[tokio::test]
async fn a_text_that_is_posted_is_answered_in_a_poll() {
    let server = TestServer::start().await;
    let polling = Polling::connect(&server, "u").await;
    assert_eq!(polling.post(ask(1)).await, (200, "ok".to_owned()));
    let answers = polled(&polling, 2).await;
    assert!(
        answers.iter().any(|packet| packet.starts_with("431[")),
        "{answers:?}"
    );
}

#[tokio::test]
async fn several_texts_in_one_post_are_answered_in_their_order() {
    let server = TestServer::start().await;
    let polling = Polling::connect(&server, "u").await;
    let body = [ask(1), ask(2), ask(3)].join(&SEPARATOR.to_string());
    assert_eq!(polling.post(body).await, (200, "ok".to_owned()));
    // A heartbeat is answered by an event and under its callback.
    let answers = polled(&polling, 6).await;
    let called: Vec<_> = answers
        .iter()
        .filter_map(|packet| packet.strip_prefix("43"))
        .collect();
    assert_eq!(called.len(), 3, "{answers:?}");
    for (call, answer) in ["1[", "2[", "3["].iter().zip(called) {
        assert!(answer.starts_with(call), "{answers:?}");
    }
}

#[tokio::test]
async fn text_and_binary_packets_share_a_payload_both_ways() {
    let server = TestServer::start().await;
    let polling = Polling::connect(&server, "u").await;
    polling.post(r#"421["subscribe",{"topic":"public:a"}]"#).await;
    polling.until("431[").await;
    let part = r#"{"_placeholder":true,"num":0}"#;
    let event = format!(r#"451-["publish",{{"topic":"public:a","payload":{part},"ackRequired":false}}]"#);
    let body = format!("{event}{SEPARATOR}bAQIDBA==");
    assert_eq!(polling.post(body).await, (200, "ok".to_owned()));
    let payload = polling.until("451-").await;
    let packets: Vec<_> = payload.split(SEPARATOR).filter(|packet| *packet != "2").collect();
    assert!(packets[0].starts_with(r#"451-["message","#), "{packets:?}");
    assert_eq!(packets[1..], ["bAQIDBA=="]);
}

#[tokio::test]
async fn a_post_that_holds_no_packet_closes_the_session() {
    let server = TestServer::with(patient).await;
    let polling = Polling::connect(&server, "u").await;
    assert_eq!(polling.post("abc").await.0, 400);
    assert_eq!(polling.get().await.0, 400);
    server.emptied().await;
}

#[tokio::test]
async fn the_second_of_two_polls_is_refused_and_the_first_told_of_the_end() {
    let server = TestServer::with(patient).await;
    let polling = Polling::connect(&server, "u").await;
    // What there is to say is fetched first, so that the first poll waits.
    assert_eq!(polling.post(ask(1)).await.0, 200);
    polling.until("431[").await;
    let later = async {
        sleep(Duration::from_millis(200)).await;
        polling.get().await
    };
    let (first, second) = tokio::join!(polling.get(), later);
    assert_eq!(first, (200, "1".to_owned()));
    assert_eq!(second.0, 400);
    assert_eq!(polling.get().await.0, 400);
    server.emptied().await;
}

#[tokio::test]
async fn a_poll_that_ends_with_its_session_is_a_noop_and_not_empty() {
    let server = TestServer::with(patient).await;
    let polling = Polling::connect(&server, "u").await;
    assert_eq!(polling.post(ask(1)).await.0, 200);
    polling.until("431[").await;
    let too_long = async {
        sleep(Duration::from_millis(200)).await;
        polling.post("x".repeat(150_000)).await
    };
    let (poll, post) = tokio::join!(polling.get(), too_long);
    assert_eq!(post.0, 413);
    assert_eq!(poll, (200, "6".to_owned()));
}

#[tokio::test]
async fn a_poll_that_is_given_up_closes_the_session() {
    let server = TestServer::with(patient).await;
    let polling = Polling::connect(&server, "u").await;
    // What there is to say is fetched first, so that the poll below waits.
    assert_eq!(polling.post(ask(1)).await.0, 200);
    polling.until("431[").await;
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let head = format!("GET {POLLING}&sid={} HTTP/1.1\r\nHost: x\r\n\r\n", polling.sid);
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 1];
    let waits = timeout(Duration::from_millis(300), stream.read(&mut answer)).await;
    assert!(waits.is_err(), "the poll was answered: {waits:?}");
    drop(stream);
    server.emptied().await;
    assert_eq!(polling.get().await.0, 400);
}

#[tokio::test]
async fn a_text_on_a_websocket_is_answered() {
    let server = TestServer::start().await;
    let mut client = Client::connect(&server, "u").await;
    client.socket.send(ask(7)).await;
    assert_eq!(client.ack(7).await["status"], "success");
}

#[tokio::test]
async fn a_binary_message_on_a_websocket_comes_back_as_one() {
    let server = TestServer::start().await;
    let mut client = Client::connect(&server, "u").await;
    client.request("subscribe", &json!({"topic": "public:a"})).await;
    let part = r#"{"_placeholder":true,"num":0}"#;
    let event = format!(r#"451-["publish",{{"topic":"public:a","payload":{part},"ackRequired":false}}]"#);
    client.socket.send(event).await;
    client
        .socket
        .try_send(Message::binary(vec![1, 2, 3, 4]))
        .await
        .unwrap();
    assert!(client.packet().await.starts_with(r#"451-["message","#));
    assert_eq!(
        client.socket.receive().await.unwrap(),
        Message::binary(vec![1, 2, 3, 4])
    );
}

#[tokio::test]
async fn a_text_that_is_no_packet_closes_the_websocket() {
    let server = TestServer::with(patient).await;
    let mut client = Client::open(&server).await;
    client.socket.send("abc").await;
    client.rest().await;
}

#[tokio::test]
async fn a_polling_session_is_pinged_and_lives_on_its_pongs() {
    let server = TestServer::with(often_pinged).await;
    let polling = Polling::open(&server).await;
    for _ in 0..3 {
        assert_eq!(polling.get().await, (200, "2".to_owned()));
        assert_eq!(polling.post("3").await.0, 200);
    }
}

/// Only missing pongs end a session.
fn unanswered(config: &mut Config) {
    patient(config);
    hasty(config);
}

#[tokio::test]
async fn a_polling_session_without_pongs_ends() {
    let server = TestServer::with(unanswered).await;
    let polling = Polling::open(&server).await;
    while polling.get().await.0 == 200 {}
    assert_eq!(polling.get().await.0, 400);
}

#[tokio::test]
async fn a_websocket_is_pinged_and_lives_on_its_pongs() {
    let server = TestServer::with(often_pinged).await;
    let mut client = Client::open(&server).await;
    for _ in 0..3 {
        assert_eq!(client.socket.text().await, "2");
        client.socket.send("3").await;
    }
}

#[tokio::test]
async fn a_websocket_without_pongs_is_closed() {
    let server = TestServer::with(unanswered).await;
    let mut client = Client::open(&server).await;
    client.rest().await;
}

#[tokio::test]
async fn a_posted_close_ends_the_poll_that_waits_and_the_session() {
    let server = TestServer::with(patient).await;
    let polling = Polling::open(&server).await;
    assert_eq!(polling.get().await, (200, "2".to_owned()));
    let close = async {
        sleep(Duration::from_millis(100)).await;
        polling.post("1").await
    };
    let (poll, close) = tokio::join!(polling.get(), close);
    assert_eq!(close.0, 200);
    assert_eq!(poll, (200, "6".to_owned()));
    assert_eq!(polling.get().await.0, 400);
}

#[tokio::test]
async fn a_close_packet_closes_the_websocket() {
    let server = TestServer::with(patient).await;
    let mut client = Client::connect(&server, "u").await;
    client.socket.send("1").await;
    client.rest().await;
    server.emptied().await;
}

#[tokio::test]
async fn a_polling_session_is_upgraded_after_its_probe() {
    let server = TestServer::start().await;
    let polling = Polling::connect(&server, "u").await;
    let url = server.url(&format!("{WEBSOCKET}&sid={}", polling.sid));
    let mut socket = Socket::open(&url, &[]).await.unwrap();
    socket.send("2probe").await;
    assert_eq!(socket.text().await, "3probe");
    // A poll in between is ended with nothing in it.
    assert_eq!(polling.get().await, (200, "6".to_owned()));
    socket.send("5").await;
    socket.send(ask(1)).await;
    while !socket.text().await.starts_with("431[") {}
}

#[tokio::test]
async fn a_poll_that_waits_is_let_go_when_an_upgrade_begins() {
    let server = TestServer::start().await;
    let polling = Polling::open(&server).await;
    assert_eq!(polling.get().await, (200, "2".to_owned()));
    polling.post("3").await;
    let upgrade = async {
        sleep(Duration::from_millis(100)).await;
        let url = server.url(&format!("{WEBSOCKET}&sid={}", polling.sid));
        let mut socket = Socket::open(&url, &[]).await.unwrap();
        socket.send("2probe").await;
        assert_eq!(socket.text().await, "3probe");
        socket
    };
    let (poll, mut socket) = tokio::join!(polling.get(), upgrade);
    assert_eq!(poll, (200, "6".to_owned()));
    socket.send("5").await;
    socket.send(connect_packet("u")).await;
    assert!(socket.text().await.starts_with("40{"));
}

#[tokio::test]
async fn polls_of_an_upgraded_session_are_refused_and_do_no_harm() {
    let server = TestServer::start().await;
    let polling = Polling::connect(&server, "u").await;
    let url = server.url(&format!("{WEBSOCKET}&sid={}", polling.sid));
    let mut socket = Socket::open(&url, &[]).await.unwrap();
    socket.send("2probe").await;
    assert_eq!(socket.text().await, "3probe");
    socket.send("5").await;
    socket.send(ask(1)).await;
    while !socket.text().await.starts_with("431[") {}
    assert_eq!(polling.get().await.0, 400);
    assert_eq!(polling.post(ask(2)).await.0, 400);
    socket.send(ask(3)).await;
    while !socket.text().await.starts_with("433[") {}
}

/// Behind some proxies a WebSocket is accepted and nothing passes.
#[tokio::test]
async fn a_websocket_that_says_nothing_leaves_its_session_on_polling() {
    let server = TestServer::with(|config| {
        patient(config);
        config.limits.authenticate_ms = 1_000;
    })
    .await;
    let polling = Polling::connect(&server, "u").await;
    let url = server.url(&format!("{WEBSOCKET}&sid={}", polling.sid));
    let mut silent = Socket::open(&url, &[]).await.unwrap();
    // Answered as ever, and not with a noop.
    polling.post(ask(1)).await;
    polling.until("431[").await;
    assert!(silent.receive().await.is_err(), "it is given up in time");
    let gone = Socket::open(&url, &[]).await.unwrap();
    drop(gone);
    // One that is lost, or was given up, does not stand in the way of the next.
    let mut socket = loop {
        match Socket::open(&url, &[]).await {
            Ok(socket) => break socket,
            Err(status) => assert_eq!(status, 400),
        }
    };
    socket.send("2probe").await;
    assert_eq!(socket.text().await, "3probe");
    socket.send("5").await;
    socket.send(ask(2)).await;
    while !socket.text().await.starts_with("432[") {}
    assert_eq!(server.count(), (1, 1));
}

#[tokio::test]
async fn what_a_poll_fetches_is_compressed_where_it_is_long_and_the_client_takes_it() {
    let server = TestServer::with(patient).await;
    let polling = Polling::connect(&server, "alice").await;
    polling.post("420[\"subscribe\",{\"topic\":\"public:a\"}]").await;
    polling.until("430").await;
    let long = "long ".repeat(1_000);
    for (coding, text, packed) in [
        ("gzip", &*long, true),
        ("gzip", "short", false),
        ("identity", &*long, false),
    ] {
        let publish = json!(["publish", {"topic": "public:a", "payload": text}]);
        polling.post(format!("42{publish}")).await;
        loop {
            let response = polling.get_in(coding).await;
            let is_packed = response
                .headers()
                .get("content-encoding")
                .is_some_and(|coding| coding == "gzip");
            let bytes = response.bytes().await.unwrap();
            let mut payload = String::new();
            if is_packed {
                assert!(bytes.len() < text.len() / 10, "{} bytes", bytes.len());
                GzDecoder::new(&*bytes).read_to_string(&mut payload).unwrap();
            } else {
                payload.push_str(std::str::from_utf8(&bytes).unwrap());
            }
            if payload.contains(&format!("\"payload\":\"{text}\"")) {
                assert_eq!(is_packed, packed, "{coding} {}", text.len());
                break;
            }
        }
    }
}
