//! The server: one binary, durable by default.

pub mod config;

pub mod accounts;
pub mod assets;
pub mod auth;
pub mod clock;
pub mod connection;
pub mod data_dir;
pub mod outbox;
pub mod random;
pub mod shards;
