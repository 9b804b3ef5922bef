//! One line of a timeline: a message, or what will be one once the server took it.

use std::sync::Arc;

use bmt_shared::id::{MessageId, ServerMessageId, UserId};
use bmt_shared::message::Message;
use bmt_shared::payload::Payload;
use bmt_shared::position::Seq;

use super::body::Body;

/// Names a row for as long as it is on the screen.
///
/// An own message keeps the key of its client-made id from the moment it is written, so its row stays the same
/// element when it is sent. The two kinds never meet: another user's client-made id says nothing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum RowKey {
    /// An own message.
    Own(MessageId),
    /// Anybody else's.
    Server(ServerMessageId),
}

/// How far a row has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RowState {
    /// In the queue.
    Sending,
    /// Stored by the server.
    Sent,
    /// Refused: a code of SPEC §10, or of the client's queue.
    Failed(Arc<str>),
}

impl RowState {
    /// The value of `data-state`.
    #[must_use]
    pub(crate) fn as_str(&self) -> &'static str {
        match self {
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Failed(_) => "failed",
        }
    }
}

/// A line of a timeline.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    /// Its name on the screen.
    pub(crate) key: RowKey,
    /// The server's id, once it has one.
    pub(crate) id: Option<ServerMessageId>,
    /// Its number in the channel, once it has one.
    pub(crate) seq: Option<Seq>,
    /// Who wrote it.
    pub(crate) from: UserId,
    /// When, ms since the Unix epoch: the server's time, or our own until there is one.
    pub(crate) at: u64,
    /// What it says.
    pub(crate) body: Body,
    /// How far it has come.
    pub(crate) state: RowState,
}

impl Row {
    /// A row for a message as the server delivers it to `me`.
    #[must_use]
    pub(crate) fn delivered(message: &Message<Payload>, me: &UserId) -> Self {
        Self {
            key: key_of(message, me),
            id: Some(message.id.clone()),
            seq: Some(message.seq),
            from: message.from.clone(),
            at: message.timestamp,
            body: Body::read(&message.payload),
            state: RowState::Sent,
        }
    }

    /// A row for what `me` wrote just now.
    #[must_use]
    pub(crate) fn written(id: MessageId, me: &UserId, text: &str, at: u64) -> Self {
        Self {
            key: RowKey::Own(id),
            id: None,
            seq: None,
            from: me.clone(),
            at,
            body: Body::Text(Arc::from(text)),
            state: RowState::Sending,
        }
    }
}

/// The key of a delivered message's row.
#[must_use]
pub(crate) fn key_of(message: &Message<Payload>, me: &UserId) -> RowKey {
    match &message.client_message_id {
        Some(id) if message.from == *me => RowKey::Own(id.clone()),
        _ => RowKey::Server(message.id.clone()),
    }
}
