//! Where the frames of one session's WebSocket leave: the library's, and those of the connection's outbox between
//! them, which the stream's task stages and writes, or a shard while that sleeps.

use std::sync::{Mutex, MutexGuard, OnceLock, Weak};
use std::task::Waker;

use super::super::Connection;
use super::super::link::Callback;
use super::super::staged::{STAGE_BYTES, Staged};
use super::frames::{self, Passing};
use super::transport::Transport;
use crate::outbox::{Line, Next, Outgoing};
use crate::socket::Socket;

/// See the [module](self).
#[derive(Default)]
pub(super) struct Outlet {
    out: Mutex<Out>,
    /// Whose outbox it is and where that goes, once a shard may write it.
    short: OnceLock<(Weak<Transport>, Socket)>,
}

/// What is on its way.
#[derive(Default)]
pub(super) struct Out {
    /// Where the library is in its frames.
    pub(super) passing: Passing,
    /// Frames of the outbox.
    pub(super) staged: Staged,
}

impl Outlet {
    /// The WebSocket of this session goes to this socket.
    pub(super) fn open(&self, transport: Weak<Transport>, socket: Socket) {
        self.short.set((transport, socket)).ok();
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Out> {
        self.out
            .lock()
            .expect("no code panics while it holds what is staged")
    }
}

impl Line for Outlet {
    fn write(&self, task: &Waker) -> bool {
        let Some((transport, socket)) = self.short.get() else {
            return false;
        };
        // Where the task is at work here it looks into the outbox next.
        let (Some(transport), Ok(mut out)) = (transport.upgrade(), self.out.try_lock()) else {
            return false;
        };
        let is_free = out.staged.is_empty() && out.passing.is_between_frames() && !transport.is_ended();
        match transport.direct_connection() {
            Some(connection) if is_free => out.staged.write_outbox(&connection, socket, task, take),
            _ => false,
        }
    }
}

/// Takes from the outbox what fits into one write; false where there is nothing. A close is left where it is.
pub(super) fn take(connection: &Connection, staged: &mut Staged) -> bool {
    let mut any = false;
    while staged.len() < STAGE_BYTES
        && let Next::Send(outgoing) = connection.outbox.next_but_close()
    {
        any = true;
        stage(connection, staged, outgoing);
    }
    any
}

/// Stages one thing that is no close.
pub(super) fn stage(connection: &Connection, staged: &mut Staged, outgoing: Outgoing) {
    match outgoing {
        Outgoing::Event(event) => staged
            .buffer()
            .extend_from_slice(event.socketio_frames(frames::event)),
        Outgoing::Reply(to, reply) => {
            if let Some(Callback(callback)) = connection.settle(&to, &reply) {
                frames::push_reply(staged.buffer(), callback, &to.message_id, reply);
            }
        }
        Outgoing::Close(_) => {}
    }
}
