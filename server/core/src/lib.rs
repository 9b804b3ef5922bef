//! Session and channel as pure state machines.
