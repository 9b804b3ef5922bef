//! The raw WebSocket, frame by frame (SPEC §7; FAULTS 3, 7, 8, 10).

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

use crate::bytes::{LAST, TEXT, fragments, head, open};
use crate::support::{Socket, TestServer, hasty, token, within};

/// A client of `/api/v1/ws`.
pub(crate) struct RawClient {
    pub(crate) socket: Socket,
    calls: u64,
}

impl RawClient {
    /// Connects with a token in the subprotocols and waits for `connect`.
    pub(crate) async fn connect(server: &TestServer, token: &str) -> Self {
        let protocols = format!("bmt.v1, bearer.{token}");
        let headers = [("sec-websocket-protocol", protocols)];
        let socket = Socket::open(&server.url("/api/v1/ws"), &headers).await.unwrap();
        let mut client = Self { socket, calls: 0 };
        client.frame("connect").await;
        client
    }

    /// Connects by the query and says nothing.
    pub(crate) async fn open(server: &TestServer, query: &str) -> Self {
        let socket = Socket::open(&server.url(&format!("/api/v1/ws?{query}")), &[])
            .await
            .unwrap();
        Self { socket, calls: 0 }
    }

    /// The next frame.
    pub(crate) async fn next(&mut self) -> Value {
        serde_json::from_str(&self.socket.text().await).unwrap()
    }

    /// Waits for a frame of this type. What comes before it is dropped.
    pub(crate) async fn frame(&mut self, kind: &str) -> Value {
        loop {
            let frame = self.next().await;
            if frame["type"] == kind {
                return frame;
            }
        }
    }

    /// Sends a request and waits for its answer.
    pub(crate) async fn request(&mut self, kind: &str, data: &Value) -> Value {
        self.calls += 1;
        let id = format!("r{}", self.calls);
        let frame = json!({"type": kind, "data": data, "messageId": id});
        self.socket.send(frame.to_string()).await;
        loop {
            let frame = self.next().await;
            if frame["messageId"] == id {
                return frame;
            }
        }
    }
}

#[tokio::test]
async fn frames_that_are_no_envelope_are_answered_and_five_in_a_row_close() {
    let server = TestServer::start().await;
    let mut client = RawClient::connect(&server, &token("u")).await;
    let binary = || Message::binary(vec![1, 2, 3]);
    let text = |text: &str| Message::text(text);
    for bad in [text("[1]"), text("5"), text("null"), text("")] {
        client.socket.try_send(bad).await.unwrap();
        let refused = client.next().await;
        assert_eq!(
            (&refused["type"], &refused["data"]["code"]),
            (&json!("error"), &json!(2000))
        );
    }
    // A good one in between: the count begins again.
    assert_eq!(
        client.request("presence", &json!({"topic": "public:a"})).await["type"],
        "ack"
    );
    for bad in [binary(), text("  "), text("{"), text("{\"type\":1}"), binary()] {
        client.socket.try_send(bad).await.unwrap();
        assert_eq!(
            client.frame("error").await["data"]["details"]["code"],
            "invalid_message"
        );
    }
    assert_eq!(
        client.frame("closing").await["data"]["reason"],
        "malformed_frames"
    );
    assert_eq!(client.socket.close_code().await, Some(1008));
    server.emptied().await;
}

const MOST_BYTES: usize = 2 * 64 * 1_024 + 4 * 1_024;

/// A `ping` of this length.
fn ping_of(bytes: usize) -> String {
    let rest = json!({"type": "ping", "data": ""}).to_string().len();
    json!({"type": "ping", "data": "x".repeat(bytes - rest)}).to_string()
}

#[tokio::test]
async fn a_frame_over_the_limit_closes_with_1009() {
    let server = TestServer::start().await;
    let mut client = RawClient::connect(&server, &token("u")).await;
    client.socket.send(ping_of(MOST_BYTES)).await;
    client.frame("pong").await;
    client.socket.send(ping_of(MOST_BYTES + 1)).await;
    assert_eq!(client.socket.close_code().await, Some(1009));
    server.emptied().await;
}

/// What the server says of a message over the limit, in the close frame too.
const TOO_LARGE: &[u8] = b"message_too_large";

/// Reads to the end and answers with the code of the close frame there.
async fn close_code_at_the_end(stream: &mut TcpStream) -> u16 {
    let mut read = Vec::new();
    within("the end", stream.read_to_end(&mut read)).await.unwrap();
    let Some([.., 0x88, 19, high, low]) = read.strip_suffix(TOO_LARGE) else {
        panic!(
            "no close frame at the end of {:?}",
            String::from_utf8_lossy(&read)
        );
    };
    u16::from_be_bytes([*high, *low])
}

async fn bare(server: &TestServer) -> TcpStream {
    let stream = TcpStream::connect(server.address()).await.unwrap();
    open(stream, &format!("/api/v1/ws?token={}", token("u"))).await
}

#[tokio::test]
async fn a_frame_is_refused_by_its_head_and_not_waited_for() {
    let server = TestServer::start().await;
    let mut stream = bare(&server).await;
    stream
        .write_all(&head(LAST | TEXT, MOST_BYTES + 1))
        .await
        .unwrap();
    assert_eq!(close_code_at_the_end(&mut stream).await, 1009);
    server.emptied().await;
}

#[tokio::test]
async fn a_message_of_many_frames_is_limited_as_a_whole() {
    let server = TestServer::start().await;
    let mut stream = bare(&server).await;
    stream
        .write_all(&fragments(&ping_of(MOST_BYTES + 1)))
        .await
        .unwrap();
    assert_eq!(close_code_at_the_end(&mut stream).await, 1009);
    server.emptied().await;
}

#[tokio::test]
async fn a_payload_over_the_limit_is_refused_and_the_connection_stays() {
    let server = TestServer::start().await;
    let mut client = RawClient::connect(&server, &token("u")).await;
    let payload = "x".repeat(64 * 1_024 - 1);
    let refused = client
        .request("publish", &json!({"topic": "public:a", "payload": payload}))
        .await;
    assert_eq!(refused["data"]["code"], 2001);
    let payload = &payload[1..];
    let published = client
        .request("publish", &json!({"topic": "public:a", "payload": payload}))
        .await;
    assert_eq!(published["data"]["seq"], 1);
}

#[tokio::test]
async fn who_says_nothing_in_the_first_frame_is_refused() {
    let server = TestServer::with(|config| config.limits.authenticate_ms = 300).await;
    let mut silent = RawClient::open(&server, "auth=frame").await;
    let refused = silent.next().await;
    assert_eq!(refused["data"]["details"]["reason"], "missing");
    assert_eq!(silent.socket.close_code().await, Some(1008));
    let mut early = RawClient::open(&server, "auth=frame").await;
    early
        .socket
        .send(r#"{"type":"subscribe","data":{"topic":"a"}}"#)
        .await;
    assert_eq!(early.next().await["data"]["details"]["reason"], "malformed");
    assert_eq!(early.socket.close_code().await, Some(1008));
    server.emptied().await;
}

#[tokio::test]
async fn a_peer_without_a_sign_of_life_is_closed_with_4004() {
    let server = TestServer::with(hasty).await;
    let mut client = RawClient::connect(&server, &token("u")).await;
    // The library answers pings when it is read; so nothing is read until the server has had time to notice.
    let noticed = async {
        while server.count().0 > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    within("the server to notice", noticed).await;
    assert_eq!(client.socket.close_code().await, Some(4004));
}

#[tokio::test]
async fn pings_keep_a_silent_connection_alive() {
    let server = TestServer::with(hasty).await;
    let mut client = RawClient::connect(&server, &token("u")).await;
    // Reading answers the server's pings; nothing is said for several heartbeats.
    let silence = tokio::time::timeout(std::time::Duration::from_secs(2), client.socket.receive()).await;
    assert!(silence.is_err(), "{silence:?}");
    assert_eq!(
        client.request("presence", &json!({"topic": "public:a"})).await["type"],
        "ack"
    );
}

#[tokio::test]
async fn the_connections_own_name_and_ids_are_told() {
    let server = TestServer::start().await;
    let query = format!("token={}&clientId=phone-1&protocol=1.0", token("u"));
    let mut client = RawClient::open(&server, &query).await;
    let hello = client.next().await;
    assert_eq!(hello["type"], "connect");
    assert_eq!(hello["data"]["clientId"], "phone-1");
    let bad_id = json!({"type": "presence", "data": {"topic": "public:a"}, "messageId": "x".repeat(65)});
    client.socket.send(bad_id.to_string()).await;
    let refused = client.next().await;
    assert!(refused["data"]["message"].as_str().unwrap().contains("messageId"));
}
