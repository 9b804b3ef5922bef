//! WebSocket framing over one stream: bytes in, messages out; frames in, bytes out.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bmt_shared::close::CloseCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tungstenite::protocol::{Role, WebSocketConfig, WebSocketContext};
use tungstenite::{Error, Message, Utf8Bytes};

use super::super::{frame, spare};

/// Bytes taken off the socket at once. On the stack of the poll: an idle connection holds none of it.
const READ_BYTES: usize = 4 * 1_024;
/// What tungstenite's own buffer begins with, bytes.
const FRAME_BUFFER: usize = 512;
/// With so many bytes staged nothing more is read: a peer that sends and never reads waits for itself.
const STAGED_MOST: usize = 64 * 1_024;

/// What came from the peer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Arrived {
    Text(Utf8Bytes),
    Binary,
    /// A ping or a pong: a sign of life.
    Alive,
    /// The peer closed, or its stream ended.
    Closed,
    /// The peer broke the rules; close with this.
    Fault(CloseCode),
}

/// A stream that speaks WebSocket.
pub(super) struct Wire<S> {
    stream: S,
    framing: WebSocketContext,
    /// Whole frames that wait to be written, and how much of them is.
    staged: Vec<u8>,
    written: usize,
    arrived: VecDeque<Arrived>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    /// `most_bytes` is the limit of one frame and of one message.
    pub(super) fn new(stream: S, most_bytes: usize) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(FRAME_BUFFER)
            .write_buffer_size(0)
            .max_message_size(Some(most_bytes))
            .max_frame_size(Some(most_bytes));
        Self {
            stream,
            framing: WebSocketContext::new(Role::Server, Some(config)),
            staged: Vec::new(),
            written: 0,
            arrived: VecDeque::new(),
        }
    }

    /// Stages a frame to be written.
    pub(super) fn stage(&mut self, frame: &[u8]) {
        self.buffer().extend_from_slice(frame);
    }

    /// Stages a text frame around `text`.
    pub(super) fn stage_text(&mut self, text: &str) {
        frame::push_text(self.buffer(), text);
    }

    /// Stages a close frame. Nothing is staged after it.
    pub(super) fn stage_close(&mut self, code: CloseCode, reason: &str) {
        frame::push_close(self.buffer(), code, reason);
    }

    /// Stages a ping.
    pub(super) fn stage_ping(&mut self) {
        self.buffer().extend_from_slice(&frame::PING);
    }

    fn buffer(&mut self) -> &mut Vec<u8> {
        if self.staged.capacity() == 0 {
            self.staged = spare::take();
        }
        &mut self.staged
    }

    /// Bytes that wait to be written.
    pub(super) fn waiting(&self) -> usize {
        self.staged.len() - self.written
    }

    /// The next thing that came, if it is here already.
    pub(super) fn next(&mut self) -> Option<Arrived> {
        self.arrived.pop_front()
    }

    /// Writes what is staged and reads what is there; ready when either made progress.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let wrote = self.poll_write(cx)?.is_ready();
        let read = self.waiting() < STAGED_MOST && self.poll_read(cx)?.is_ready();
        if wrote || read {
            Poll::Ready(Ok(()))
        } else {
            Poll::Pending
        }
    }

    /// Ready when something was written.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let before = self.waiting();
        while self.waiting() > 0 {
            let rest = &self.staged[self.written..];
            match Pin::new(&mut self.stream).poll_write(cx, rest)? {
                Poll::Ready(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(bytes) => self.written += bytes,
                Poll::Pending => break,
            }
        }
        if self.waiting() == before {
            return Poll::Pending;
        }
        if self.waiting() == 0 {
            self.written = 0;
            spare::give_back(std::mem::take(&mut self.staged));
            // Nothing waits below: a socket has no buffer of its own to flush.
            let _ = Pin::new(&mut self.stream).poll_flush(cx)?;
        }
        Poll::Ready(Ok(()))
    }

    /// Ready when something was read, or the stream has ended.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut bytes = [const { MaybeUninit::uninit() }; READ_BYTES];
        let mut buffer = ReadBuf::uninit(&mut bytes);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
        if buffer.filled().is_empty() {
            self.arrived.push_back(Arrived::Closed);
        } else {
            self.feed(buffer.filled());
        }
        Poll::Ready(Ok(()))
    }

    fn feed(&mut self, bytes: &[u8]) {
        let mut pipe = Pipe {
            input: bytes,
            output: &mut self.staged,
        };
        loop {
            let arrived = match self.framing.read(&mut pipe) {
                Ok(Message::Text(text)) => Arrived::Text(text),
                Ok(Message::Binary(_)) => Arrived::Binary,
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
                return;
            }
        }
    }
}

/// What tungstenite takes for a socket: a chunk that was read, and the frames that wait to be written.
struct Pipe<'a> {
    input: &'a [u8],
    output: &'a mut Vec<u8>,
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
        self.output.extend_from_slice(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
