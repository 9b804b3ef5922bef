//! The body of an upload as it arrives: in small pieces, so that one upload does not fill the memory, and with a
//! measure for everything that is no file.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use std::{fmt, future};

use axum::body::{Body, BodyDataStream};
use bytes::Bytes;
use futures_core::Stream;
use tokio::time::timeout;

/// Of a piece. The reader of parts takes in what there is before it looks; between two pieces it looks.
const PIECE_BYTES: usize = 16 * 1_024;
/// Headers of parts, other parts and what stands between them, before the file and again behind it. A form's other
/// fields are a few hundred bytes; parts by the thousand and endless headers come to an end here.
const FRAME_BYTES: usize = 32 * 1_024;
/// What of a refused upload is still read, so that its sender gets to the refusal: a connection that is closed on
/// bytes that nobody read takes the answer with it.
const LINGER_BYTES: usize = 64 * 1_024 * 1_024;
const LINGER: Duration = Duration::from_secs(5);

/// See the [module](self).
pub(super) struct Arriving {
    body: BodyDataStream,
    piece: Bytes,
    has_paused: bool,
    left: Left,
}

/// How many bytes may come that are no file's.
#[derive(Clone)]
pub(super) struct Left(Arc<AtomicUsize>);

/// Why no more comes.
#[derive(Debug)]
pub(super) enum Stopped {
    /// Too much that is no file.
    Frame,
    /// The connection broke off, or the body is not what its headers say.
    Broken,
}

impl Left {
    /// From now on what comes is the file, which is counted elsewhere.
    pub(super) fn file_begins(&self) {
        self.0.store(usize::MAX, Ordering::Relaxed);
    }

    pub(super) fn file_ended(&self) {
        self.0.store(FRAME_BYTES, Ordering::Relaxed);
    }

    fn take(&self, bytes: usize) -> Result<(), Stopped> {
        let left = self.0.load(Ordering::Relaxed);
        if left == usize::MAX {
            return Ok(());
        }
        let left = left.checked_sub(bytes).ok_or(Stopped::Frame)?;
        self.0.store(left, Ordering::Relaxed);
        Ok(())
    }
}

impl Arriving {
    pub(super) fn new(body: Body) -> Self {
        Self {
            body: body.into_data_stream(),
            piece: Bytes::new(),
            has_paused: true,
            left: Left(Arc::new(AtomicUsize::new(FRAME_BYTES))),
        }
    }

    pub(super) fn left(&self) -> Left {
        self.left.clone()
    }

    /// Reads on for a moment and throws it away.
    pub(super) async fn linger(mut self) {
        let drain = async {
            let mut read = 0;
            while read < LINGER_BYTES {
                match future::poll_fn(|context| Pin::new(&mut self.body).poll_next(context)).await {
                    Some(Ok(piece)) => read += piece.len(),
                    _ => return,
                }
            }
        };
        // Whoever sends for longer may miss the answer.
        let _ = timeout(LINGER, drain).await;
    }
}

impl Stream for Arriving {
    type Item = Result<Bytes, Stopped>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if !self.has_paused {
            self.has_paused = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        while self.piece.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_next(context)) {
                None => return Poll::Ready(None),
                Some(Err(_)) => return Poll::Ready(Some(Err(Stopped::Broken))),
                Some(Ok(piece)) => self.piece = piece,
            }
        }
        let bytes = self.piece.len().min(PIECE_BYTES);
        let piece = self.piece.split_to(bytes);
        self.has_paused = false;
        Poll::Ready(Some(self.left.take(bytes).map(|()| piece)))
    }
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Frame => "the form has too many parts besides the file, or too long headers",
            Self::Broken => "the body did not arrive whole",
        })
    }
}

impl std::error::Error for Stopped {}
