//! The raw WebSocket `/api/v1/ws` (SPEC §7): one envelope a text frame, or several where the client asked for that.
//!
//! One task serves one connection: it reads, handles, and writes, but for what a shard writes in its place
//! ([`outflow`]). The framing is tungstenite's without its I/O
//! ([`wire`]), so that an idle connection holds no read buffer and a frame that goes to many is encoded once,
//! header included ([`frames`]).

mod batch;
mod endpoint;
mod frames;
mod opening;
mod outflow;
mod pump;
mod wire;

pub(super) use endpoint::handle;
pub use wire::{Arrived, Wire};
