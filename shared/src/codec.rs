//! Frames of the wire and the values in them.
//!
//! A codec reads and writes frames and passes JSON through as text, checked for its grammar and never parsed.
//! It does no I/O, keeps no time, and builds no JSON value. Decoding borrows from its input; encoding reserves
//! its output once. Any input is a value or an error, never a panic.
//!
//! - [`engineio`]: [`Packet::decode`](engineio::Packet::decode) and `encode_into`,
//!   [`Handshake`](engineio::Handshake), and for long-polling [`payload::decode`](engineio::payload::decode) and
//!   [`payload::Writer`](engineio::payload::Writer).
//! - [`socketio`]: [`Packet::decode`](socketio::Packet::decode) and `encode_into`,
//!   [`encode_event`](socketio::encode_event), [`encode_ack`](socketio::encode_ack),
//!   [`split_event`](socketio::split_event), and [`Reassembler`](socketio::Reassembler) for attachments.
//! - [`raw`]: [`Envelope::decode`](raw::Envelope::decode) and `encode_into` of the raw WebSocket binding (SPEC §7),
//!   [`raw::decode_frame`] where a frame may hold several.
//! - [`json`]: the grammar: [`value`](json::value), [`elements`](json::elements), [`entries`](json::entries),
//!   [`unquote`](json::unquote).
//!
//! A Socket.IO event on its way out and back:
//!
//! ```
//! use bmt_shared::codec::{engineio, socketio};
//!
//! let mut frame = String::from(engineio::MESSAGE);
//! socketio::encode_event(&mut frame, socketio::Namespace::MAIN, Some(7), "publish", &[r#"{"topic":"a"}"#], 0);
//! assert_eq!(frame, r#"427["publish",{"topic":"a"}]"#);
//!
//! let engineio::Packet::Message(text) = engineio::Packet::decode(&frame)? else { unreachable!() };
//! let socketio::Packet::Event { id, data, .. } = socketio::Packet::decode(text)? else { unreachable!() };
//! let mut event = socketio::split_event(data)?;
//! assert_eq!((id, &*event.name), (Some(7), "publish"));
//! assert_eq!(event.args.next(), Some(Ok(r#"{"topic":"a"}"#)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod engineio;
pub mod raw;
pub mod socketio;

pub mod json;

mod base64;
