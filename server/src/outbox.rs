//! One connection's ordered way out: everything that is sent to a client goes through here, in this order.
//!
//! A reply and the messages around it must reach the client in the order in which the shard decided them. A reply
//! that is not known yet (it waits for the disk, or for several shards) therefore takes its place at once as a
//! [`Slot`]: what comes after it waits behind it, so a subscription with recovery needs no second buffer.
//!
//! The outbox is bounded in bytes and in entries (SPEC §5.4). At the bound low-priority events are dropped, and
//! stay out until half of what waits is sent: their subscribers see the gap and recover. If that is not enough
//! the outbox is [`Next::Overflowed`] and the connection is closed as slow; what it missed is in the history.
//!
//! A message whose `ttl` ends while it waits is not sent; the next one of its channel carries the `prev` that says so.
//!
//! High-priority messages pass waiting events of other channels; within a channel the order of seqs always holds.

mod encoded;
mod line;
mod queue;
mod skips;

#[cfg(test)]
mod tests;

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bmt_shared::event::Closing;
use bmt_shared::id::MessageId;
use bmt_shared::reply::Reply;
use tokio::sync::Notify;
use tokio::time::sleep;

pub use encoded::Encoded;
pub use line::{Asleep, Line};
use queue::Queue;

/// Bounds of one outbox. 0 means "no limit".
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Most bytes of encoded bodies that wait.
    pub bytes: usize,
    /// Most entries that wait.
    pub entries: usize,
}

/// Which request a reply answers, in the terms of its own connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplyTo {
    /// The request's `messageId`, given or made.
    pub message_id: MessageId,
    /// The connection's own number for the request: finds the Socket.IO callback again.
    pub call: u64,
}

/// One thing to send.
#[derive(Clone, Debug)]
pub enum Outgoing {
    /// An event, encoded once for all its receivers.
    Event(Arc<Encoded>),
    /// An answer.
    Reply(ReplyTo, Reply),
    /// Say this, then close the connection.
    Close(Closing),
}

/// What the writer of a connection does next.
#[derive(Clone, Debug)]
pub enum Next {
    /// Send this.
    Send(Outgoing),
    /// Nothing can be sent now; wait with [`Outbox::ready`].
    Wait,
    /// The client reads too slowly: close with `slow_consumer`.
    Overflowed,
}

/// A shared handle to one connection's outbox; a clone is the same outbox.
#[derive(Clone)]
pub struct Outbox(Arc<Inner>);

struct Inner {
    // A lock and not a task: pushing is a few instructions, never waits, and happens on many threads.
    queue: Mutex<Queue>,
    /// Told of the close or the overflow.
    sealed: Notify,
    /// Who writes it without its task, where somebody can.
    line: OnceLock<Arc<dyn Line>>,
}

impl Outbox {
    /// An empty outbox.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        Self(Arc::new(Inner {
            queue: Mutex::new(Queue::new(bounds)),
            sealed: Notify::new(),
            line: OnceLock::new(),
        }))
    }

    /// Holds to other bounds from the next thing on that is appended.
    pub fn set_bounds(&self, bounds: Bounds) {
        self.lock().set_bounds(bounds);
    }

    /// Appends something to send. After an overflow or a close it is dropped: the client will recover.
    pub fn push(&self, outgoing: Outgoing) {
        if let Some(writer) = self.push_quietly(outgoing) {
            writer.wake();
        }
    }

    /// The same, but leaves it to the caller to wake the writer: who has more to push wakes each writer once, and
    /// all of it goes out in one write.
    #[must_use = "the writer sleeps until it is woken"]
    pub fn push_quietly(&self, outgoing: Outgoing) -> Option<Waker> {
        self.change(|queue| queue.push(outgoing))
    }

    /// Names who can write it without its task. The first one stays.
    pub fn attach(&self, line: Arc<dyn Line>) {
        self.0.line.set(line).ok();
    }

    /// Who can write it without its task.
    #[must_use]
    pub fn line(&self) -> Option<Arc<dyn Line>> {
        self.0.line.get().cloned()
    }

    /// Takes a place in the order for something that is not known yet.
    #[must_use = "a slot that is dropped unfilled sends nothing"]
    pub fn reserve(&self) -> Slot {
        let number = self.lock().reserve();
        Slot {
            outbox: self.clone(),
            number: Some(number),
        }
    }

    /// Takes the next thing to send out of the outbox.
    pub fn next(&self) -> Next {
        self.lock().next()
    }

    /// The same, but leaves a close where it is: [`Next::Wait`], although [`Self::poll_ready`] is ready.
    pub fn next_but_close(&self) -> Next {
        self.lock().next_but_close()
    }

    /// Waits until [`Self::next`] has something. One writer waits at a time.
    pub async fn ready(&self) {
        poll_fn(|cx| self.poll_ready(cx)).await;
    }

    /// Ready when [`Self::next`] has something. Only the last one who asked is woken, and once.
    pub fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.lock().poll_ready(cx)
    }

    /// Waits until the outbox has been closed or has overflowed, and `grace` has passed since. A writer that is
    /// still at what waits before the close then has a peer that takes too little, or an answer that is not
    /// coming, and goes on with [`Self::skip_to_close`]. One writer waits at a time.
    pub async fn overdue(&self, grace: Duration) {
        while self.is_open() {
            self.0.sealed.notified().await;
        }
        sleep(grace).await;
    }

    /// Drops what waits before the close. What is next is the close, or [`Next::Overflowed`]; [`Next::Wait`] where
    /// the close was taken out before.
    pub fn skip_to_close(&self) -> Next {
        self.lock().skip_to_close()
    }

    /// Whether something pushed now would be sent: false after an overflow or a close.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.lock().is_open()
    }

    /// Entries and bytes that wait, for gauges.
    #[must_use]
    pub fn load(&self) -> (usize, usize) {
        self.lock().load()
    }

    fn fill(&self, number: u64, outgoing: Option<Outgoing>) {
        let writer = self.change(|queue| queue.fill(number, outgoing));
        if let Some(writer) = writer {
            writer.wake();
        }
    }

    /// Makes a change, and tells [`Self::overdue`] where that was a close or an overflow.
    fn change(&self, change: impl FnOnce(&mut Queue) -> Option<Waker>) -> Option<Waker> {
        let mut queue = self.lock();
        let was_open = queue.is_open();
        let writer = change(&mut queue);
        let sealed = was_open && !queue.is_open();
        drop(queue);
        if sealed {
            self.0.sealed.notify_one();
        }
        writer
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0
            .queue
            .lock()
            .expect("no code panics while it holds the queue")
    }
}

/// A place in an outbox for something that is not known yet.
#[must_use = "a slot that is dropped unfilled sends nothing"]
pub struct Slot {
    outbox: Outbox,
    number: Option<u64>,
}

impl Slot {
    /// Puts `outgoing` in this place; what waits behind it may now be sent.
    pub fn fill(mut self, outgoing: Outgoing) {
        if let Some(number) = self.number.take() {
            self.outbox.fill(number, Some(outgoing));
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(number) = self.number.take() {
            self.outbox.fill(number, None);
        }
    }
}
