//! Where one connection's frames leave: staged and written by its task, or by a shard while that sleeps.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, Weak};
use std::task::Waker;

use bmt_shared::event::{Closing, ServerEvent};

use super::super::Connection;
use super::super::frame::push_text;
use super::super::staged::{STAGE_BYTES, Staged};
use super::frames;
use crate::outbox::{Encoded, Line, Next, Outgoing};
use crate::socket::Socket;

/// See the [module](self).
#[derive(Default)]
pub(super) struct Outlet {
    out: Mutex<Out>,
    /// Whose outbox it is and where that goes, once a shard may write it.
    short: OnceLock<(Weak<Connection>, Socket)>,
}

/// What waits, and whether anything may follow.
#[derive(Default)]
pub(super) struct Out {
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

impl Outlet {
    /// From now on a shard may write what this connection's outbox holds. All that is sent comes out of that, or
    /// from its task.
    pub(super) fn open(&self, connection: Weak<Connection>, socket: Socket) {
        self.short.set((connection, socket)).ok();
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Out> {
        self.out
            .lock()
            .expect("no code panics while it holds what is staged")
    }
}

impl Line for Outlet {
    fn write(&self, task: &Waker) -> bool {
        let Some((connection, socket)) = self.short.get() else {
            return false;
        };
        // Where the task is at work here it looks into the outbox next.
        let (Some(connection), Ok(mut out)) = (connection.upgrade(), self.out.try_lock()) else {
            return false;
        };
        if out.is_over || !out.staged.is_empty() {
            return false;
        }
        out.staged.write_outbox(&connection, socket, task, take)
    }
}

/// Takes from the outbox what fits into one write; false where there is nothing. A close is the task's to say.
fn take(connection: &Connection, staged: &mut Staged) -> bool {
    let mut any = false;
    while staged.len() < STAGE_BYTES
        && let Next::Send(outgoing) = connection.outbox.next_but_close()
    {
        any = true;
        match speak(connection, outgoing, None) {
            Spoken::Event(event) => staged.buffer().extend_from_slice(event.raw_frame(frames::event)),
            Spoken::Envelope(envelope) => push_text(staged.buffer(), &envelope),
            Spoken::Nothing | Spoken::Close(_) => {}
        }
    }
    any
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
