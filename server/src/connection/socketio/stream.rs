//! The byte stream below a WebSocket that the library serves: what makes an unwanted peer go away, and the short
//! way out for a connection's events.
//!
//! The library cannot be told to close one session. This stream reads as ended when its [`Transport`] is; the
//! library then closes the session by itself, after it has written what waits, for which there is a time limit
//! here. (A peer that takes nothing at all is noticed below, where connections are accepted.)
//!
//! Between the frames of the library it writes those of the connection's outbox ([`Transport::begin_direct`]):
//! encoded once for all receivers, several in one write, in the task that reads the socket. A shard may write them
//! in its place ([`super::outflow`]).

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;
use tokio::time::Sleep;

use super::outflow::{Outflow, Outlet, stage};
use super::transport::Transport;
use crate::outbox::{Next, Outgoing};

/// How long a peer may take to fetch what waits when its session is to end. A trickle does not prolong it: the
/// library writes all it has before it lets go, and the connection and its presence would live on meanwhile.
const LAST_WORDS: Duration = Duration::from_secs(1);

pub(super) struct GuardedStream<S> {
    inner: S,
    /// What was read from it before; mostly nothing.
    head: Vec<u8>,
    transport: Arc<Transport>,
    outlet: Arc<Outlet>,
    /// Runs from the first write that waits after the end.
    last_words: Option<Pin<Box<Sleep>>>,
    /// Runs while the peer is not to be read.
    pause: Option<Pin<Box<Sleep>>>,
    /// Dropped with the stream.
    _gone: oneshot::Sender<()>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> GuardedStream<S> {
    /// Wraps a stream from which `head` was read. The receiver is told, by an error, when the stream is gone.
    pub(super) fn new(inner: S, head: &[u8], transport: Arc<Transport>) -> (Self, oneshot::Receiver<()>) {
        let (sender, gone) = oneshot::channel();
        let outlet = transport.outlet().clone();
        let stream = Self {
            inner,
            head: head.to_vec(),
            transport,
            outlet,
            last_words: None,
            pause: None,
            _gone: sender,
        };
        (stream, gone)
    }

    /// Writes what the outbox holds, as far as the socket takes it.
    fn write_outbox(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let outlet = self.outlet.clone();
        let mut out = outlet.lock();
        loop {
            if self.poll_staged(&mut out, cx)?.is_pending() || !out.passing.is_between_frames() {
                return Ok(());
            }
            let Some(connection) = self.transport.direct_connection() else {
                return Ok(());
            };
            if out.staged.take(&connection, stage) {
                continue;
            }
            if connection.outbox.poll_ready(cx).is_pending() {
                return Ok(());
            }
            match connection.outbox.next() {
                Next::Send(Outgoing::Close(closing)) => self.transport.give_back(Some(closing)),
                Next::Overflowed => self.transport.give_back(None),
                Next::Send(outgoing) => stage(&connection, &mut out.staged, outgoing),
                Next::Wait => {}
            }
        }
    }

    /// Ready when nothing staged is left.
    fn poll_staged(&mut self, out: &mut Outflow, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if out.staged.is_empty() {
            return Poll::Ready(Ok(()));
        }
        let written = out.staged.poll_write(&mut self.inner, cx);
        ready!(self.bounded(cx, written))?;
        self.transport.note_traffic();
        Poll::Ready(Ok(()))
    }

    /// Ready when the peer may be read.
    fn poll_pause(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.pause.is_none() {
            let pause = self.transport.pause();
            self.pause = pause.map(|pause| Box::pin(tokio::time::sleep(pause)));
        }
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(cx));
            self.pause = None;
        }
        Poll::Ready(())
    }

    /// Passes on what a write came to, within the time limit once the session is to end.
    fn bounded<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            return written;
        }
        self.transport.wake_writer_with(cx.waker());
        if !self.transport.is_ended() {
            return Poll::Pending;
        }
        let limit = self
            .last_words
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(LAST_WORDS)));
        ready!(limit.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the peer is slow to take the last words",
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
        if !self.head.is_empty() {
            let bytes = self.head.len().min(buf.remaining());
            buf.put_slice(&self.head[..bytes]);
            self.head.drain(..bytes);
            return Poll::Ready(Ok(()));
        }
        ready!(self.poll_pause(cx));
        ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
        self.transport.note_traffic();
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for GuardedStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let outlet = self.outlet.clone();
        let mut out = outlet.lock();
        ready!(self.poll_staged(&mut out, cx))?;
        let written = Pin::new(&mut self.inner).poll_write(cx, buf);
        if let Poll::Ready(Ok(bytes)) = written {
            let passed = out.passing.pass(&buf[..bytes]);
            self.transport.pass(passed);
            self.transport.note_traffic();
        }
        self.bounded(cx, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The WebSocket flushes when its buffer and the library's are empty.
        self.transport.drain();
        self.write_outbox(cx)?;
        let flushed = Pin::new(&mut self.inner).poll_flush(cx);
        self.bounded(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.inner).poll_shutdown(cx);
        self.bounded(cx, shut)
    }
}

impl<S> Drop for GuardedStream<S> {
    fn drop(&mut self) {
        // A session lives no longer than the WebSocket that carries it.
        self.transport.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::super::transport::Sessions;
    use super::*;
    use crate::connection::{Capacity, Live};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    fn transport() -> Arc<Transport> {
        let no_limit = Capacity {
            connections: 0,
            per_user: 0,
            per_address: 0,
        };
        let seat = Live::new(no_limit).seat([127, 0, 0, 1].into()).unwrap();
        Transport::new(&Sessions::default(), seat, true)
    }

    #[tokio::test(start_paused = true)]
    async fn a_trickle_does_not_prolong_the_end() {
        let (near, mut far) = tokio::io::duplex(16);
        let transport = transport();
        let (mut stream, _gone) = GuardedStream::new(near, &[], transport.clone());
        let trickle = tokio::spawn(async move {
            while far.read_u8().await.is_ok() {
                tokio::time::sleep(LAST_WORDS / 10).await;
            }
        });
        let writer = tokio::spawn(async move { stream.write_all(&[0; 10_000]).await });
        tokio::time::sleep(10 * LAST_WORDS).await;
        assert!(
            !writer.is_finished(),
            "a slow peer is served for as long as it takes"
        );
        transport.end();
        let ended = tokio::time::Instant::now();
        let error = writer.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(ended.elapsed() < 2 * LAST_WORDS, "{:?}", ended.elapsed());
        trickle.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_that_waits_hears_of_the_end() {
        let (near, _far) = tokio::io::duplex(16);
        let transport = transport();
        let (mut stream, _gone) = GuardedStream::new(near, &[], transport.clone());
        let writer = tokio::spawn(async move { stream.write_all(&[0; 100]).await });
        tokio::time::sleep(10 * LAST_WORDS).await;
        transport.end();
        let within = tokio::time::timeout(2 * LAST_WORDS, writer).await;
        assert!(within.expect("woken by the end").unwrap().is_err());
    }
}
