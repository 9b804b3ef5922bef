//! What the server says unasked (SPEC §4): each event's name and body.

use serde::{Deserialize, Serialize};

use crate::channel::ChannelName;
use crate::error::{ErrorCode, Failure};
use crate::id::{ConnectionId, ServerMessageId, UserId};
use crate::identity::User;
use crate::json::Object;
use crate::limits::Limits;
use crate::message::{Message, Signal};
use crate::payload::Payload;
use crate::position::{Epoch, Seq};
use crate::reply::Present;

/// An event of the server.
#[derive(Clone, Debug, PartialEq)]
pub enum ServerEvent<P = Payload> {
    /// First of all on every connection.
    Connected(Connected),
    /// A channel message.
    Message(Message<P>),
    /// A signal of another connection.
    Signal(Signal<P>),
    /// A user came to a channel or left it.
    Presence(PresenceChange),
    /// Somebody read a channel up to a seq.
    Receipt(Receipt),
    /// How many subscribers confirmed a message published with `requireDelivery`.
    Delivery(Delivery),
    /// A notification for people.
    Notification(Notification),
    /// The answer to a heartbeat.
    HeartbeatAck(HeartbeatAck),
    /// The connection's token ends soon.
    TokenExpiring(TokenExpiring),
    /// A stream broke: recover from the position before it.
    Gap(Gap),
    /// A subscription was taken away.
    Unsubscribed(Unsubscribed),
    /// The server closes this connection next.
    Closing(Closing),
    /// A refusal that answers no request.
    Error(Failure),
}

/// Body of `connected`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Connected {
    /// This connection's public name.
    pub connection_id: ConnectionId,
    /// The server's clock, ms since the Unix epoch.
    pub timestamp: u64,
    /// Who the server takes the client for.
    pub user: User,
    /// The same clock under its newer name; absent from servers of the seeds.
    #[serde(default)]
    pub server_time: Option<u64>,
    /// How often the transport pings, ms; absent from servers of the seeds.
    #[serde(default)]
    pub heartbeat_interval: Option<u64>,
    /// Absent from servers of the seeds: then only the seeds' operations may be used (SPEC §9).
    #[serde(default)]
    pub limits: Option<Limits>,
}

/// Body of `presence`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct PresenceChange {
    /// The channel.
    pub topic: ChannelName,
    /// Came or left.
    pub action: PresenceAction,
    /// Who.
    pub user: Present,
}

/// What happened to a user's presence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PresenceAction {
    /// The first connection subscribed.
    Join,
    /// The last connection left.
    Leave,
}

/// Body of `receipt`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// The channel.
    pub topic: ChannelName,
    /// Who read.
    pub user_id: UserId,
    /// Up to here.
    pub seq: Seq,
}

/// Body of `delivery`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// The message.
    pub message_id: ServerMessageId,
    /// Subscribers that confirmed it.
    pub confirmed: u64,
    /// Subscribers that have not.
    pub pending: u64,
}

/// Body of `notification`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    /// Id of the stored message it was made from.
    pub id: ServerMessageId,
    /// Always `notification`.
    #[serde(rename = "type")]
    pub kind: String,
    /// How urgent it is.
    pub level: Level,
    /// A heading.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The text.
    pub message: String,
    /// When it was made, ms since the Unix epoch.
    pub timestamp: u64,
}

/// How urgent a notification is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Good to know.
    Info,
    /// Wants attention.
    Warning,
    /// Something failed.
    Error,
}

/// Body of `heartbeat_ack`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeartbeatAck {
    /// The heartbeat's own timestamp, or the server's clock where it had none.
    pub timestamp: u64,
}

/// Body of `token_expiring`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenExpiring {
    /// When the token ends, ms since the Unix epoch.
    pub expires_at: u64,
}

/// Body of `gap`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Gap {
    /// The channel.
    pub topic: ChannelName,
    /// Why, as in [`crate::reply::NotRecovered`], or `slow_consumer`.
    pub reason: String,
    /// Newest seq.
    pub seq: Seq,
    /// The numbering.
    pub epoch: Epoch,
    /// Oldest seq still kept.
    #[serde(default)]
    pub oldest_seq: Option<Seq>,
}

/// Body of `unsubscribed`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unsubscribed {
    /// The channel.
    pub topic: ChannelName,
    /// Why.
    pub code: ErrorCode,
    /// The same for people.
    pub message: String,
}

/// Body of `closing`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Closing {
    /// The raw close code, told on every transport.
    pub code: u16,
    /// A word for programs: `restart`, `slow_consumer`, `kicked`, …
    pub reason: String,
    /// Come back after this many ms; absent where the client should not come back by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

impl<P> ServerEvent<P> {
    /// The event's name on Socket.IO. On raw only `connected` (there `connect`), `heartbeat_ack` (there
    /// `heartbeat`) and `message` (there by the payload's type) differ.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Connected(_) => "connected",
            Self::Message(_) => "message",
            Self::Signal(_) => "signal",
            Self::Presence(_) => "presence",
            Self::Receipt(_) => "receipt",
            Self::Delivery(_) => "delivery",
            Self::Notification(_) => "notification",
            Self::HeartbeatAck(_) => "heartbeat_ack",
            Self::TokenExpiring(_) => "token_expiring",
            Self::Gap(_) => "gap",
            Self::Unsubscribed(_) => "unsubscribed",
            Self::Closing(_) => "closing",
            Self::Error(_) => "error",
        }
    }
}

impl ServerEvent<Payload> {
    /// Appends the event's body as JSON.
    pub fn write_json(&self, out: &mut String) {
        match self {
            Self::Message(message) => message.write_json(out, None),
            Self::Signal(signal) => signal.write_json(out),
            Self::Presence(change) => Object::open(out)
                .str("topic", change.topic.as_str())
                .str(
                    "action",
                    if change.action == PresenceAction::Join {
                        "join"
                    } else {
                        "leave"
                    },
                )
                .with("user", |out| change.user.write_json(out))
                .close(),
            Self::HeartbeatAck(ack) => Object::open(out).number("timestamp", ack.timestamp).close(),
            Self::Error(failure) => failure.write_socketio(None, out),
            Self::Connected(body) => write_rare(out, body),
            Self::Receipt(body) => write_rare(out, body),
            Self::Delivery(body) => write_rare(out, body),
            Self::Notification(body) => write_rare(out, body),
            Self::TokenExpiring(body) => write_rare(out, body),
            Self::Gap(body) => write_rare(out, body),
            Self::Unsubscribed(body) => write_rare(out, body),
            Self::Closing(body) => write_rare(out, body),
        }
    }
}

/// What is sent seldom is written by serde.
fn write_rare<T: Serialize>(out: &mut String, body: &T) {
    out.push_str(&serde_json::to_string(body).expect("bodies have string keys and finite numbers"));
}

impl<P: serde::de::DeserializeOwned> ServerEvent<P> {
    /// Reads an event; `Ok(None)` for a name this version does not know, which a client ignores.
    pub fn parse(name: &str, body: &str) -> Result<Option<Self>, serde_json::Error> {
        Ok(Some(match name {
            "connected" => Self::Connected(serde_json::from_str(body)?),
            "message" => Self::Message(serde_json::from_str(body)?),
            "signal" => Self::Signal(serde_json::from_str(body)?),
            "presence" => Self::Presence(serde_json::from_str(body)?),
            "receipt" => Self::Receipt(serde_json::from_str(body)?),
            "delivery" => Self::Delivery(serde_json::from_str(body)?),
            "notification" => Self::Notification(serde_json::from_str(body)?),
            "heartbeat_ack" => Self::HeartbeatAck(serde_json::from_str(body)?),
            "token_expiring" => Self::TokenExpiring(serde_json::from_str(body)?),
            "gap" => Self::Gap(serde_json::from_str(body)?),
            "unsubscribed" => Self::Unsubscribed(serde_json::from_str(body)?),
            "closing" => Self::Closing(serde_json::from_str(body)?),
            "error" => Self::Error(Failure::from_json(body)?),
            _ => return Ok(None),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_protocol_versions_connected_is_understood() {
        let body = r#"{"connectionId":"c","timestamp":1,"user":{"userId":"u","name":"U","role":"user"}}"#;
        let Ok(Some(ServerEvent::<Payload>::Connected(connected))) = ServerEvent::parse("connected", body)
        else {
            panic!("not connected")
        };
        assert_eq!(connected.limits, None);
    }

    #[test]
    fn every_event_reads_back_as_written() {
        let topic = ChannelName::parse("public:chat").unwrap();
        let present = Present {
            user_id: UserId::new("u"),
            name: "U".to_owned(),
            connections: 1,
            since: 2,
        };
        let events: Vec<ServerEvent> = vec![
            ServerEvent::Signal(Signal {
                topic: topic.clone(),
                from: UserId::new("u"),
                payload: Payload::parse("[1]").unwrap(),
                timestamp: 3,
            }),
            ServerEvent::Presence(PresenceChange {
                topic: topic.clone(),
                action: PresenceAction::Leave,
                user: present,
            }),
            ServerEvent::HeartbeatAck(HeartbeatAck { timestamp: 4 }),
            ServerEvent::Gap(Gap {
                topic: topic.clone(),
                reason: "trimmed".to_owned(),
                seq: 9,
                epoch: Epoch::new("e"),
                oldest_seq: Some(2),
            }),
            ServerEvent::Closing(Closing {
                code: 1012,
                reason: "restart".to_owned(),
                retry_after_ms: Some(500),
            }),
            ServerEvent::Error(Failure::new(ErrorCode::RateLimited, "slow down").retry_after(5)),
        ];
        for event in events {
            let mut body = String::new();
            event.write_json(&mut body);
            assert_eq!(
                ServerEvent::parse(event.name(), &body).unwrap(),
                Some(event),
                "{body}"
            );
        }
    }
}
