//! A client's side of a WebSocket byte by byte: for peers that read nothing, and frames that no library sends.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::support::{TestServer, within};

/// A connection with little room to read into. (With less, some kernels throw away what comes in beside the data
/// that does not fit, and the writing stops too.)
pub(crate) async fn deaf_stream(server: &TestServer) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(32 * 1_024).unwrap();
    socket.connect(server.address()).await.unwrap()
}

/// Asks for a WebSocket. The answer is not read.
pub(crate) async fn open(mut stream: TcpStream, path: &str) -> TcpStream {
    let handshake = format!(
        "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(handshake.as_bytes()).await.unwrap();
    stream
}

/// The first byte of a frame: the last of its message, or one with more to come.
pub(crate) const LAST: u8 = 0x80;
pub(crate) const MORE: u8 = 0;
pub(crate) const CONTINUATION: u8 = 0;
pub(crate) const TEXT: u8 = 1;
pub(crate) const PING: u8 = 9;

/// The head of a masked frame that announces `length` bytes. A mask of zeros leaves them as they are.
pub(crate) fn head(first: u8, length: usize) -> Vec<u8> {
    let mut head = vec![first];
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(length), _) if length < 126 => head.push(0x80 | length),
        (_, Ok(length)) => {
            head.push(0x80 | 126);
            head.extend_from_slice(&length.to_be_bytes());
        }
        _ => {
            head.push(0x80 | 127);
            head.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    head.extend_from_slice(&[0; 4]);
    head
}

/// A masked frame.
pub(crate) fn frame(first: u8, content: &[u8]) -> Vec<u8> {
    let mut frame = head(first, content.len());
    frame.extend_from_slice(content);
    frame
}

/// A masked text frame.
pub(crate) fn masked(text: &str) -> Vec<u8> {
    frame(LAST | TEXT, text.as_bytes())
}

/// A text message in frames of a kibibyte.
pub(crate) fn fragments(text: &str) -> Vec<u8> {
    let parts: Vec<_> = text.as_bytes().chunks(1_024).collect();
    let mut frames = Vec::new();
    for (n, part) in parts.iter().enumerate() {
        let kind = if n == 0 { TEXT } else { CONTINUATION };
        let end = if n + 1 == parts.len() { LAST } else { MORE };
        frames.extend(frame(end | kind, part));
    }
    frames
}

/// Reads until what came contains `text`; `false` where the end comes first.
pub(crate) async fn read_until(stream: &mut TcpStream, text: &str) -> bool {
    let mut read = Vec::new();
    let found = async {
        while !String::from_utf8_lossy(&read).contains(text) {
            if !stream.read_buf(&mut read).await.is_ok_and(|bytes| bytes > 0) {
                return false;
            }
        }
        true
    };
    within(text, found).await
}
