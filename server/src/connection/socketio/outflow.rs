//! What one session's WebSocket carries: the library's frames, and those of the connection's outbox between them.

use std::task::Waker;

use super::super::Connection;
use super::super::link::Callback;
use super::super::outlet;
use super::super::staged::Staged;
use super::frames::{self, Passing};
use super::transport::Transport;
use crate::outbox::{Line, Outgoing};

/// Where it leaves.
pub(super) type Outlet = outlet::Outlet<Outflow, Transport>;

/// What is on its way.
#[derive(Default)]
pub(super) struct Outflow {
    /// Where the library is in its frames.
    pub(super) passing: Passing,
    /// Frames of the outbox.
    pub(super) staged: Staged,
}

impl Line for Outlet {
    fn write(&self, task: &Waker) -> bool {
        let Some((transport, socket, mut out)) = self.enter() else {
            return false;
        };
        let is_free = out.staged.is_empty() && out.passing.is_between_frames() && !transport.is_ended();
        match transport.direct_connection() {
            Some(connection) if is_free => out.staged.write_outbox(&connection, socket, task, stage),
            _ => false,
        }
    }
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
