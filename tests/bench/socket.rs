//! A WebSocket client that costs next to nothing, so that a bench measures the server: frames are cut out of one
//! buffer, and what is sent is masked with zeros (RFC 6455 §5.3 lets the client choose).

use std::ops::Range;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Bytes asked for at once.
const READ_BYTES: usize = 16 * 1_024;

pub(crate) struct Socket {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// Where the first byte is that was not taken yet.
    start: usize,
    /// Takes frames that wait to be sent in one write.
    out: Vec<u8>,
}

/// A frame's text; the socket answers the others by itself.
pub(crate) struct Text(Range<usize>);

impl Socket {
    /// Opens `path` at `address`.
    pub(crate) async fn open(address: &str, path: &str) -> Result<Self, String> {
        let mut stream = TcpStream::connect(address)
            .await
            .map_err(|error| format!("connect: {error}"))?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream
            .write_all(request.as_bytes())
            .await
            .map_err(|error| format!("handshake: {error}"))?;
        let mut socket = Self {
            stream,
            buffer: Vec::new(),
            start: 0,
            out: Vec::new(),
        };
        let end = loop {
            if let Some(end) = socket.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            if !socket.fill().await? {
                return Err("closed in the handshake".to_owned());
            }
        };
        if !socket.buffer.starts_with(b"HTTP/1.1 101") {
            return Err(format!("refused: {}", String::from_utf8_lossy(&socket.buffer)));
        }
        socket.start = end;
        Ok(socket)
    }

    /// Reads what is there; `false` at the end of the stream.
    pub(crate) async fn fill(&mut self) -> Result<bool, String> {
        self.buffer.drain(..self.start);
        self.start = 0;
        self.buffer.reserve(READ_BYTES);
        let bytes = self.stream.read_buf(&mut self.buffer).await;
        bytes
            .map(|bytes| bytes > 0)
            .map_err(|error| format!("read: {error}"))
    }

    /// The next whole text frame that was read.
    pub(crate) fn next(&mut self) -> Result<Option<Text>, String> {
        loop {
            let rest = &self.buffer[self.start..];
            let [first, second, ..] = *rest else {
                return Ok(None);
            };
            let (head, length) = match (second, rest.get(2..4), rest.get(2..10)) {
                (126, Some(&[a, b]), _) => (4, usize::from(u16::from_be_bytes([a, b]))),
                (127, _, Some(eight)) => {
                    let eight = eight.try_into().map_err(|_| "eight bytes")?;
                    (
                        10,
                        usize::try_from(u64::from_be_bytes(eight)).map_err(|_| "a huge frame")?,
                    )
                }
                (126 | 127, ..) => return Ok(None),
                (short, ..) => (2, usize::from(short)),
            };
            if rest.len() < head + length {
                return Ok(None);
            }
            let text = self.start + head..self.start + head + length;
            self.start = text.end;
            match first {
                0x81 => return Ok(Some(Text(text))),
                0x88 => return Err(format!("closed: {:?}", &self.buffer[text])),
                0x89 => push_frame(&mut self.out, 0x8a, &[]),
                0x8a => {}
                other => return Err(format!("an unexpected frame {other:#x}")),
            }
        }
    }

    /// What stands in a frame.
    pub(crate) fn text(&self, text: &Text) -> &str {
        std::str::from_utf8(&self.buffer[text.0.clone()]).unwrap_or_default()
    }

    /// Puts a text frame beside those that wait to be sent.
    pub(crate) fn stage(&mut self, text: &str) {
        push_frame(&mut self.out, 0x81, text.as_bytes());
    }

    /// Sends what waits.
    pub(crate) async fn flush(&mut self) -> Result<(), String> {
        if !self.out.is_empty() {
            let sent = self.stream.write_all(&self.out).await;
            sent.map_err(|error| format!("send: {error}"))?;
            self.out.clear();
        }
        Ok(())
    }
}

fn push_frame(out: &mut Vec<u8>, first: u8, text: &[u8]) {
    out.push(first);
    match (u8::try_from(text.len()), u16::try_from(text.len())) {
        (Ok(short @ ..126), _) => out.push(0x80 | short),
        (_, Ok(medium)) => {
            out.push(0x80 | 126);
            out.extend_from_slice(&medium.to_be_bytes());
        }
        _ => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(text.len() as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(text);
}
