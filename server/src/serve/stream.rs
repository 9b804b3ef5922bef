//! An accepted connection: counted while it lives, and ended when its peer stops reading.

use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Sleep, sleep};

use crate::socket::Socket;

/// A TCP stream that ends when a write waits and not one byte went out for `stall_limit`: a stalled reader would
/// otherwise hold its task, its buffers and its presence for ever. This is the one place that looks for it, for
/// every kind of connection. It keeps its place among the accepted until dropped, through an upgrade too.
///
/// What was written and never fetched is the kernel's to notice, by `TCP_USER_TIMEOUT`.
pub(super) struct Accepted {
    reader: OwnedReadHalf,
    /// Others may write too ([`Socket`]), and do not keep it open.
    writer: Arc<OwnedWriteHalf>,
    stall_limit: Duration,
    /// Runs while a write waits; most never do, so none is made for them.
    stalled: Option<Pin<Box<Sleep>>>,
    _place: OwnedSemaphorePermit,
}

impl Accepted {
    pub(super) fn new(stream: TcpStream, place: OwnedSemaphorePermit, stall_limit: Duration) -> Self {
        let (reader, writer) = stream.into_split();
        Self {
            reader,
            writer: Arc::new(writer),
            stall_limit,
            stalled: None,
            _place: place,
        }
    }

    /// The way to write to it beside its task.
    pub(super) fn socket(&self) -> Socket {
        Socket::new(&self.writer)
    }

    fn stream(&self) -> &TcpStream {
        self.reader.as_ref()
    }

    /// Looks at what comes without taking it.
    pub(super) fn poll_peek(
        &self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<usize>> {
        self.stream().poll_peek(context, buffer)
    }

    fn watch<T>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let limit = self.stall_limit;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(limit)));
        ready!(stalled.as_mut().poll(context));
        // Reading ends too: a WebSocket is read by another task, which would go on for as long as the peer talks.
        // Where that fails the connection is over already.
        SockRef::from(self.stream()).shutdown(Shutdown::Both).ok();
        Poll::Ready(Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the peer reads nothing",
        )))
    }
}

impl AsyncRead for Accepted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.reader).poll_read(context, buffer)
    }
}

impl AsyncWrite for Accepted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = write(self.stream(), context, |stream| stream.try_write(bytes));
        self.watch(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = write(self.stream(), context, |stream| stream.try_write_vectored(parts));
        self.watch(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A socket has no buffer of its own.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(match SockRef::from(self.stream()).shutdown(Shutdown::Write) {
            // The peer was quicker.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            shut => shut,
        })
    }
}

/// Tries a write each time the socket says that it takes something.
fn write(
    stream: &TcpStream,
    context: &mut Context<'_>,
    attempt: impl Fn(&TcpStream) -> io::Result<usize>,
) -> Poll<io::Result<usize>> {
    loop {
        ready!(stream.poll_write_ready(context))?;
        match attempt(stream) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            written => return Poll::Ready(written),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::sync::Semaphore;

    async fn pair(stall_limit: Duration) -> (Accepted, TcpStream, Arc<Semaphore>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let places = Arc::new(Semaphore::new(1));
        let place = places.clone().try_acquire_owned().unwrap();
        (Accepted::new(stream, place, stall_limit), peer, places)
    }

    #[tokio::test]
    async fn a_peer_that_reads_nothing_ends_the_connection_and_frees_its_place() {
        let (mut accepted, _peer, places) = pair(Duration::from_millis(50)).await;
        let mebibyte = vec![0; 1 << 20];
        let error = loop {
            if let Err(error) = accepted.write_all(&mebibyte).await {
                break error;
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        let read = tokio::time::timeout(Duration::from_secs(5), accepted.read(&mut [0])).await;
        assert_eq!(read.expect("reading has ended too").unwrap(), 0);
        assert_eq!(places.available_permits(), 0);
        drop(accepted);
        assert_eq!(places.available_permits(), 1);
    }

    #[tokio::test]
    async fn a_peer_that_reads_slowly_is_served_for_longer_than_the_limit() {
        let limit = Duration::from_millis(200);
        let (mut accepted, mut peer, _places) = pair(limit).await;
        let total = 32 << 20;
        let reader = tokio::spawn(async move {
            let mut buffer = vec![0; 1 << 20];
            let mut received = 0;
            let began = tokio::time::Instant::now();
            loop {
                match peer.read(&mut buffer).await.unwrap() {
                    0 => return (received, began.elapsed()),
                    bytes => received += bytes,
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        accepted.write_all(&vec![0; total]).await.unwrap();
        drop(accepted);
        let (received, took) = reader.await.unwrap();
        assert_eq!(received, total);
        assert!(took > limit, "{took:?}");
    }
}
