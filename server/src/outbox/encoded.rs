//! An event that is encoded once per wire format and shared by all its receivers.

use std::sync::OnceLock;

use bmt_shared::event::ServerEvent;
use bmt_shared::message::{Message, Priority};
use bmt_shared::position::Seq;
use bytes::Bytes;
use serde_json::value::RawValue;
use tokio::time::Instant;

/// An event with its encodings, each made when the first receiver of that format needs it.
#[derive(Debug)]
pub struct Encoded {
    event: ServerEvent,
    priority: Priority,
    ends_at: Option<Instant>,
    body: OnceLock<Box<RawValue>>,
    raw: OnceLock<Bytes>,
    socketio: OnceLock<Bytes>,
}

impl Encoded {
    /// Wraps an event of normal priority.
    #[must_use]
    pub fn new(event: ServerEvent) -> Self {
        Self::with_priority(event, Priority::Normal)
    }

    /// Wraps an event.
    #[must_use]
    pub fn with_priority(event: ServerEvent, priority: Priority) -> Self {
        Self {
            event,
            priority,
            ends_at: None,
            body: OnceLock::new(),
            raw: OnceLock::new(),
            socketio: OnceLock::new(),
        }
    }

    /// From then on it is not sent any more (SPEC §4, `ttl`); [`None`] is at any time.
    #[must_use]
    pub fn until(self, ends_at: Option<Instant>) -> Self {
        Self { ends_at, ..self }
    }

    /// Whether its time is over.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.ends_at.is_some_and(|ends_at| ends_at <= Instant::now())
    }

    /// The message that it is, for one connection alone: with another `prev`.
    pub(super) fn after(&self, message: &Message, prev: Seq) -> Self {
        let message = Message {
            prev: Some(prev),
            ..message.clone()
        };
        Self::with_priority(ServerEvent::Message(message), self.priority).until(self.ends_at)
    }

    /// The event itself.
    #[must_use]
    pub fn event(&self) -> &ServerEvent {
        &self.event
    }

    /// See [`Priority`].
    #[must_use]
    pub fn priority(&self) -> Priority {
        self.priority
    }

    /// The event's body as JSON: the argument of the Socket.IO event [`ServerEvent::name`].
    #[must_use]
    pub fn body(&self) -> &RawValue {
        self.body.get_or_init(|| {
            let mut body = String::new();
            self.event.write_json(&mut body);
            RawValue::from_string(body).expect("events are written as JSON")
        })
    }

    /// The frames of a Socket.IO packet, made by `encode` for the first receiver that needs them.
    pub fn socketio_frames(&self, encode: impl FnOnce(&ServerEvent) -> Bytes) -> &Bytes {
        self.socketio.get_or_init(|| encode(&self.event))
    }

    /// The frame of the raw binding, made by `encode` for the first receiver that needs it.
    pub fn raw_frame(&self, encode: impl FnOnce(&ServerEvent) -> Bytes) -> &Bytes {
        self.raw.get_or_init(|| encode(&self.event))
    }

    /// Bytes that this event holds in an outbox.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        match &self.event {
            ServerEvent::Message(message) => message.payload.size_bytes() + 256,
            ServerEvent::Signal(signal) => signal.payload.size_bytes() + 128,
            _ => 256,
        }
    }
}
