//! How a face reads what the server sends: `serde_json` natively, the browser's `JSON` in JavaScript.

mod native;

use std::fmt;

use bmt_shared::event::ServerEvent;
use bmt_shared::reply::Reply;
use bytes::Bytes;

use crate::config::Binding;

pub use native::Native;

/// Reads inbound envelopes. The core frames and orders; what a payload is, the face decides.
///
/// `attachments` are the binary parts that came with the JSON, in the order of its placeholders.
pub trait Face {
    /// A message's content as the application gets it.
    type Payload: Clone;

    /// Whether the core keeps who is on each channel and how far it is read ([`crate::Roster`]). A face that leaves
    /// those events whole keeps that itself, where its applications are.
    const KEEPS_ROSTERS: bool;

    /// Reads the body of the event `name`; `Ok(None)` for a name this version does not know.
    ///
    /// # Errors
    /// When the body is not what the name promises: the event is dropped and reported.
    fn parse_event(
        &self,
        name: &str,
        body: &str,
        attachments: &[Bytes],
    ) -> Result<Option<Parsed<Self::Payload>>, FaceError>;

    /// Reads the answer to a request: the ack's argument on Socket.IO, the frame's `data` on raw. A raw `error`
    /// frame comes here too; its `code` is a number. A success that tells none of the fields of its kind, as
    /// servers of the seeds answer, is [`Reply::Done`].
    ///
    /// # Errors
    /// When the body is no answer: the request fails as unreadable.
    fn parse_reply(
        &self,
        binding: Binding,
        kind: RequestKind,
        body: &str,
        attachments: &[Bytes],
    ) -> Result<Reply<Self::Payload>, FaceError>;

    /// Reads a bare payload: on raw it stands apart from its envelope. `kind` is the `type` of its frame: `data`,
    /// `status` or `notification`.
    ///
    /// # Errors
    /// When the text is no JSON: the message is dropped and reported.
    fn parse_payload(&self, kind: &str, json: &str) -> Result<Self::Payload, FaceError>;

    /// Whether a payload changes an earlier message (SPEC §4, `edit`, `delete`, `reaction`) and is none to be read
    /// itself. Asked only where rosters are kept.
    fn is_amendment(&self, payload: &Self::Payload) -> bool;
}

/// An event, as far as a face looks into it.
#[derive(Clone, Debug, PartialEq)]
pub enum Parsed<P> {
    /// Read.
    Event(ServerEvent<P>),
    /// Left as it came, under its name. The core only hands on who came and went, who read, who confirmed, and what
    /// people are told: a face whose applications take the values that the host parsed has nothing to read there.
    Whole(&'static str, P),
}

/// What a reply answers, so that the face knows its shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RequestKind {
    /// [`Reply::Subscribed`]
    Subscribe,
    /// [`Reply::Batch`] of [`Reply::Subscribed`]
    SubscribeBatch,
    /// [`Reply::Unsubscribed`]
    Unsubscribe,
    /// [`Reply::Published`]
    Publish,
    /// [`Reply::Batch`] of [`Reply::Published`]
    PublishBatch,
    /// [`Reply::Done`]
    Signal,
    /// [`Reply::History`]
    History,
    /// [`Reply::Presence`]
    Presence,
    /// [`Reply::Done`]
    Read,
    /// [`Reply::Done`]
    Refresh,
}

/// What the server sent cannot be read: a sentence for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaceError(pub String);

impl fmt::Display for FaceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for FaceError {}
