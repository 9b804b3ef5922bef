//! A Socket.IO session written and read by hand: nothing is tried again, repaired or hidden.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::token;

/// How long anything may take before the row fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// Messages of one page when a store is listed.
const PAGE: u64 = 200;

/// A session.
pub(crate) struct Session {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    calls: u64,
    /// The body of `connected`.
    pub(crate) hello: Value,
}

/// What a server sends.
pub(crate) enum Packet {
    /// An event and its body.
    Event(String, Value),
    /// The answer to the request of that number.
    Answer(u64, Value),
}

/// A channel's numbering and messages as the history has them.
pub(crate) struct Listing {
    pub(crate) epoch: String,
    pub(crate) top: u64,
    pub(crate) messages: Vec<Value>,
}

impl Session {
    /// Connects as the user `sub` and waits for `connected`.
    pub(crate) async fn connect(address: SocketAddr, sub: &str) -> Result<Self, String> {
        let url = format!("ws://{address}/socket.io/?EIO=4&transport=websocket");
        let (socket, _) = within("the handshake", connect_async(url))
            .await?
            .map_err(|error| format!("{sub}: {error}"))?;
        let mut session = Self {
            socket,
            calls: 0,
            hello: Value::Null,
        };
        within("the session", session.text()).await??;
        let connect = json!({"token": format!("Bearer {}", token::of(sub)?)});
        session.write(format!("40{connect}")).await?;
        loop {
            match within("`connected`", session.packet()).await?? {
                Packet::Event(name, body) if name == "connected" => {
                    session.hello = body;
                    return Ok(session);
                }
                _ => {}
            }
        }
    }

    /// Sends an event that is answered; answers its number.
    pub(crate) async fn send(&mut self, name: &str, body: &Value) -> Result<u64, String> {
        self.calls += 1;
        let call = self.calls;
        self.write(format!("42{call}{}", json!([name, body]))).await?;
        Ok(call)
    }

    /// Sends an event and waits for its answer; what else comes goes to `other`.
    pub(crate) async fn request_with(
        &mut self,
        name: &str,
        body: &Value,
        mut other: impl FnMut(&str, &Value),
    ) -> Result<Value, String> {
        let call = self.send(name, body).await?;
        let answer = async {
            loop {
                match self.packet().await? {
                    Packet::Answer(of, answer) if of == call => return Ok(answer),
                    Packet::Answer(..) => {}
                    Packet::Event(name, body) => other(&name, &body),
                }
            }
        };
        within(name, answer).await?
    }

    pub(crate) async fn request(&mut self, name: &str, body: &Value) -> Result<Value, String> {
        self.request_with(name, body, |_, _| ()).await
    }

    /// The same, failing unless the request succeeded.
    pub(crate) async fn succeed(&mut self, name: &str, body: &Value) -> Result<Value, String> {
        let answer = self.request(name, body).await?;
        if answer["status"] == "success" {
            Ok(answer)
        } else {
            Err(format!("{name}: {answer}"))
        }
    }

    /// The next event or answer. Pings are answered on the way.
    pub(crate) async fn packet(&mut self) -> Result<Packet, String> {
        loop {
            let text = self.text().await?;
            if let Some(event) = text.strip_prefix("42") {
                let event: Value =
                    serde_json::from_str(event).map_err(|error| format!("{error} in {text}"))?;
                let name = event[0].as_str().unwrap_or_default().to_owned();
                return Ok(Packet::Event(name, event[1].clone()));
            }
            if let Some(answer) = text.strip_prefix("43") {
                let (call, body) = answer.split_at(answer.find('[').unwrap_or(0));
                let body: Value = serde_json::from_str(body).map_err(|error| format!("{error} in {text}"))?;
                return Ok(Packet::Answer(call.parse().unwrap_or(0), body[0].clone()));
            }
            if text.starts_with("44") || text.starts_with("41") {
                return Err(format!("refused: {text}"));
            }
        }
    }

    /// Everything a channel's history holds, oldest first.
    pub(crate) async fn list(&mut self, channel: &str) -> Result<Listing, String> {
        let mut messages: Vec<Value> = Vec::new();
        loop {
            let after = messages.last().map_or(0, seq_of);
            let ask = json!({"topic": channel, "after": after, "limit": PAGE});
            let page = self.succeed("history", &ask).await?;
            messages.extend(page["messages"].as_array().cloned().unwrap_or_default());
            if page["hasMore"] != true {
                return Ok(Listing {
                    epoch: page["epoch"].as_str().unwrap_or_default().to_owned(),
                    top: page["seq"].as_u64().unwrap_or(0),
                    messages,
                });
            }
        }
    }

    async fn text(&mut self) -> Result<String, String> {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) if text.as_str() == "2" => self.write("3".to_owned()).await?,
                Some(Ok(Message::Text(text))) => return Ok(text.to_string()),
                Some(Ok(Message::Close(frame))) => return Err(format!("closed: {frame:?}")),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(format!("broken: {error}")),
                None => return Err("ended".to_owned()),
            }
        }
    }

    async fn write(&mut self, text: String) -> Result<(), String> {
        let sent = self.socket.send(Message::text(text)).await;
        sent.map_err(|error| format!("broken: {error}"))
    }
}

/// A message's number.
pub(crate) fn seq_of(message: &Value) -> u64 {
    message["seq"].as_u64().unwrap_or(0)
}

/// A message's publisher's key, or the server's id where there is none.
pub(crate) fn id_of(message: &Value) -> String {
    let id = message["clientMessageId"].as_str().or(message["id"].as_str());
    id.unwrap_or_default().to_owned()
}

/// Fails with a sentence when it takes too long.
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> Result<T, String> {
    timeout(PATIENCE, future)
        .await
        .map_err(|_| format!("waited {PATIENCE:?} for {what}"))
}
