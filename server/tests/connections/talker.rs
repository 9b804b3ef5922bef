//! One client for both transports: the same requests, the same answers.

use serde_json::{Value, json};

use crate::raw::RawClient;
use crate::support::{Client, TestServer};

/// The transports that everything of SPEC §3 holds on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    SocketIo,
    Raw,
}

impl Transport {
    pub(crate) const ALL: [Self; 2] = [Self::SocketIo, Self::Raw];
}

pub(crate) enum Talker {
    SocketIo(Client),
    Raw(RawClient),
}

/// What was answered to a request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    /// The body of the success.
    Success(Value),
    /// The code's name and the text.
    Failure(String, String),
}

impl Answer {
    /// The body of a success; anything else fails the test.
    pub(crate) fn body(self) -> Value {
        match self {
            Self::Success(body) => body,
            Self::Failure(code, message) => panic!("{code}: {message}"),
        }
    }

    /// The code of a failure, or `ok`.
    pub(crate) fn code(&self) -> &str {
        match self {
            Self::Success(_) => "ok",
            Self::Failure(code, _) => code,
        }
    }
}

impl Talker {
    pub(crate) async fn connect(server: &TestServer, transport: Transport, token: &str) -> Self {
        match transport {
            Transport::SocketIo => Self::SocketIo(Client::connect_with(server, token).await),
            Transport::Raw => Self::Raw(RawClient::connect(server, token).await),
        }
    }

    /// Sends a request and waits for its answer. What comes before it is dropped.
    pub(crate) async fn ask(&mut self, verb: &str, body: &Value) -> Answer {
        let (failed, body, code) = match self {
            Self::SocketIo(client) => {
                let reply = client.request(verb, body).await;
                (reply["status"] == "error", reply.clone(), reply["code"].clone())
            }
            Self::Raw(client) => {
                let frame = client.request(verb, body).await;
                let code = frame["data"]["details"]["code"].clone();
                (frame["type"] == "error", frame["data"].clone(), code)
            }
        };
        if failed {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            Answer::Failure(text(&code), text(&body["message"]))
        } else {
            Answer::Success(body)
        }
    }

    /// The code of the answer to a request about a topic alone, or `ok`. (On raw a signal is not answered.)
    pub(crate) async fn code(&mut self, verb: &str, topic: &str) -> String {
        let mut body = json!({"topic": topic});
        if matches!(verb, "publish" | "signal") {
            body["payload"] = json!({"type": "text"});
        }
        if verb == "read" {
            body["seq"] = json!(1);
        }
        self.ask(verb, &body).await.code().to_owned()
    }

    /// Waits for an event of this name. What comes before it is dropped.
    pub(crate) async fn event(&mut self, name: &str) -> Value {
        match self {
            Self::SocketIo(client) => client.event(name).await,
            Self::Raw(client) => client.frame(name).await["data"].clone(),
        }
    }

    /// Sends a request whose answer is not waited for.
    pub(crate) async fn send(&mut self, verb: &str, body: &Value) {
        match self {
            Self::SocketIo(client) => client.socket.send(format!("42{}", json!([verb, body]))).await,
            Self::Raw(client) => {
                let frame = json!({"type": verb, "data": body, "messageId": "unanswered"});
                client.socket.send(frame.to_string()).await;
            }
        }
    }
}
