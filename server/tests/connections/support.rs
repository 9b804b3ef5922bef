//! A server of one's own, and clients that say exactly what they are told to.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bmt_server::config::{Config, Mode, Secret};
use bmt_server::serve::{Running, start};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// How long a test waits for anything before it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
const SECRET: &str = "a secret of the tests, long enough for the server";

/// Waits, and fails with a sentence when it takes too long.
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future)
        .await
        .unwrap_or_else(|_| panic!("waited {PATIENCE:?} for {what}"))
}

pub(crate) struct TestServer {
    running: Option<Running>,
    address: SocketAddr,
    data_dir: TempDir,
}

impl TestServer {
    pub(crate) async fn start() -> Self {
        Self::with(|_| ()).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let data_dir = tempfile::tempdir().unwrap();
        let mut config = Config::defaults(Mode::Dev);
        config.http.port = 0;
        config.store.data_dir = data_dir.path().to_owned();
        config.auth.jwt_secret = Secret::new(SECRET);
        change(&mut config);
        let running = start(config, Some(Secret::new("password"))).await.unwrap();
        Self {
            address: running.address(),
            running: Some(running),
            data_dir,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn data_dir(&self) -> &std::path::Path {
        self.data_dir.path()
    }

    pub(crate) fn node(&self) -> &bmt_server::node::Node {
        self.running.as_ref().unwrap().node()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Connections and transports that live now.
    pub(crate) fn count(&self) -> (usize, usize) {
        self.running.as_ref().unwrap().live().count()
    }

    /// Waits until every connection and every transport is gone.
    pub(crate) async fn emptied(&self) {
        let live = self.running.as_ref().unwrap().live().clone();
        timeout(PATIENCE, live.emptied())
            .await
            .unwrap_or_else(|_| panic!("{:?} connections and transports are left", self.count()));
    }

    /// Begins the end and waits for it, and for everything to let go of what the server's parts share.
    pub(crate) async fn stop(&mut self) {
        let running = self.running.take().unwrap();
        let node = Arc::downgrade(running.node());
        running.node().shutdown.begin();
        within("the server's end", running.finished()).await;
        // The stores close with it.
        let let_go = async {
            while node.strong_count() > 0 {
                sleep(Duration::from_millis(10)).await;
            }
        };
        within("the last to let go of the node", let_go).await;
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        if let Some(running) = &self.running {
            running.node().shutdown.begin();
        }
    }
}

pub(crate) fn unix_ms() -> u64 {
    bmt_server::clock::unix_ms()
}

/// A token of the user `sub` with more claims.
pub(crate) fn token_with(sub: &str, more: &Value) -> String {
    let now = unix_ms() / 1_000;
    let mut claims = json!({"sub": sub, "iat": now, "exp": now + 600});
    for (name, value) in more.as_object().unwrap() {
        claims[name] = value.clone();
    }
    let key = jsonwebtoken::EncodingKey::from_secret(SECRET.as_bytes());
    jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).unwrap()
}

pub(crate) fn token(sub: &str) -> String {
    token_with(sub, &json!({}))
}

/// The CONNECT packet of the user `sub`.
pub(crate) fn connect_packet(sub: &str) -> String {
    format!("40{}", json!({"token": token(sub)}))
}

/// A WebSocket that is written to and read from by hand.
pub(crate) struct Socket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Socket {
    /// Opens a WebSocket, or answers the status with which that was refused.
    pub(crate) async fn open(url: &str, headers: &[(&'static str, String)]) -> Result<Self, u16> {
        let mut request = url.replacen("http", "ws", 1).into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().append(*name, value.parse().unwrap());
        }
        match within("the handshake", connect_async(request)).await {
            Ok((stream, _)) => Ok(Self { stream }),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    pub(crate) async fn send(&mut self, text: impl Into<String>) {
        self.stream.send(Message::text(text.into())).await.unwrap();
    }

    /// Sends any frame; a server that has closed already is no fault.
    pub(crate) async fn try_send(&mut self, message: Message) -> Result<(), Error> {
        self.stream.send(message).await
    }

    /// The next text or binary message. The end is [`None`], with the close code if there was one.
    pub(crate) async fn receive(&mut self) -> Result<Message, Option<CloseFrame>> {
        loop {
            match within("a frame", self.stream.next()).await {
                Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => return Ok(message),
                Some(Ok(Message::Close(frame))) => return Err(frame),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(None),
            }
        }
    }

    pub(crate) async fn text(&mut self) -> String {
        match self.receive().await {
            Ok(Message::Text(text)) => text.to_string(),
            other => panic!("{other:?} instead of text"),
        }
    }

    /// Reads until the end and answers the close code.
    pub(crate) async fn close_code(&mut self) -> Option<u16> {
        loop {
            if let Err(frame) = self.receive().await {
                return frame.map(|frame| frame.code.into());
            }
        }
    }
}

/// A Socket.IO client over a WebSocket.
pub(crate) struct Client {
    pub(crate) socket: Socket,
    /// The body of `connected`.
    pub(crate) hello: Value,
    /// The private id of the session.
    pub(crate) sid: String,
    calls: u64,
}

pub(crate) const WEBSOCKET: &str = "/socket.io/?EIO=4&transport=websocket";

impl Client {
    /// Opens a session and says nothing yet.
    pub(crate) async fn open(server: &TestServer) -> Self {
        let mut socket = Socket::open(&server.url(WEBSOCKET), &[]).await.unwrap();
        let sid = open_sid(&socket.text().await);
        Self {
            socket,
            hello: Value::Null,
            sid,
            calls: 0,
        }
    }

    /// Connects as `sub` and waits for `connected`.
    pub(crate) async fn connect(server: &TestServer, sub: &str) -> Self {
        Self::connect_with(server, &token(sub)).await
    }

    pub(crate) async fn connect_with(server: &TestServer, token: &str) -> Self {
        let socket = Socket::open(&server.url(WEBSOCKET), &[]).await.unwrap();
        Self::greet(socket, token).await
    }

    /// Connects over a WebSocket that has just been opened.
    pub(crate) async fn greet(mut socket: Socket, token: &str) -> Self {
        let sid = open_sid(&socket.text().await);
        let mut client = Self {
            socket,
            hello: Value::Null,
            sid,
            calls: 0,
        };
        let connect = format!("40{}", json!({"token": token}));
        client.socket.send(connect).await;
        assert!(client.packet().await.starts_with("40{\"sid\":"));
        client.hello = client.event("connected").await;
        client
    }

    /// Sends an event and waits for what its callback is called with.
    pub(crate) async fn request(&mut self, name: &str, body: &Value) -> Value {
        self.calls += 1;
        let call = self.calls;
        self.socket.send(format!("42{call}{}", json!([name, body]))).await;
        self.ack(call).await
    }

    /// Waits for the callback of this number. What comes before it is dropped.
    pub(crate) async fn ack(&mut self, call: u64) -> Value {
        let prefix = format!("43{call}[");
        let answered = async {
            loop {
                let text = self.packet().await;
                if let Some(ack) = text.strip_prefix(&prefix) {
                    let args: Value = serde_json::from_str(&format!("[{ack}")).unwrap();
                    return args[0].clone();
                }
            }
        };
        within("an answer", answered).await
    }

    /// Waits for an event of this name. What comes before it is dropped.
    pub(crate) async fn event(&mut self, name: &str) -> Value {
        let came = async {
            loop {
                let text = self.packet().await;
                let Some(event) = text.strip_prefix("42") else {
                    continue;
                };
                let event: Value = serde_json::from_str(event).unwrap();
                if event[0] == name {
                    return event[1].clone();
                }
            }
        };
        within("an event", came).await
    }

    /// The next packet that is no ping; pings are answered.
    pub(crate) async fn packet(&mut self) -> String {
        loop {
            let text = self.socket.text().await;
            if text != "2" {
                return text;
            }
            self.socket.send("3").await;
        }
    }

    /// Reads everything until the end.
    pub(crate) async fn rest(&mut self) -> Vec<String> {
        let mut packets = Vec::new();
        while let Ok(message) = self.socket.receive().await {
            if let Message::Text(text) = message {
                packets.push(text.to_string());
            }
        }
        packets
    }
}

/// The session's id out of an Engine.IO `open` packet.
pub(crate) fn open_sid(packet: &str) -> String {
    let open: Value = serde_json::from_str(packet.strip_prefix('0').unwrap()).unwrap();
    open["sid"].as_str().unwrap().to_owned()
}

/// A Socket.IO session over long-polling.
pub(crate) struct Polling {
    http: reqwest::Client,
    url: String,
    pub(crate) sid: String,
}

pub(crate) const POLLING: &str = "/socket.io/?EIO=4&transport=polling";

impl Polling {
    pub(crate) async fn open(server: &TestServer) -> Self {
        let http = reqwest::Client::new();
        let url = server.url(POLLING);
        let opened = http.get(&url).send().await.unwrap().text().await.unwrap();
        let sid = open_sid(&opened);
        Self {
            http,
            url: format!("{url}&sid={sid}"),
            sid,
        }
    }

    /// Connects as `sub` and waits until that is answered.
    pub(crate) async fn connect(server: &TestServer, sub: &str) -> Self {
        let polling = Self::open(server).await;
        assert_eq!(polling.post(connect_packet(sub)).await, (200, "ok".to_owned()));
        polling.until("connected").await;
        polling
    }

    pub(crate) async fn get(&self) -> (u16, String) {
        let response = within("a poll", self.http.get(&self.url).send()).await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    /// A poll of a client that takes this content coding.
    pub(crate) async fn get_in(&self, coding: &str) -> reqwest::Response {
        let poll = self.http.get(&self.url).header("accept-encoding", coding);
        within("a poll", poll.send()).await.unwrap()
    }

    pub(crate) async fn post(&self, body: impl Into<reqwest::Body>) -> (u16, String) {
        let sent = self.http.post(&self.url).body(body).send();
        let response = within("a post", sent).await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    /// Polls until something contains `text`.
    pub(crate) async fn until(&self, text: &str) -> String {
        loop {
            let (status, packets) = self.get().await;
            assert_eq!(status, 200, "{packets}");
            if packets.split('\u{1e}').any(|packet| packet == "2") {
                self.post("3").await;
            }
            if packets.contains(text) {
                return packets;
            }
        }
    }
}

/// Heartbeats so short that a test can wait for what they do.
pub(crate) fn hasty(config: &mut Config) {
    config.heartbeat.interval_ms = 300;
    config.heartbeat.timeout_ms = 300;
}
