//! The client core in scenarios: a scripted server, a stored queue, and time that passes when told to.

#![allow(
    clippy::unwrap_used,
    reason = "the helpers of a test fail it as its assertions do"
)]

mod clocks;
mod confirmations;
mod connection;
mod gaps;
mod garbage;
mod harness;
mod heartbeat;
mod polling;
mod publishing;
mod queue;
mod raw;
mod requests;
mod roster;
mod seeds;
mod shared;
mod subscriptions;
mod tabs;
