//! Session and channel as pure state machines.

pub mod session;
