//! Why a text is no Socket.IO packet.

use std::fmt;

use super::MAX_ATTACHMENTS;
use crate::codec::json::JsonError;

/// Why a text is no Socket.IO packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecodeError {
    /// There is no type digit.
    Empty,
    /// The first character is no type of revision 5.
    UnknownType(char),
    /// A binary packet does not say how many attachments follow.
    AttachmentCount,
    /// More attachments than [`MAX_ATTACHMENTS`].
    TooManyAttachments,
    /// The namespace does not begin with `/`, or holds a comma or a control character.
    Namespace,
    /// The acknowledgement id does not fit 64 bits.
    AckIdTooLarge,
    /// An acknowledgement says not to what.
    MissingAckId,
    /// This type of packet carries no acknowledgement id.
    UnexpectedAckId,
    /// An event or acknowledgement without data.
    MissingData,
    /// This type of packet carries no data.
    UnexpectedData,
    /// The data is JSON of another shape than this one.
    DataShape(&'static str),
    /// The data is not JSON; offsets count from the start of the data.
    Json(JsonError),
    /// An event's array does not begin with its name.
    EventName,
    /// The event's name belongs to the library.
    ReservedEvent,
}

impl From<JsonError> for DecodeError {
    fn from(error: JsonError) -> Self {
        Self::Json(error)
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sentence = match self {
            Self::Empty => "the Socket.IO packet is empty",
            Self::UnknownType(kind) => return write!(f, "`{kind}` is no packet type of Socket.IO 5"),
            Self::AttachmentCount => "a binary Socket.IO packet does not tell the number of its attachments",
            Self::TooManyAttachments => {
                return write!(
                    f,
                    "the Socket.IO packet announces more than {MAX_ATTACHMENTS} attachments"
                );
            }
            Self::Namespace => "a Socket.IO namespace begins with / and has no comma or control character",
            Self::AckIdTooLarge => "the acknowledgement id of the Socket.IO packet is too large",
            Self::MissingAckId => "the Socket.IO acknowledgement has no id",
            Self::UnexpectedAckId => "a Socket.IO packet of this type has no acknowledgement id",
            Self::MissingData => "a Socket.IO event or acknowledgement has no data",
            Self::UnexpectedData => "a Socket.IO packet of this type has no data",
            Self::DataShape(shape) => return write!(f, "the data of the Socket.IO packet is not {shape}"),
            Self::Json(error) => {
                return write!(f, "the data of the Socket.IO packet cannot be read: {error}");
            }
            Self::EventName => "the data of a Socket.IO event does not begin with a name",
            Self::ReservedEvent => "the Socket.IO event has a name that is reserved for the library",
        };
        f.write_str(sentence)
    }
}

impl std::error::Error for DecodeError {}
