//! The realtime endpoints over real sockets, spoken to frame by frame: what no official client would send too.

#![expect(clippy::unwrap_used, reason = "what fails here fails a test")]

mod covers;
mod handshakes;
mod lifetimes;
mod limits;
mod namespaces;
mod raw;
mod revocation;
mod sessions;
mod support;
mod talker;
