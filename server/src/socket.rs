//! The writing side of an accepted connection, for whoever has something for it while its own task sleeps.

use std::io;
use std::sync::{Arc, Weak};

use tokio::net::tcp::OwnedWriteHalf;

/// A way to write to a connection beside the task that serves it. It does not keep the connection open. Only where
/// the bytes of the connection are those of the socket is there one: not behind TLS.
///
/// Who writes sees to it that nobody else is amid a frame.
#[derive(Clone, Debug)]
pub struct Socket(Weak<OwnedWriteHalf>);

impl Socket {
    /// The way to write to this one.
    #[must_use]
    pub fn new(writer: &Arc<OwnedWriteHalf>) -> Self {
        Self(Arc::downgrade(writer))
    }

    /// Writes as much as the socket takes now; answers how much that was.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] where it takes nothing now, [`io::ErrorKind::NotConnected`] where it is closed,
    /// and whatever a write meets.
    pub fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.upgrade() {
            Some(writer) => writer.try_write(bytes),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}
