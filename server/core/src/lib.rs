//! Session and channel as pure state machines.

pub mod channel;
pub mod session;
