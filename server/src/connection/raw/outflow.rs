//! What one connection sends: words for what its outbox holds, staged and written.

use std::sync::Arc;
use std::task::Waker;

use bmt_shared::event::{Closing, ServerEvent};

use super::super::Connection;
use super::super::frame::push_text;
use super::super::outlet;
use super::super::staged::Staged;
use super::frames;
use crate::outbox::{Encoded, Line, Outgoing};

/// Where it leaves.
pub(super) type Outlet = outlet::Outlet<Outflow, Connection>;

/// What waits, and whether anything may follow.
#[derive(Default)]
pub(super) struct Outflow {
    pub(super) staged: Staged,
    /// The last words are staged: nothing follows but by the connection's task.
    pub(super) is_over: bool,
}

/// What one thing to send is on the wire.
pub(super) enum Spoken {
    /// A frame that goes to many.
    Event(Arc<Encoded>),
    /// An envelope.
    Envelope(String),
    Nothing,
    /// The last thing there is.
    Close(Closing),
}

impl Line for Outlet {
    fn write(&self, task: &Waker) -> bool {
        match self.enter() {
            Some((connection, socket, mut out)) if !out.is_over && out.staged.is_empty() => {
                out.staged.write_outbox(&connection, socket, task, stage)
            }
            _ => false,
        }
    }
}

/// Stages one thing that is no close.
fn stage(connection: &Connection, staged: &mut Staged, outgoing: Outgoing) {
    match speak(connection, outgoing, None) {
        Spoken::Event(event) => staged.buffer().extend_from_slice(event.raw_frame(frames::event)),
        Spoken::Envelope(envelope) => push_text(staged.buffer(), &envelope),
        Spoken::Nothing | Spoken::Close(_) => {}
    }
}

/// Words one thing to send. `client_id` is the client's own name for itself.
pub(super) fn speak(connection: &Connection, outgoing: Outgoing, client_id: Option<&str>) -> Spoken {
    match outgoing {
        Outgoing::Event(event) => match event.event() {
            ServerEvent::Connected(connected) => Spoken::Envelope(frames::connect(connected, client_id)),
            // The message that it is made of is such a frame already (SPEC §7).
            ServerEvent::Notification(_) => Spoken::Nothing,
            _ => Spoken::Event(event),
        },
        Outgoing::Reply(to, reply) => match connection.settle(&to, &reply) {
            Some(_) => Spoken::Envelope(frames::reply(&to.message_id, &reply)),
            None => Spoken::Nothing,
        },
        Outgoing::Close(closing) => Spoken::Close(closing),
    }
}
