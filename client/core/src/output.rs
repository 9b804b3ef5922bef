//! What the core asks of its driver.

use bytes::Bytes;

use crate::entry::QueueChange;
use crate::event::Event;
use crate::tabs::GroupChange;

/// One thing for the driver to do, or to tell.
#[derive(Clone, Debug, PartialEq)]
pub enum Output<P> {
    /// Ask the application for a token; the answer is [`crate::Client::handle_token`].
    AskToken,
    /// Open a WebSocket; the answer is [`crate::Client::handle_opened`] or [`crate::Client::handle_closed`].
    Connect(Connect),
    /// Make an HTTP request of long-polling; the answer is [`crate::Client::handle_response`].
    Fetch(Fetch),
    /// Give up the HTTP requests without a body that are under way; those with one go on.
    Abort,
    /// Send a frame on the WebSocket.
    Transmit(Transmit),
    /// Close the WebSocket and say nothing more of it: for the core it is over already.
    Close {
        /// The WebSocket close code to send.
        code: u16,
        /// Why, for the peer's log.
        reason: &'static str,
    },
    /// Change the stored queue: before a lock is given back, and before the application is told anything.
    Persist(QueueChange),
    /// Get or give back the lock under which tabs send the stored queue.
    Lock(LockChange),
    /// Join the tabs that share a connection, leave them, or say something to them.
    Group(GroupChange),
    /// Tell the application.
    Event(Event<P>),
    /// There is nothing more to do until a call of the driver's, at the latest
    /// [`crate::Client::handle_timeout`] at this time. `None` waits for the world alone.
    Timeout(Option<Timeout>),
}

/// A WebSocket (RFC 6455) to open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connect {
    /// Path and query, to be put behind the server's origin: `/socket.io/?EIO=4&transport=websocket`.
    pub path_and_query: String,
    /// WebSocket subprotocols to offer. They may hold the token: never log them.
    pub protocols: Vec<String>,
}

/// An HTTP request: GET, or POST where there is a body, of the type `text/plain;charset=UTF-8`. It waits for its
/// answer for as long as the server takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// Names it for its answer.
    pub id: FetchId,
    /// Path and query, to be put behind the server's origin. No cache may answer it.
    pub path_and_query: String,
    /// What is posted.
    pub body: Option<String>,
    /// These are the last words: they are said even when the page is left meanwhile.
    pub is_last: bool,
}

/// Names one [`Fetch`] of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FetchId(pub u32);

/// The answer to a [`Fetch`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Response<'a> {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: &'a str,
}

/// A frame to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transmit {
    /// A text frame.
    Text(String),
    /// A binary frame.
    Binary(Bytes),
}

/// A frame that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A text frame.
    Text(&'a str),
    /// A binary frame.
    Binary(&'a [u8]),
}

/// What to do about the lock of the stored queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockChange {
    /// Ask for it. When it is held, read the stored queue again ([`crate::Client::handle_restored`]), then call
    /// [`crate::Client::handle_lock`].
    Acquire,
    /// Give it back, or stop asking.
    Release,
}

/// The next deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timeout {
    /// When, on [`crate::Now::monotonic_ms`].
    pub at_ms: u64,
    /// What ends then.
    pub reason: TimeoutReason,
}

/// What ends at a deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TimeoutReason {
    /// The application has not answered with a token.
    Token,
    /// The transport has not opened.
    Open,
    /// The server has not said `connected`.
    Greeting,
    /// The next attempt to connect is due.
    Retry,
    /// The connection has lived long enough to forget the attempts before it.
    Settled,
    /// A heartbeat is due.
    Heartbeat,
    /// A heartbeat was not answered.
    Pong,
    /// The server's own pings have stopped.
    Ping,
    /// A request was not answered.
    Request,
    /// Messages waited long enough behind a gap.
    Gap,
    /// A subscription that was refused for the moment is due again.
    Resubscribe,
    /// A queued message expires.
    QueueExpiry,
    /// A WebSocket is due to be tried, or does not take a polled session over in time.
    Upgrade,
    /// The queue may be sent again after the server asked to wait.
    QueueRetry,
    /// The lock of the stored queue was waited for long enough.
    Lock,
    /// A tab behind this one's connection has been silent for too long, or this one begins to lead.
    Tab,
}
