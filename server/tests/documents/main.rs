//! The pages of `docs/` that are made from the sources: what they say is what the server does.
//!
//! A page that differs fails its test; `cargo xtask docs` writes it anew.

mod configuration;
mod error_codes;
mod metrics;
mod page;
