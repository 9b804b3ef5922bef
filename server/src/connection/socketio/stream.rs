//! The byte stream below a WebSocket that the library serves: what makes a stalled or unwanted peer go away.
//!
//! The library writes without a time limit and cannot be told to close one session. This stream gives up when
//! the peer takes nothing for too long, and reads as ended when its [`Transport`] is; the library then closes
//! the session by itself, after it has written what waits.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;
use tokio::time::Sleep;

use super::transport::Transport;

pub(super) struct GuardedStream<S> {
    inner: S,
    transport: Arc<Transport>,
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
            patience,
            stall: None,
            _gone: sender,
        };
        (stream, gone)
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
        if self.transport.is_ended() {
            return Poll::Ready(Ok(()));
        }
        if let Poll::Ready(read) = Pin::new(&mut self.inner).poll_read(cx, buf) {
            return Poll::Ready(read);
        }
        self.transport.wake_at_end(cx.waker());
        if self.transport.is_ended() {
            Poll::Ready(Ok(()))
        } else {
            Poll::Pending
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for GuardedStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.within_patience(cx, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The WebSocket flushes when its buffer and the library's are empty.
        self.transport.drain();
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
