//! Events of a Socket.IO client on their way in.
//!
//! socketioxide runs handlers as separate tasks, which lose the order of arrival. An [`Intake`] is not such a
//! handler: it implements the handler's trait itself, so its code runs in the transport's reading task, packet
//! by packet, and no task is spawned.

use std::sync::Arc;

use bmt_shared::codec::socketio::split_event;
use bmt_shared::error::{ErrorCode, Failure};
use bytes::Bytes;
use socketioxide::adapter::LocalAdapter;
use socketioxide::handler::{MessageHandler, Value};
use socketioxide::socket::Socket;

use super::super::Connection;
use super::super::requests::Incoming;
use super::body::names_each_once;

/// Takes every event of one connection; ends the connection when the library lets go of its socket, whatever way.
pub(super) struct Intake(pub(super) Arc<Connection>);

impl MessageHandler<LocalAdapter, Intake> for Intake {
    fn call(&self, _: Arc<Socket<LocalAdapter>>, value: Value, callback: Option<i64>) {
        let connection = &self.0;
        // The packets of the parser in use are text with attachments beside it.
        let Value::Str(text, attachments) = value else {
            return;
        };
        let attachments: Vec<Bytes> = attachments.map(Vec::from).unwrap_or_default();
        let refuse = |message: String| {
            let failure = Failure::new(ErrorCode::InvalidMessage, message);
            connection.refuse_frame(None, callback, failure);
        };
        let mut event = match split_event(&text) {
            Ok(event) => event,
            Err(error) => return refuse(format!("the event cannot be read: {error}")),
        };
        let body = match event.args.next() {
            Some(Ok(body)) => body,
            // Answered like a body that is no object.
            None => "null",
            Some(Err(error)) => return refuse(format!("the event's body is not JSON: {error}")),
        };
        if !attachments.is_empty() && !names_each_once(body, attachments.len()) {
            return refuse("each binary part must be named once in the event's body".to_owned());
        }
        connection.handle(Incoming {
            name: &event.name,
            body,
            attachments,
            message_id: None,
            callback,
        });
    }
}

impl Drop for Intake {
    fn drop(&mut self) {
        self.0.end();
    }
}
