//! The byte stream below a WebSocket that the library serves: what makes a stalled or unwanted peer go away, and
//! the short way out for a connection's events.
//!
//! The library writes without a time limit and cannot be told to close one session. This stream gives up when
//! the peer takes nothing for too long, and reads as ended when its [`Transport`] is; the library then closes
//! the session by itself, after it has written what waits.
//!
//! Between the frames of the library it writes those of the connection's outbox ([`Transport::begin_direct`]):
//! encoded once for all receivers, several in one write, in the task that reads the socket.

use std::cell::Cell;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;
use tokio::time::Sleep;

use super::super::Connection;
use super::super::link::Callback;
use super::frames::{self, Passing};
use super::transport::Transport;
use crate::outbox::{Next, Outgoing};

/// The outbox is taken from while fewer bytes than this wait to be written: several frames go out in one write.
const STAGE_BYTES: usize = 16 * 1_024;
/// A buffer larger than this is given back when it has been written.
const STAGE_KEEP: usize = 2 * STAGE_BYTES;

thread_local! {
    // A buffer for whoever writes next on this thread: an idle stream holds none.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

pub(super) struct GuardedStream<S> {
    inner: S,
    transport: Arc<Transport>,
    /// Where the library is in its frames.
    passing: Passing,
    /// Whole frames of the outbox that wait to be written, and how much of them is.
    staged: Vec<u8>,
    written: usize,
    /// How long the peer may take nothing.
    patience: Duration,
    /// Runs while a write waits.
    stall: Option<Pin<Box<Sleep>>>,
    /// Dropped with the stream.
    _gone: oneshot::Sender<()>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> GuardedStream<S> {
    /// Wraps a stream. The receiver is told, by an error, when the stream is gone.
    pub(super) fn new(
        inner: S,
        transport: Arc<Transport>,
        patience: Duration,
    ) -> (Self, oneshot::Receiver<()>) {
        let (sender, gone) = oneshot::channel();
        let stream = Self {
            inner,
            transport,
            passing: Passing::default(),
            staged: Vec::new(),
            written: 0,
            patience,
            stall: None,
            _gone: sender,
        };
        (stream, gone)
    }

    /// Writes what the outbox holds, as far as the socket takes it.
    fn write_outbox(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        loop {
            if self.poll_staged(cx)?.is_pending() || !self.passing.is_between_frames() {
                return Ok(());
            }
            let Some(connection) = self.transport.direct_connection() else {
                return Ok(());
            };
            self.stage(&connection);
            if self.staged.is_empty() && connection.outbox.poll_ready(cx).is_pending() {
                return Ok(());
            }
        }
    }

    /// Takes from the outbox what fits into one write.
    fn stage(&mut self, connection: &Connection) {
        if self.staged.capacity() == 0 {
            self.staged = SPARE.take();
        }
        while self.staged.len() < STAGE_BYTES {
            match connection.outbox.next() {
                Next::Send(Outgoing::Event(event)) => {
                    self.staged
                        .extend_from_slice(event.socketio_frames(frames::event));
                }
                Next::Send(Outgoing::Reply(to, reply)) => {
                    if let Some(Callback(callback)) = connection.settle(&to, &reply) {
                        frames::push_reply(&mut self.staged, callback, &to.message_id, reply);
                    }
                }
                Next::Send(Outgoing::Close(closing)) => return self.transport.give_back(Some(closing)),
                Next::Overflowed => return self.transport.give_back(None),
                Next::Wait => break,
            }
        }
        if self.staged.is_empty() {
            SPARE.set(std::mem::take(&mut self.staged));
        }
    }

    /// Ready when nothing staged is left.
    fn poll_staged(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.staged.is_empty() {
            return Poll::Ready(Ok(()));
        }
        while self.written < self.staged.len() {
            let written = Pin::new(&mut self.inner).poll_write(cx, &self.staged[self.written..]);
            match ready!(self.within_patience(cx, written))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                bytes => self.written += bytes,
            }
        }
        self.written = 0;
        let mut spare = std::mem::take(&mut self.staged);
        if spare.capacity() <= STAGE_KEEP {
            spare.clear();
            SPARE.set(spare);
        }
        Poll::Ready(Ok(()))
    }

    /// Passes on what a write came to, within the time limit.
    fn within_patience<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            // A peer that was told to go must be done in one go: single bytes do not keep it.
            if !self.transport.is_ended() {
                self.stall = None;
            }
            return written;
        }
        let patience = self.patience;
        let stall = self
            .stall
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        ready!(stall.as_mut().poll(cx));
        self.transport.end();
        Poll::Ready(Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the peer takes nothing off its socket",
        )))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for GuardedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // First of all: what is changed after the looks below wakes this task again.
        self.transport.wake_reader_with(cx.waker());
        if self.transport.is_ended() {
            return Poll::Ready(Ok(()));
        }
        self.write_outbox(cx)?;
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for GuardedStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_staged(cx))?;
        let written = Pin::new(&mut self.inner).poll_write(cx, buf);
        if let Poll::Ready(Ok(bytes)) = written {
            let packets = self.passing.pass(&buf[..bytes]);
            self.transport.pass(packets);
        }
        self.within_patience(cx, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The WebSocket flushes when its buffer and the library's are empty.
        self.transport.drain();
        self.write_outbox(cx)?;
        let flushed = Pin::new(&mut self.inner).poll_flush(cx);
        self.within_patience(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.inner).poll_shutdown(cx);
        self.within_patience(cx, shut)
    }
}

impl<S> Drop for GuardedStream<S> {
    fn drop(&mut self) {
        // A session lives no longer than the WebSocket that carries it.
        self.transport.leave();
    }
}
