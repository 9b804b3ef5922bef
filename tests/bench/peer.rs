//! A client as the benches need it, over either binding: it comes in, subscribes, publishes and tells frames apart.

use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::{EncodingKey, Header, encode};

use crate::server::SECRET;
use crate::socket::Socket;

/// What is spoken inside of the WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Binding {
    SocketIo,
    Raw,
}

/// What a text frame is to a bench.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Message,
    /// A request was carried out.
    Success,
    Failure,
    Other,
}

pub(crate) struct Peer {
    socket: Socket,
    binding: Binding,
    /// Numbers the requests.
    requests: u64,
}

impl Peer {
    /// Connects a user and waits until the server has let it in.
    pub(crate) async fn connect(address: &str, binding: Binding, user: &str) -> Result<Self, String> {
        let token = token(user)?;
        let mut peer = match binding {
            Binding::SocketIo => {
                let socket = Socket::open(address, "/socket.io/?EIO=4&transport=websocket").await?;
                let mut peer = Self::new(socket, binding);
                peer.wait_for("0{").await?;
                peer.send(&format!("40{{\"token\":\"Bearer {token}\"}}")).await?;
                peer
            }
            Binding::Raw => {
                let socket = Socket::open(address, &format!("/api/v1/ws?token={token}")).await?;
                Self::new(socket, binding)
            }
        };
        peer.wait_for(match binding {
            Binding::SocketIo => "42[\"connected\"",
            Binding::Raw => "{\"type\":\"connect\"",
        })
        .await?;
        Ok(peer)
    }

    fn new(socket: Socket, binding: Binding) -> Self {
        Self {
            socket,
            binding,
            requests: 0,
        }
    }

    /// Subscribes and answers with the reply. `since` is a position as JSON.
    pub(crate) async fn subscribe(&mut self, topic: &str, since: Option<&str>) -> Result<String, String> {
        let since = since.map_or_else(String::new, |since| format!(",\"since\":{since}"));
        self.stage_request("subscribe", &format!("\"topic\":\"{topic}\"{since}"));
        loop {
            while let Some((kind, text)) = self.next()? {
                match kind {
                    Kind::Success => return Ok(text.to_owned()),
                    Kind::Failure => return Err(format!("not subscribed: {text}")),
                    Kind::Message | Kind::Other => {}
                }
            }
            self.fill().await?;
        }
    }

    /// Puts a publish beside the requests that wait to be sent.
    pub(crate) fn stage_publish(&mut self, topic: &str, payload: &str) {
        let number = self.requests;
        let body = format!("\"topic\":\"{topic}\",\"payload\":{payload},\"messageId\":\"m{number}\"");
        self.stage_request("publish", &body);
    }

    /// The next frame that was read; pings are answered. `None` until [`Self::fill`] has read on.
    pub(crate) fn next(&mut self) -> Result<Option<(Kind, &str)>, String> {
        while let Some(frame) = self.socket.next()? {
            if self.binding == Binding::SocketIo && self.socket.text(&frame) == "2" {
                self.socket.stage("3");
                continue;
            }
            let text = self.socket.text(&frame);
            return Ok(Some((self.kind(text), text)));
        }
        Ok(None)
    }

    /// Sends what waits and reads on.
    pub(crate) async fn fill(&mut self) -> Result<(), String> {
        self.socket.flush().await?;
        if self.socket.fill().await? {
            Ok(())
        } else {
            Err("the server closed a connection".to_owned())
        }
    }

    fn kind(&self, text: &str) -> Kind {
        let succeeded = |text: &str| {
            if text.contains("\"success\"") {
                Kind::Success
            } else {
                Kind::Failure
            }
        };
        match self.binding {
            Binding::SocketIo if text.starts_with("42[\"message\"") => Kind::Message,
            Binding::SocketIo if text.starts_with("43") => succeeded(text),
            Binding::Raw if text.starts_with("{\"type\":\"data\"") => Kind::Message,
            Binding::Raw if text.starts_with("{\"type\":\"ack\"") => Kind::Success,
            Binding::Raw if text.starts_with("{\"type\":\"error\"") => Kind::Failure,
            _ => Kind::Other,
        }
    }

    fn stage_request(&mut self, name: &str, body: &str) {
        let number = self.requests;
        self.requests += 1;
        self.socket.stage(&match self.binding {
            Binding::SocketIo => format!("42{number}[\"{name}\",{{{body}}}]"),
            Binding::Raw => {
                format!("{{\"type\":\"{name}\",\"messageId\":\"m{number}\",\"data\":{{{body}}}}}")
            }
        });
    }

    async fn send(&mut self, text: &str) -> Result<(), String> {
        self.socket.stage(text);
        self.socket.flush().await
    }

    async fn wait_for(&mut self, start: &str) -> Result<(), String> {
        loop {
            while let Some((_, text)) = self.next()? {
                if text.starts_with(start) {
                    return Ok(());
                }
                if text.starts_with("44") || text.starts_with("{\"type\":\"error\"") {
                    return Err(format!("refused: {text}"));
                }
            }
            self.fill().await?;
        }
    }
}

fn token(user: &str) -> Result<String, String> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_err(|error| error.to_string())?
        .as_secs();
    let claims =
        serde_json::json!({ "sub": user, "name": user, "role": "user", "iat": now, "exp": now + 3_600 });
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    encode(&Header::default(), &claims, &key).map_err(|error| error.to_string())
}
