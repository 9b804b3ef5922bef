//! The client as a state machine without I/O: connection, subscriptions, offline queue (SPEC §9).
//!
//! This crate opens no socket, sets no timer, reads no clock, stores nothing and rolls no dice. A **driver** does
//! that for it: the browser's, a test's, or a native program's. The same inputs give the same outputs.
//!
//! # The contract: mutate, then drain to the timeout
//!
//! A driver owns one [`Client`] and calls it from one place. Every call takes `&mut self` and the time ([`Now`]):
//!
//! - **what comes from the world** is `handle_*`: a transport opened, a frame, a close, a token, the network, the
//!   lock of the stored queue, time;
//! - **what the application wants** is a verb: [`connect`](Client::connect), [`publish`](Client::publish),
//!   [`subscribe`](Client::subscribe). A verb that is answered later gives a [`RequestId`] or a [`Publishing`];
//!   exactly one [`Event::Reply`] carries the same id;
//! - **what is to be done** comes out of [`poll_output`](Client::poll_output).
//!
//! After *every* call the driver polls until it is answered [`Output::Timeout`], and does the outputs in their
//! order. An [`Output::Persist`] alone may follow what is sent in the same turn, but nothing else.
//! Then it waits for the first of: something from the world, a wish of the application, the timeout. Calling
//! [`handle_timeout`](Client::handle_timeout) too early does nothing; too late delays what was due.
//!
//! An event may make the application call a verb. The driver then finishes draining first, or drains again:
//! outputs are kept in order either way. It never calls from within a borrow of the client.
//!
//! One WebSocket exists at a time, from [`Output::Connect`] to [`handle_closed`](Client::handle_closed) or to
//! [`Output::Close`], after which the driver says nothing more of it: a late word of an old one would be taken for
//! the new one's. Where none can be opened, the same frames travel over HTTP long-polling, by [`Output::Fetch`],
//! until a WebSocket takes the session over.
//!
//! ```
//! use bmt_client_core::{Client, Config, Event, Frame, Native, Now, Output, Status, Timeout, Transmit};
//!
//! /// Does what the core asks, until it asks to wait.
//! fn drain(client: &mut Client<Native>, now: Now, sent: &mut Vec<String>) -> Option<Timeout> {
//!     loop {
//!         match client.poll_output() {
//!             Output::Timeout(timeout) => return timeout,
//!             Output::AskToken => client.handle_token(now, Ok(Some("Bearer e30.e30.x".to_owned()))),
//!             Output::Connect(connect) => {
//!                 assert_eq!(connect.path_and_query, "/socket.io/?EIO=4&transport=websocket");
//!                 client.handle_opened(now); // A real driver opens a socket and calls this when it is open.
//!             }
//!             Output::Transmit(Transmit::Text(frame)) => sent.push(frame),
//!             Output::Event(Event::StateChange(change)) => println!("{}", change.to.as_str()),
//!             Output::Fetch(_) => unreachable!("this WebSocket opens"),
//!             _ => {} // Storage, locks, closing.
//!         }
//!     }
//! }
//!
//! let now = Now { monotonic_ms: 0, unix_ms: 1_700_000_000_000 };
//! let mut client = Client::new(Config { seed: 7, ..Config::default() }, Native);
//! let mut sent = Vec::new();
//! client.connect(now);
//! drain(&mut client, now, &mut sent);
//!
//! let frames = [
//!     r#"0{"sid":"x","upgrades":[],"pingInterval":10000,"pingTimeout":5000,"maxPayload":1000000}"#,
//!     r#"40{"sid":"y"}"#,
//!     r#"42["connected",{"connectionId":"c1","timestamp":5,"user":{"userId":"u1","name":"U","role":"user"},"limits":{}}]"#,
//! ];
//! for frame in frames {
//!     client.handle_frame(now, Frame::Text(frame));
//!     drain(&mut client, now, &mut sent);
//! }
//! assert_eq!(sent, [r#"40{"token":"Bearer e30.e30.x"}"#]);
//! assert_eq!(client.status(), Status::Connected);
//! let timeout = drain(&mut client, now, &mut sent).expect("a heartbeat is due some time");
//! assert_eq!(timeout.at_ms, 5_000);
//! ```
//!
//! Tabs of one browser may share a connection ([`Config::shared`]): each has a core, and one of them the transport.
//! [`Output::Group`] says what to tell the others, [`handle_post`](Client::handle_post) takes what they say, and the
//! lock of the group decides who leads ([`handle_leading`](Client::handle_leading)).
//!
//! # Payloads
//!
//! Outbound, a payload is JSON text that some encoder made ([`bmt_shared::payload::Payload`]). Inbound, envelopes
//! are read by the [`Face`], which decides what a payload is: [`Native`] reads with `serde_json` and keeps text,
//! a browser's face reads with the browser's `JSON` and keeps values.
//!
//! # Errors and panics
//!
//! Whatever the server sends is answered by an event, at worst by closing the transport. What the application
//! does wrong is a [`ClientError`]. A panic is a fault of this crate.

pub mod config;
pub mod entry;
pub mod error;
pub mod event;
pub mod face;
pub mod now;
pub mod output;
pub mod roster;
pub mod state;
pub mod stats;

mod backoff;
mod calendar;
mod client;
mod connection;
mod dedup;
mod link;
mod lock;
mod network;
mod polling;
mod queue;
mod random;
mod request;
mod subscription;
mod tabs;
mod token;

pub use client::{Client, Publishing};
pub use config::{Binding, Config, Overflow, QueuePolicy, ReconnectPolicy, Transports};
pub use entry::{Clock, Entry, QueueChange};
pub use error::ClientError;
pub use event::{Event, RequestId};
pub use face::{Face, FaceError, Native, Parsed, RequestKind};
pub use link::PLAIN_MESSAGE;
pub use now::Now;
pub use output::{
    Connect, Fetch, FetchId, Frame, LockChange, Output, Response, Timeout, TimeoutReason, Transmit,
};
pub use roster::Roster;
pub use state::{ConnectionState, Status};
pub use stats::Stats;
pub use tabs::{GroupChange, Post};
