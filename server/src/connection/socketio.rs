//! Socket.IO connections (SPEC §6). All of socketioxide stays in here.
//!
//! What the library does not do by itself, and where it is covered:
//!
//! | the library | the cover |
//! |---|---|
//! | runs handlers as tasks of their own, which lose the order of arrival | `intake` is a handler that runs in place |
//! | drops events that arrive before a handler is there | `connect` sets the handler before CONNECT is answered |
//! | shows the private Engine.IO id as the socket's id | it is never read but to find a session; `ConnectionId` is minted |
//! | drops packets when its buffer is full | `writer` checks each emit and keeps a window; a slow reader fills the outbox |
//! | has no time limit on writes | `stream` gives up on a peer that takes nothing |
//! | cannot close one session without a DISCONNECT | `stream` ends below it; for polling, `endpoint` posts a CLOSE |
//! | lets a handshake through that lacks everything but a key | `endpoint` checks it (RFC 6455) |
//! | waits for the body of a POST as long as it takes | `endpoint` gives it a time limit |
//! | closes a healthy session when it is upgraded twice | `transport` lets the first upgrade through only |
//! | encodes each packet for each receiver, and hands it from task to task | `stream` writes shared frames between the library's own |
//! | leaves a session behind whose upgrade failed | `endpoint` closes it when the stream is gone |

mod body;
mod connect;
mod endpoint;
mod frames;
mod intake;
mod query;
mod stream;
mod transport;
mod writer;

pub(super) use endpoint::Endpoint;

/// The answer to a page of an origin that may not connect.
pub(super) fn foreign() -> axum::response::Response {
    axum::response::IntoResponse::into_response(query::Refused::Forbidden)
}
