//! The server: one binary, durable by default.

pub mod history;
pub mod outbox;
pub mod shards;
