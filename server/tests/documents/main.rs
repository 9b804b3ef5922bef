//! The pages of `docs/`: what they say is what the server does.
//!
//! A page that is made from the sources and differs fails its test; `cargo xtask docs` writes it anew.

mod configuration;
mod error_codes;
mod metrics;
mod page;
mod protocol;
