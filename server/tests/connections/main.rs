//! The realtime endpoints over real sockets, spoken to frame by frame: what no official client would send too.

mod covers;
mod handshakes;
mod lifetimes;
mod limits;
mod raw;
mod sessions;
mod support;
