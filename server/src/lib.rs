//! The server: one binary, durable by default.

pub mod outbox;
pub mod shards;
