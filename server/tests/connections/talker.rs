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

    /// The code of the answer to a request about a topic alone, or `ok`.
    pub(crate) async fn code(&mut self, verb: &str, topic: &str) -> String {
        let mut body = json!({"topic": topic});
        if matches!(verb, "publish" | "signal") {
            body["payload"] = json!({"type": "text"});
        }
        // A signal that succeeds is answered to a callback alone: the request behind it answers for it on raw.
        if let (Self::Raw(client), "signal") = (&mut *self, verb) {
            return raw_signal(client, &body).await;
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
}

async fn raw_signal(client: &mut RawClient, body: &Value) -> String {
    let signal = json!({"type": "signal", "data": body, "messageId": "signal"});
    client.socket.send(signal.to_string()).await;
    let behind = json!({"type": "unsubscribe", "data": {"topic": "public:nothing"}, "messageId": "behind"});
    client.socket.send(behind.to_string()).await;
    loop {
        let frame = client.next().await;
        if frame["messageId"] == "signal" {
            return frame["data"]["details"]["code"].as_str().unwrap().to_owned();
        }
        if frame["messageId"] == "behind" {
            return "ok".to_owned();
        }
    }
}
