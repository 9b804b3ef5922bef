//! The wasm-bindgen face of the npm package @bmt/realtime.
//!
//! One class over `bmt-client-web`, with no protocol of its own: calls go down, events come up by name, with
//! bodies as the package's types describe them. Payloads stay JavaScript values, read and written by the host's
//! own `JSON`. Everything thrown or rejected with is a plain object of a `RealtimeError`'s fields, which the
//! package's TypeScript turns into one.

mod client;

mod face;
mod reply;

mod attachments;
mod error;
mod event;
mod object;
mod options;

#[cfg(target_arch = "wasm32")]
mod allocator;
