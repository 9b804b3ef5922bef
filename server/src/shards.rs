//! The channels of this node, spread over a few tasks: the one place where a channel changes.
//!
//! A channel belongs to one shard, found by its name. A shard is a task that owns its channels outright: seq,
//! tail, subscribers and presence change there, in one order, without a lock that connections share. Requests
//! are handed over by the methods of [`Shards`], which never wait; each is answered through its [`Answer`].

use std::sync::Arc;

use bmt_shared::id::ConnectionId;
use bmt_shared::identity::User;
use bmt_shared::reply::Reply;
use tokio::sync::oneshot;

use crate::outbox::{Outbox, Outgoing, ReplyTo, Slot};

/// One connection as channels see it.
#[derive(Clone)]
pub struct Subscriber {
    /// The connection's public name.
    pub connection: ConnectionId,
    /// Who it speaks for.
    pub user: Arc<User>,
    /// Its way out.
    pub outbox: Outbox,
}

/// Where the reply to a request goes. It is used up by [`Answer::give`].
pub enum Answer {
    /// Into a place that was taken in the connection's order when the request arrived.
    Slot(Slot, ReplyTo),
    /// To the end of the connection's order when the reply is known.
    Outbox(Outbox, ReplyTo),
    /// The same, but only a failure: a publish with `ackRequired: false`.
    FailureOnly(Outbox, ReplyTo),
    /// To whoever waits for it: a batch, or an HTTP request.
    Waiter(oneshot::Sender<Reply>),
}

impl Answer {
    /// Hands the reply over.
    pub fn give(self, reply: Reply) {
        match self {
            Self::Slot(slot, to) => slot.fill(Outgoing::Reply(to, reply)),
            Self::Outbox(outbox, to) => outbox.push(Outgoing::Reply(to, reply)),
            Self::FailureOnly(outbox, to) => {
                if !reply.is_success() {
                    outbox.push(Outgoing::Reply(to, reply));
                }
            }
            // The waiter may be gone: its connection closed, its HTTP client hung up.
            Self::Waiter(waiter) => drop(waiter.send(reply)),
        }
    }
}
