//! What socketioxide would get wrong by itself. Each test fails without its cover (see `connection/socketio.rs`).

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

use crate::bytes::{LAST, TEXT, fragments, head, masked, open, read_until};
use crate::support::{
    Client, POLLING, Polling, Socket, TestServer, WEBSOCKET, connect_packet, open_sid, token, within,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn events_right_behind_the_connect_answer_are_taken() {
    let server = TestServer::start().await;
    for _ in 0..300 {
        let mut client = Client::open(&server).await;
        client.socket.send(connect_packet("u")).await;
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
        r#"421["publish",null]"#,
        r#"421["publish",[{"topic":"public:a","payload":1}]]"#,
        r#"421["publish","public:a",1]"#,
        r#"421["publish"]"#,
        r#"421["publish",{"topic":"public:a","payload":1,"messageId":7}]"#,
        r#"421["publish",{"messages":{}}]"#,
        r#"421["subscribe",{"topics":5}]"#,
        r#"421["subscribe",{"topic":"public:a","since":3}]"#,
        r#"421["history",{"topic":"public:a","limit":"all"}]"#,
        r#"421["refresh",{}]"#,
        r#"421["read",{"topic":"public:a"}]"#,
        r#"421["__proto__",{}]"#,
        r#"421["connect",{}]"#,
        r#"421["",{}]"#,
    ] {
        client.socket.send(packet).await;
        let reply = client.ack(1).await;
        assert_eq!(reply["code"], "invalid_message", "{packet}: {reply}");
        assert_eq!(reply["error"], reply["message"]);
    }
    let polling = Polling::connect(&server, "p").await;
    polling.post(r#"421["publish",7]"#).await;
    assert!(polling.until("431[").await.contains("invalid_message"));
}

#[tokio::test]
async fn a_binary_body_that_cannot_be_read_is_answered_under_its_callback() {
    let server = TestServer::start().await;
    let mut client = Client::connect(&server, "u").await;
    for packet in [
        r#"451-1["publish"]"#,
        r#"451-1["publish",{"_placeholder":true,"num":0}]"#,
        r#"451-1["publish",{"topic":{"_placeholder":true,"num":0},"payload":1}]"#,
        r#"451-1["no_such_event",{"_placeholder":true,"num":0}]"#,
    ] {
        client.socket.send(packet).await;
        client.socket.try_send(Message::binary(vec![1, 2])).await.unwrap();
        assert_eq!(client.ack(1).await["code"], "invalid_message", "{packet}");
    }
}

#[tokio::test]
async fn a_binary_event_whose_parts_do_not_follow_ends_the_session() {
    // As in the protocol's own decoder: what comes next can belong to nothing.
    let server = TestServer::start().await;
    let mut client = Client::connect(&server, "u").await;
    let part = r#"{"_placeholder":true,"num":0}"#;
    let event = format!(r#"451-1["publish",{{"topic":"public:a","payload":{part}}}]"#);
    client.socket.send(event).await;
    client.socket.send(r#"422["heartbeat",{}]"#).await;
    assert!(client.rest().await.iter().all(|packet| !packet.starts_with("43")));
    server.emptied().await;

    let mut client = Client::connect(&server, "u").await;
    client.socket.try_send(Message::binary(vec![1, 2])).await.unwrap();
    client.rest().await;
    server.emptied().await;
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
        r#"421000000000["heartbeat",{}]"#.to_owned(),
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
    for n in 0..CONNECTS - 1 {
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
    // One more is one too many: it is refused like the others, and then the connection is told why it ends.
    client.socket.send("40/more,").await;
    let closing = client.event("closing").await;
    assert_eq!(
        (&closing["code"], &closing["reason"]),
        (&json!(1008), &json!("too_many_connects"))
    );
    assert_eq!(client.packet().await, "41");
    client.rest().await;
    server.emptied().await;
}

/// CONNECTs of one session, whatever their answers.
const CONNECTS: usize = 32;

#[tokio::test]
async fn a_thousand_namespaces_end_the_session_on_each_transport() {
    // Not by the time for a session without a user.
    let server = TestServer::with(|config| config.limits.authenticate_ms = 60_000).await;
    let connects: Vec<_> = (0..1_000).map(|n| format!("40/ns{n},")).collect();

    // Asked one by one, the answers are as many as there may be, and as many again to hear of it.
    let mut client = Client::open(&server).await;
    let mut answered = 0;
    for connect in &connects {
        if client
            .socket
            .try_send(Message::text(connect.as_str()))
            .await
            .is_err()
        {
            break;
        }
        let Ok(answer) = client.socket.receive().await else {
            break;
        };
        let answer = answer.to_text().unwrap();
        assert!(answer.starts_with("44/ns") || answer == "2", "{answer}");
        answered += 1;
    }
    assert!((CONNECTS..=CONNECTS + 2).contains(&answered), "{answered}");
    server.emptied().await;

    let mut client = Client::open(&server).await;
    for connect in &connects {
        if client
            .socket
            .try_send(Message::text(connect.as_str()))
            .await
            .is_err()
        {
            break;
        }
    }
    client.rest().await;
    server.emptied().await;

    let polling = Polling::open(&server).await;
    assert_eq!(polling.post(connects.join("\u{1e}")).await.0, 200);
    assert!(polling.get().await.1.contains("44/ns"));
    assert_eq!(polling.get().await.0, 400);
    server.emptied().await;
}

#[tokio::test]
async fn leaving_and_coming_back_on_one_session_is_limited() {
    let server = TestServer::start().await;
    let mut client = Client::open(&server).await;
    let mut welcomed = 0;
    while welcomed < 100 && is_welcomed(&mut client).await {
        welcomed += 1;
        if client.socket.try_send(Message::text("41")).await.is_err() {
            break;
        }
    }
    assert!((CONNECTS..=CONNECTS + 1).contains(&welcomed), "{welcomed}");
    client.rest().await;
    server.emptied().await;
}

/// Connects, and waits until that is answered in full; `false` where the session is over.
async fn is_welcomed(client: &mut Client) -> bool {
    let connect = Message::text(connect_packet("u"));
    if client.socket.try_send(connect).await.is_err() {
        return false;
    }
    while let Ok(packet) = client.socket.receive().await {
        if packet.to_text().unwrap().starts_with("42[\"connected\"") {
            return true;
        }
    }
    false
}

/// What an event may take: Engine.IO's `4`, Socket.IO's `2` and the brackets belong to the frame.
const MOST_BYTES: usize = 2 * 64 * 1_024 + 4 * 1_024;

/// An event of this length, answered with a refusal under the callback 1.
fn event_of(bytes: usize) -> String {
    let event = format!("421[\"heartbeat\",\"{}\"]", "x".repeat(bytes - 19));
    assert_eq!(event.len(), bytes);
    event
}

#[tokio::test]
async fn frames_over_the_limit_close_the_session() {
    let server = TestServer::start().await;
    let mut client = Client::connect(&server, "u").await;
    client.socket.send(event_of(MOST_BYTES)).await;
    assert_eq!(client.ack(1).await["code"], "invalid_message");
    client.socket.send(event_of(MOST_BYTES + 1)).await;
    assert!(client.rest().await.is_empty());
    server.emptied().await;

    let polling = Polling::connect(&server, "u").await;
    assert_eq!(polling.post(event_of(MOST_BYTES)).await.0, 200);
    polling.until("431[").await;
    assert_eq!(polling.post(event_of(MOST_BYTES + 1)).await.0, 413);
    server.emptied().await;
}

#[tokio::test]
async fn a_frame_is_refused_by_its_head_and_not_waited_for() {
    // Not by a heartbeat that nobody answers.
    let server = TestServer::with(|config| config.heartbeat.timeout_ms = 60_000).await;
    let stream = TcpStream::connect(server.address()).await.unwrap();
    let mut stream = open(stream, WEBSOCKET).await;
    stream.write_all(&masked(&connect_packet("u"))).await.unwrap();
    stream
        .write_all(&head(LAST | TEXT, MOST_BYTES + 1))
        .await
        .unwrap();
    let mut read = Vec::new();
    within("the end", stream.read_to_end(&mut read)).await.unwrap();
    server.emptied().await;
}

#[tokio::test]
async fn a_message_of_many_frames_is_limited_as_a_whole() {
    let server = TestServer::start().await;
    for (bytes, answered) in [(MOST_BYTES, true), (MOST_BYTES + 1, false)] {
        let stream = TcpStream::connect(server.address()).await.unwrap();
        let mut stream = open(stream, WEBSOCKET).await;
        stream.write_all(&masked(&connect_packet("u"))).await.unwrap();
        assert!(read_until(&mut stream, "connected").await);
        stream.write_all(&fragments(&event_of(bytes))).await.unwrap();
        assert_eq!(read_until(&mut stream, "431[").await, answered, "{bytes}");
    }
    server.emptied().await;
}

#[tokio::test]
async fn the_attachments_of_an_event_are_limited_as_a_whole() {
    let server = TestServer::start().await;
    let mut client = Client::connect(&server, "u").await;
    let part = |n: usize| json!({"_placeholder": true, "num": n});
    let body = json!({"topic": "public:a", "payload": [part(0), part(1)]});
    client
        .socket
        .send(format!("452-1{}", json!(["publish", body])))
        .await;
    for _ in 0..2 {
        let half = Message::binary(vec![0; MOST_BYTES / 2 + 1]);
        client.socket.try_send(half).await.unwrap();
    }
    assert!(client.rest().await.iter().all(|packet| !packet.starts_with("43")));
    server.emptied().await;
}

#[tokio::test]
async fn a_session_without_a_user_ends_in_time_on_each_transport() {
    let server = TestServer::with(|config| config.limits.authenticate_ms = 300).await;
    let mut silent = Client::open(&server).await;
    silent.rest().await;
    let _polling = Polling::open(&server).await;
    // Refused once, and quiet then.
    let mut refused = Client::open(&server).await;
    refused.socket.send(r#"40{"token":"nonsense"}"#).await;
    let answer = refused.packet().await;
    assert!(
        answer.starts_with("44{\"message\":\"Authentication failed"),
        "{answer}"
    );
    refused.rest().await;
    server.emptied().await;
}

/// How long the library would wait for an upgrade by itself.
const LIBRARY_UPGRADE: Duration = Duration::from_secs(10);

#[tokio::test]
async fn an_upgrade_that_is_begun_and_not_finished_ends_in_time() {
    let server = TestServer::with(|config| config.limits.authenticate_ms = 300).await;
    let polling = Polling::connect(&server, "u").await;
    let url = server.url(&format!("{WEBSOCKET}&sid={}", polling.sid));
    let mut socket = Socket::open(&url, &[]).await.unwrap();
    socket.send("2probe").await;
    assert_eq!(socket.text().await, "3probe");
    let began = Instant::now();
    assert!(socket.receive().await.is_err());
    server.emptied().await;
    assert!(began.elapsed() < LIBRARY_UPGRADE / 2, "{:?}", began.elapsed());
}

#[tokio::test]
async fn attachments_that_come_too_late_end_the_session() {
    let server = TestServer::with(|config| config.limits.authenticate_ms = 300).await;
    let mut client = Client::connect(&server, "u").await;
    let part = r#"{"_placeholder":true,"num":0}"#;
    let event = format!(r#"451-1["publish",{{"topic":"public:a","payload":{part}}}]"#);
    client.socket.send(event).await;
    tokio::time::sleep(Duration::from_millis(400)).await;
    client.socket.try_send(Message::binary(vec![1, 2])).await.unwrap();
    assert!(client.rest().await.iter().all(|packet| !packet.starts_with("43")));
    server.emptied().await;
}

#[tokio::test]
async fn more_than_ten_attachments_close_the_session() {
    // Not by a heartbeat that nobody answers.
    let server = TestServer::with(|config| config.heartbeat.timeout_ms = 60_000).await;
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

/// FAULTS 24: as many as it says. Each is read and passed over; none of them begins a task or more time.
#[tokio::test]
async fn a_flood_of_pongs_before_authentication_changes_nothing() {
    const PONGS: usize = 100_000;
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let server = TestServer::with(|config| config.limits.authenticate_ms = 60_000).await;
    let before = tasks();
    let quiet = Client::connect(&server, "quiet").await;
    let taken = tasks() - before;
    let mut client = Client::open(&server).await;
    for _ in 0..PONGS {
        client.socket.try_send(Message::text("3")).await.unwrap();
    }
    // Packets are read in their order: behind the answer nothing of the flood is left.
    client.socket.send(connect_packet("floods")).await;
    assert!(client.packet().await.starts_with("40"));
    let deadline = Instant::now() + Duration::from_secs(10);
    while tasks() > before + 2 * taken {
        assert!(
            Instant::now() < deadline,
            "{} tasks, a session takes {taken}",
            tasks() - before
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    drop((quiet, client));
    server.emptied().await;
}

#[tokio::test]
async fn pongs_without_an_end_give_no_more_time_to_authenticate() {
    let server = TestServer::with(|config| config.limits.authenticate_ms = 500).await;
    let mut socket = Socket::open(&server.url(WEBSOCKET), &[]).await.unwrap();
    let began = Instant::now();
    while socket.try_send(Message::text("3")).await.is_ok() {
        assert!(began.elapsed() < Duration::from_secs(15), "the flood goes on");
    }
    assert!(socket.close_code().await.is_none_or(|code| code < 3_000));
    server.emptied().await;
}
