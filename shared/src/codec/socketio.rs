//! Socket.IO 5: packets with namespace, acknowledgement id, JSON data and binary attachments.
//!
//! Source: the protocol document of `socketio/socket.io-protocol`, revision 5. A packet is the text of an
//! Engine.IO message; its attachments follow as binary messages and are collected by a [`Reassembler`].
//!
//! Data stays JSON text, checked for its grammar and its outermost shape. Where an attachment belongs, the
//! text holds `{"_placeholder":true,"num":N}`; whoever reads the payload puts attachment `N` there.
//!
//! Where the protocol document leaves room, this codec does as the official parser does: an event's name may
//! be a number, and the names of the library's own events ([`RESERVED_EVENTS`]) are refused. It is stricter in
//! three things that no official peer sends: an event without data, an ack id where none belongs, and an
//! acknowledgement without one.

mod decode;
mod encode;
mod error;
mod event;
mod namespace;
mod reassembler;

pub use encode::{encode_ack, encode_event};
pub use error::DecodeError;
pub use event::{Event, RESERVED_EVENTS, split_event};
pub use namespace::Namespace;
pub use reassembler::{Assembled, AttachmentError, Reassembler};

/// The most attachments a packet may announce (SPEC §10).
pub const MAX_ATTACHMENTS: usize = 10;

/// One packet without its attachments.
///
/// BINARY_EVENT and BINARY_ACK are [`Packet::Event`] and [`Packet::Ack`] with `attachments` above zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packet<'a> {
    /// A client asks for a namespace, with its credentials as an object; a server grants it, with the `sid`.
    Connect {
        /// The namespace asked for.
        namespace: Namespace<'a>,
        /// A JSON object.
        data: Option<&'a str>,
    },
    /// One side leaves the namespace.
    Disconnect {
        /// The namespace left.
        namespace: Namespace<'a>,
    },
    /// An event; see [`split_event`] for its name and arguments.
    Event {
        /// The namespace it belongs to.
        namespace: Namespace<'a>,
        /// Asks for an [`Packet::Ack`] with the same id.
        id: Option<u64>,
        /// A JSON array, the name first, then the arguments.
        data: &'a str,
        /// How many binary messages follow, at most [`MAX_ATTACHMENTS`].
        attachments: usize,
    },
    /// The answer to an event that carried an id.
    Ack {
        /// The namespace it belongs to.
        namespace: Namespace<'a>,
        /// The event's id.
        id: u64,
        /// A JSON array of the arguments, possibly empty.
        data: &'a str,
        /// How many binary messages follow, at most [`MAX_ATTACHMENTS`].
        attachments: usize,
    },
    /// The server refuses a namespace.
    ConnectError {
        /// The namespace refused.
        namespace: Namespace<'a>,
        /// A JSON object with `message`, or from old servers a string.
        data: Option<&'a str>,
    },
}

impl<'a> Packet<'a> {
    /// The namespace that the packet is about.
    #[must_use]
    pub fn namespace(&self) -> Namespace<'a> {
        match *self {
            Self::Connect { namespace, .. }
            | Self::Disconnect { namespace }
            | Self::Event { namespace, .. }
            | Self::Ack { namespace, .. }
            | Self::ConnectError { namespace, .. } => namespace,
        }
    }

    /// How many binary messages follow.
    #[must_use]
    pub fn attachments(&self) -> usize {
        match *self {
            Self::Event { attachments, .. } | Self::Ack { attachments, .. } => attachments,
            Self::Connect { .. } | Self::Disconnect { .. } | Self::ConnectError { .. } => 0,
        }
    }
}
