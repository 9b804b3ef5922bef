//! The server: one binary, durable by default.
