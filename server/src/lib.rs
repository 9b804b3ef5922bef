//! The server: one binary, durable by default.

pub mod cli;
pub mod config;
pub mod observe;

pub mod node;
pub mod serve;
pub mod shutdown;

pub mod accounts;
pub mod auth;
pub mod data_dir;

pub mod assets;
pub mod http;

pub mod connection;
pub mod history;
pub mod outbox;
pub mod shards;

pub mod clock;
pub mod random;
