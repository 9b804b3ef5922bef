//! The words of the protocol: what client and server say to each other, and who may say it.
//!
//! This crate has no I/O, no clock and no source of randomness: times, bytes and random numbers come in as
//! arguments. It compiles natively and to WebAssembly. JSON payloads pass through as text; nothing here looks
//! into them. What is sent often is written field by field ([`json`]); what is read is parsed once, at the edge,
//! into types whose constructors are their only door ([`channel::ChannelName::parse`], [`request::Call::parse`]).
//!
//! ```
//! use bmt_shared::request::{Call, Request};
//!
//! let call = Call::parse("publish", r#"{"topic":"public:chat","payload":{"type":"text"}}"#, Vec::new())?;
//! let Request::Publish(publish) = call.request else { unreachable!() };
//! assert_eq!(publish.topic.namespace(), "public");
//! assert_eq!(publish.payload.json(), r#"{"type":"text"}"#);
//! # Ok::<(), bmt_shared::request::ParseError>(())
//! ```

pub mod codec;
pub mod json;
pub mod sorted;

pub mod channel;
pub mod id;
pub mod identity;
pub mod payload;
pub mod position;

pub mod direct;
pub mod message;
pub mod namespace;
pub mod permission;

pub mod error;
pub mod event;
pub mod reply;
pub mod request;

pub mod close;
pub mod limits;
