//! WebSocket framing over one stream: bytes in, messages out; frames in, bytes out.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::{self, Read, Write};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bmt_shared::close::CloseCode;
use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tungstenite::protocol::{Role, WebSocketConfig, WebSocketContext};
use tungstenite::{Error, Message, Utf8Bytes};

use super::super::frame;
use super::super::staged::Staged;
use super::outflow::Outlet;

/// Bytes taken off the socket at once. On the stack of the poll: an idle connection holds none of it.
const READ_BYTES: usize = 4 * 1_024;
/// What tungstenite's own buffer begins with, bytes.
const FRAME_BUFFER: usize = 512;
/// With so many bytes staged nothing more is read: a peer that sends and never reads waits for itself.
const STAGED_MOST: usize = 64 * 1_024;
/// How long the last words may take, with the peer's answer to them: then the stream is dropped as it is.
pub(super) const FAREWELL: Duration = Duration::from_secs(1);

/// What came from the peer.
#[derive(Debug, PartialEq, Eq)]
pub enum Arrived {
    /// A text message, whole, whatever frames it came in.
    Text(Utf8Bytes),
    /// A binary message, whole.
    Binary(Bytes),
    /// A ping or a pong: a sign of life.
    Alive,
    /// The peer closed, or its stream ended.
    Closed,
    /// The peer broke the rules; close with this.
    Fault(CloseCode),
}

/// Whether the peer may say more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hearing {
    /// Frames come.
    Open,
    /// It closed or broke the rules: what still comes is thrown away.
    Over,
    /// Its stream has ended.
    Ended,
}

/// A stream that speaks WebSocket, on the server's side and after the handshake.
pub struct Wire<S> {
    stream: S,
    framing: WebSocketContext,
    hearing: Hearing,
    /// Whether a close of ours is staged or written: the last frame there is.
    said_close: bool,
    outlet: Arc<Outlet>,
    arrived: VecDeque<Arrived>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    /// `most_bytes` is the limit of one frame and of one message.
    pub fn new(stream: S, most_bytes: usize) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(FRAME_BUFFER)
            .write_buffer_size(0)
            .max_message_size(Some(most_bytes))
            .max_frame_size(Some(most_bytes));
        Self {
            stream,
            framing: WebSocketContext::new(Role::Server, Some(config)),
            hearing: Hearing::Open,
            said_close: false,
            outlet: Arc::default(),
            arrived: VecDeque::new(),
        }
    }

    /// Where its frames leave.
    pub(super) fn outlet(&self) -> &Arc<Outlet> {
        &self.outlet
    }

    /// Stages a frame to be written.
    pub(super) fn stage(&mut self, frame: &[u8]) {
        self.append(|buffer| buffer.extend_from_slice(frame));
    }

    /// Stages a text frame around `text`.
    pub fn stage_text(&mut self, text: &str) {
        self.stage_content(text.as_bytes());
    }

    /// The same of bytes that are text.
    pub(super) fn stage_content(&mut self, text: &[u8]) {
        self.append(|buffer| frame::push_utf8(buffer, text));
    }

    /// Stages a binary frame.
    pub fn stage_binary(&mut self, bytes: &[u8]) {
        self.append(|buffer| frame::push_binary(buffer, bytes));
    }

    /// Stages a ping.
    pub(super) fn stage_ping(&mut self) {
        self.append(|buffer| buffer.extend_from_slice(&frame::PING));
    }

    /// Stages the last frame of this side but the close: what is staged from now on is the task's own doing.
    pub(super) fn stage_last(&mut self, frame: &[u8]) {
        let mut out = self.outlet.lock();
        out.is_over = true;
        out.staged.buffer().extend_from_slice(frame);
    }

    fn append(&mut self, push: impl FnOnce(&mut Vec<u8>)) {
        push(self.outlet.lock().staged.buffer());
    }

    /// Bytes that wait to be written.
    pub fn waiting(&self) -> usize {
        self.outlet.lock().staged.len()
    }

    /// The next thing that came, if it is here already.
    pub fn take(&mut self) -> Option<Arrived> {
        self.arrived.pop_front()
    }

    /// Closes: writes what is staged, `code` behind it, and waits a moment for the peer to close too. `reason` is
    /// at most 123 bytes.
    pub async fn close(&mut self, code: CloseCode, reason: &str) {
        self.outlet.lock().is_over = true;
        self.append(|buffer| frame::push_close(buffer, code, reason));
        self.said_close = true;
        self.end().await;
    }

    /// Writes what is staged, with the answer to a close of the peer's, and hangs up.
    pub async fn end(&mut self) {
        self.outlet.lock().is_over = true;
        let farewell = async {
            while self.waiting() > 0 || (self.said_close && self.hearing == Hearing::Open) {
                poll_fn(|cx| self.poll(cx)).await?;
                self.arrived.clear();
            }
            self.stream.shutdown().await?;
            // A socket that is dropped with something unread in it takes back what was written (RST).
            while self.hearing != Hearing::Ended {
                self.hearing = Hearing::Over;
                poll_fn(|cx| self.poll_read(cx)).await?;
            }
            Ok::<(), io::Error>(())
        };
        // A peer that is gone or that does not go has heard what it will.
        let _ = tokio::time::timeout(FAREWELL, farewell).await;
    }

    /// Writes what is staged and reads what is there; ready when either made progress.
    ///
    /// # Errors
    /// When the stream is broken.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let wrote = self.poll_write(cx)?.is_ready();
        let read = self.waiting() < STAGED_MOST && self.poll_read(cx)?.is_ready();
        if wrote || read {
            Poll::Ready(Ok(()))
        } else {
            Poll::Pending
        }
    }

    /// Ready when something was written.
    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut out = self.outlet.lock();
        let before = out.staged.len();
        let written = out.staged.poll_write(&mut self.stream, cx)?;
        if out.staged.len() == before {
            return Poll::Pending;
        }
        if written.is_ready() {
            // Nothing waits below: a socket has no buffer of its own to flush.
            let _ = Pin::new(&mut self.stream).poll_flush(cx)?;
        }
        Poll::Ready(Ok(()))
    }

    /// Ready when something was read, or the stream has ended.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.hearing == Hearing::Ended {
            return Poll::Pending;
        }
        let mut bytes = [const { MaybeUninit::uninit() }; READ_BYTES];
        let mut buffer = ReadBuf::uninit(&mut bytes);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
        if buffer.filled().is_empty() {
            self.hearing = Hearing::Ended;
            self.arrived.push_back(Arrived::Closed);
        } else if self.hearing == Hearing::Open {
            self.feed(buffer.filled());
        }
        Poll::Ready(Ok(()))
    }

    fn feed(&mut self, bytes: &[u8]) {
        let outlet = self.outlet.clone();
        let mut out = outlet.lock();
        let before = out.staged.len();
        self.read_frames(bytes, &mut out.staged);
        if self.said_close {
            // Nothing follows a close, no answer to the peer's either (RFC 6455 §5.5.1).
            out.staged.truncate(before);
        }
    }

    /// Reads what came. Answers to pings and closes are staged.
    fn read_frames(&mut self, bytes: &[u8], staged: &mut Staged) {
        let mut pipe = Pipe { input: bytes, staged };
        loop {
            let arrived = match self.framing.read(&mut pipe) {
                Ok(Message::Text(text)) => Arrived::Text(text),
                Ok(Message::Binary(bytes)) => Arrived::Binary(bytes),
                Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => Arrived::Alive,
                // Read on: that writes the answer to the close.
                Ok(Message::Close(_)) => continue,
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(Error::ConnectionClosed | Error::AlreadyClosed) => Arrived::Closed,
                Err(Error::Capacity(_)) => Arrived::Fault(CloseCode::TooLarge),
                Err(Error::Utf8(_)) => Arrived::Fault(CloseCode::BadData),
                Err(_) => Arrived::Fault(CloseCode::Protocol),
            };
            let is_last = matches!(arrived, Arrived::Closed | Arrived::Fault(_));
            self.arrived.push_back(arrived);
            if is_last {
                self.hearing = Hearing::Over;
                return;
            }
        }
    }
}

/// What tungstenite takes for a socket: a chunk that was read, and the frames that wait to be written.
struct Pipe<'a> {
    input: &'a [u8],
    staged: &'a mut Staged,
}

impl Read for Pipe<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.input.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.input.read(buf)
    }
}

impl Write for Pipe<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.staged.buffer().extend_from_slice(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
