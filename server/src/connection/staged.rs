//! Whole frames that wait to be written to one connection, and how much of them is.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use tokio::io::AsyncWrite;

use super::{Connection, spare};
use crate::outbox::{Next, Outgoing};
use crate::socket::Socket;

/// An outbox is taken from while fewer bytes than this wait to be written: several frames go out in one write.
pub(super) const STAGE_BYTES: usize = 16 * 1_024;

/// Appends one thing to send that is no close.
pub(super) type Stage = fn(&Connection, &mut Staged, Outgoing);

/// See the [module](self). Empty, it holds no memory.
#[derive(Debug, Default)]
pub(super) struct Staged {
    bytes: Vec<u8>,
    written: usize,
}

impl Staged {
    /// Where frames are appended.
    pub(super) fn buffer(&mut self) -> &mut Vec<u8> {
        if self.bytes.capacity() == 0 {
            self.bytes = spare::take();
        }
        &mut self.bytes
    }

    /// Bytes that wait.
    pub(super) fn len(&self) -> usize {
        self.bytes.len() - self.written
    }

    /// Takes back what was appended when this was so long. Nothing may have been written since.
    pub(super) fn truncate(&mut self, len: usize) {
        self.bytes.truncate(self.written + len);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes until nothing waits; ready then.
    pub(super) fn poll_write<S: AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while !self.is_empty() {
            match ready!(Pin::new(&mut *stream).poll_write(cx, &self.bytes[self.written..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                bytes => self.written += bytes,
            }
        }
        self.clear();
        Poll::Ready(Ok(()))
    }

    /// Takes from the connection's outbox what fits into one write; false where there is nothing. `stage` appends
    /// one thing. A close is left where it is.
    pub(super) fn take(&mut self, connection: &Connection, stage: Stage) -> bool {
        let mut any = false;
        while self.len() < STAGE_BYTES
            && let Next::Send(outgoing) = connection.outbox.next_but_close()
        {
            any = true;
            stage(connection, self, outgoing);
        }
        any
    }

    /// Writes what the connection's outbox holds in place of its `task`, as far as the socket takes it now. True
    /// where nothing is left and the task is woken by the next push. A failure is left to the task to meet.
    pub(super) fn write_outbox(
        &mut self,
        connection: &Connection,
        socket: &Socket,
        task: &Waker,
        stage: Stage,
    ) -> bool {
        while self.take(connection, stage) {
            if !self.try_write(socket) {
                return false;
            }
            connection.note_traffic();
        }
        let mut cx = Context::from_waker(task);
        connection.outbox.poll_ready(&mut cx).is_pending()
    }

    /// Writes what the socket takes now; true where nothing waits any more.
    fn try_write(&mut self, socket: &Socket) -> bool {
        while !self.is_empty() {
            match socket.try_write(&self.bytes[self.written..]) {
                Ok(0) | Err(_) => return false,
                Ok(bytes) => self.written += bytes,
            }
        }
        self.clear();
        true
    }

    /// Lets go of a buffer of which nothing waits.
    fn clear(&mut self) {
        self.written = 0;
        if self.bytes.capacity() > 0 {
            spare::give_back(std::mem::take(&mut self.bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use tokio::io::AsyncReadExt;
    use tokio::net::{TcpListener, TcpStream};

    #[tokio::test]
    async fn what_a_socket_does_not_take_at_once_is_written_later_and_in_order() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (_reader, writer) = listener.accept().await.unwrap().0.into_split();
        let writer = Arc::new(writer);
        let socket = Socket::new(&writer);
        writer.writable().await.unwrap();
        let mut staged = Staged::default();
        let total: u32 = 4 << 20;
        for number in 0..total {
            staged.buffer().extend_from_slice(&number.to_be_bytes());
        }
        assert!(!staged.try_write(&socket), "more than any socket takes");
        let left = staged.len();
        assert!((1..4 * total as usize).contains(&left), "{left} bytes left");
        let reads = tokio::spawn(async move {
            for number in 0..total {
                assert_eq!(peer.read_u32().await.unwrap(), number);
            }
        });
        while !staged.try_write(&socket) {
            writer.writable().await.unwrap();
        }
        drop(writer);
        reads.await.unwrap();
        staged.buffer().push(0);
        assert!(!staged.try_write(&socket), "its owner has closed it");
    }
}
