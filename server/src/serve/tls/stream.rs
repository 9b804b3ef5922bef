//! A TLS stream whose writers need not flush.
//!
//! TLS takes what it is given and may keep it encrypted for later. Those above write as to a socket, where what was
//! taken is on its way: this stream takes no more while something is kept, and sends what is kept whenever it is
//! written to or read. So a peer that takes nothing stalls its writer here as it does without TLS, and is noticed
//! below, where the socket is.
//!
//! Reader and writer may be two tasks, and the socket wakes only the last one who asked to write. That may be a
//! writer that has nothing more to write and does not come back, so both are woken ([`Both`]).

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Wake, Waker, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::server::TlsStream;

use super::super::stream::Accepted;

/// See the [module](self).
pub(in super::super) struct Secured {
    stream: TlsStream<Accepted>,
    /// Whether something may be kept below.
    keeps: bool,
    both: Arc<Both>,
    /// Wakes `both`.
    waker: Waker,
}

/// Who is woken when the socket takes more.
#[derive(Default)]
struct Both(Mutex<Wakers>);

#[derive(Default)]
struct Wakers {
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Both {
    fn wakers(&self) -> MutexGuard<'_, Wakers> {
        self.0.lock().expect("no code panics while it holds the wakers")
    }
}

impl Wake for Both {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let Wakers { reader, writer } = std::mem::take(&mut *self.wakers());
        reader.into_iter().chain(writer).for_each(Waker::wake);
    }
}

fn keep(place: &mut Option<Waker>, waker: &Waker) {
    if !place.as_ref().is_some_and(|known| known.will_wake(waker)) {
        *place = Some(waker.clone());
    }
}

impl Secured {
    pub(super) fn new(stream: TlsStream<Accepted>) -> Self {
        let both = Arc::new(Both::default());
        Self {
            stream,
            keeps: false,
            waker: both.clone().into(),
            both,
        }
    }

    /// Ready when nothing is kept. Whoever asks has left its waker before.
    fn poll_sent(&mut self) -> Poll<io::Result<()>> {
        if self.keeps {
            let mut cx = Context::from_waker(&self.waker);
            ready!(Pin::new(&mut self.stream).poll_flush(&mut cx))?;
            self.keeps = false;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Secured {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        keep(&mut self.both.wakers().reader, cx.waker());
        if let Poll::Ready(Err(error)) = self.poll_sent() {
            return Poll::Ready(Err(error));
        }
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        // An answer of TLS itself, such as to a change of keys.
        self.keeps |= self.stream.get_ref().1.wants_write();
        read
    }
}

impl AsyncWrite for Secured {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        keep(&mut self.both.wakers().writer, cx.waker());
        ready!(self.poll_sent())?;
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes))?;
        self.keeps = true;
        // What does not go out now is taken: it is sent by the next who reads or writes.
        if let Poll::Ready(Err(error)) = self.poll_sent() {
            return Poll::Ready(Err(error));
        }
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        keep(&mut self.both.wakers().writer, cx.waker());
        self.keeps = true;
        self.poll_sent()
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
