//! One Engine.IO session as this side of the library sees it: its place, its way, its end.
//!
//! The library keeps its sessions to itself: they cannot be closed one by one from outside, and their buffers
//! cannot be looked into. A [`Transport`] travels in the extensions of the request that opened the session and is
//! dropped with it; beside it stands what the stream below ([`super::stream`]) tells and is told.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, Weak};
use std::task::Waker;
use std::time::Duration;

use bmt_shared::close::CloseCode;
use bmt_shared::event::Closing;
use tokio::sync::Notify;

use super::super::{Connection, Seat};
use super::frames::Passed;
use super::outflow::Outlet;

/// Packets that may wait in the library's buffer. The rest of [`PACKETS_BUFFERED`] is left for its own packets:
/// a ping that finds the buffer full ends the session.
const WINDOW_PACKETS: usize = 256;
/// Bytes that may wait in the library's buffer; one polling response carries more, so each empties it.
const WINDOW_BYTES: usize = 64 * 1_024;
/// The library's buffer per session, in packets. It allocates by use.
pub(super) const PACKETS_BUFFERED: usize = 4 * WINDOW_PACKETS;

/// CONNECTs of one session, those of namespaces that are not there and of users who are not let in included. An
/// official client sends one, and one more each time its owner tries another token on the same transport.
const CONNECTS_MAX: usize = 32;

/// Whether the stream below writes a connection's outbox by itself.
enum Direct {
    Off,
    On(Arc<Connection>),
    /// It has met what it cannot do: this close, or an overflow.
    Returned(Option<Closing>),
}

/// See the [module](self).
pub(super) struct Transport {
    sessions: Sessions,
    /// The session's private id; known here for sessions that began as polling, and never shown to anybody.
    sid: OnceLock<Box<str>>,
    /// Whether an upgrade to a WebSocket has begun, or none is possible.
    upgrading: AtomicBool,
    /// Whether a WebSocket carries the session or is about to.
    on_websocket: AtomicBool,
    /// The stream below reads as ended: the library closes the session when what waits is written.
    ended: AtomicBool,
    wakers: Mutex<Wakers>,
    packets: AtomicUsize,
    bytes: AtomicUsize,
    /// Told when the window has emptied.
    drained: Notify,
    /// Packets of connections that the library was handed, and that were seen leaving it; binary parts are packets.
    handed: AtomicUsize,
    passed: AtomicUsize,
    /// CONNECTs that were answered, with whatever answer.
    connects: AtomicUsize,
    /// Told when what was handed has passed.
    settled: Notify,
    direct: Mutex<Direct>,
    outlet: Arc<Outlet>,
    /// Told when the stream has given a connection back.
    returned: Notify,
    /// The connection that the session carries, once it has a user.
    connection: Mutex<Option<Arc<Connection>>>,
    /// The place among the node's connections, until the session is over. (The library keeps what is left of a
    /// session that never had a user until the time for that is up.)
    seat: Mutex<Option<Seat>>,
}

/// Who is told of the end: the tasks that read and write the stream below. The reader writes outboxes too.
#[derive(Default)]
struct Wakers {
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Transport {
    pub(super) fn new(sessions: &Sessions, seat: Seat, on_websocket: bool) -> Arc<Self> {
        Arc::new(Self {
            sessions: sessions.clone(),
            sid: OnceLock::new(),
            upgrading: AtomicBool::new(on_websocket),
            on_websocket: AtomicBool::new(on_websocket),
            ended: AtomicBool::new(false),
            wakers: Mutex::default(),
            packets: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            drained: Notify::new(),
            handed: AtomicUsize::new(0),
            passed: AtomicUsize::new(0),
            connects: AtomicUsize::new(0),
            settled: Notify::new(),
            direct: Mutex::new(Direct::Off),
            outlet: Arc::default(),
            returned: Notify::new(),
            connection: Mutex::new(None),
            seat: Mutex::new(Some(seat)),
        })
    }

    /// For how long nothing is to be read of what the peer sends.
    pub(super) fn pause(&self) -> Option<Duration> {
        self.connection().as_ref()?.pause()
    }

    /// Something came from the peer or went to it.
    pub(super) fn note_traffic(&self) {
        if let Some(connection) = self.connection().as_ref() {
            connection.note_traffic();
        }
    }

    /// Names the session, so that its further requests find this transport.
    pub(super) fn name(self: &Arc<Self>, sid: &str) {
        if self.sid.set(sid.into()).is_ok() {
            self.sessions.lock().insert(sid.into(), Arc::downgrade(self));
        }
    }

    /// The session's private id.
    pub(super) fn sid(&self) -> Option<&str> {
        self.sid.get().map(AsRef::as_ref)
    }

    /// Begins the upgrade to a WebSocket; `false` where one has begun before. The library would let a second one
    /// wait for the first, then close the healthy session.
    pub(super) fn begin_upgrade(&self) -> bool {
        !self.upgrading.swap(true, Ordering::AcqRel)
    }

    /// The session stays on polling, and may be upgraded another time.
    pub(super) fn give_up_upgrade(&self) {
        self.upgrading.store(false, Ordering::Release);
    }

    /// From now on a WebSocket carries the session.
    pub(super) fn enter_websocket(&self) {
        self.on_websocket.store(true, Ordering::Release);
    }

    pub(super) fn is_on_websocket(&self) -> bool {
        self.on_websocket.load(Ordering::Acquire)
    }

    /// Makes the stream below read as ended.
    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::Release);
        let Wakers { reader, writer } = std::mem::take(&mut *self.wakers());
        reader.into_iter().chain(writer).for_each(Waker::wake);
    }

    pub(super) fn is_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Wakes `waker` when the stream is to end, or to write an outbox.
    pub(super) fn wake_reader_with(&self, waker: &Waker) {
        keep(&mut self.wakers().reader, waker);
    }

    /// Wakes `waker`, of a write that waits, when the stream is to end.
    pub(super) fn wake_writer_with(&self, waker: &Waker) {
        keep(&mut self.wakers().writer, waker);
    }

    /// Whether one more packet may be handed to the library.
    pub(super) fn has_room(&self) -> bool {
        let packets = self.packets.load(Ordering::Acquire);
        packets < WINDOW_PACKETS && self.bytes.load(Ordering::Acquire) < WINDOW_BYTES
    }

    /// A packet was handed to the library.
    pub(super) fn fill(&self, bytes: usize) {
        self.packets.fetch_add(1, Ordering::AcqRel);
        self.bytes.fetch_add(bytes, Ordering::AcqRel);
    }

    /// What was handed to the library is on its way.
    pub(super) fn drain(&self) {
        if self.packets.swap(0, Ordering::AcqRel) > 0 {
            self.bytes.store(0, Ordering::Release);
            self.drained.notify_one();
        }
    }

    /// Whether anything handed to the library is still there.
    pub(super) fn is_drained(&self) -> bool {
        self.packets.load(Ordering::Acquire) == 0
    }

    /// Waits until the window has emptied. One writer waits at a time.
    pub(super) async fn drained(&self) {
        self.drained.notified().await;
    }

    /// So many packets are about to be handed to the library.
    pub(super) fn hand(&self, packets: usize) {
        self.handed.fetch_add(packets, Ordering::AcqRel);
    }

    /// So much was seen leaving the library.
    pub(super) fn pass(&self, seen: Passed) {
        if seen.packets > 0 {
            self.passed.fetch_add(seen.packets, Ordering::AcqRel);
            if self.is_settled() {
                self.settled.notify_one();
            }
        }
        if seen.connects > 0 {
            let before = self.connects.fetch_add(seen.connects, Ordering::AcqRel);
            self.limit_connects(before, before + seen.connects);
        }
    }

    /// Closes a session that asks to be connected again and again: one that is connected is told why, and has as
    /// many CONNECTs again to hear of it.
    fn limit_connects(&self, before: usize, now: usize) {
        if now <= CONNECTS_MAX {
            return;
        }
        match self.carried() {
            Some(connection) if now <= 2 * CONNECTS_MAX => {
                if before <= CONNECTS_MAX {
                    connection.close(CloseCode::Policy, "too_many_connects", None);
                }
            }
            _ => self.end(),
        }
    }

    /// Waits until nothing of connections is in the library any more; `false` where that takes too long.
    pub(super) async fn settled(&self, limit: Duration) -> bool {
        let settled = async {
            while !self.is_settled() {
                self.settled.notified().await;
            }
        };
        tokio::time::timeout(limit, settled).await.is_ok()
    }

    fn is_settled(&self) -> bool {
        self.handed.load(Ordering::Acquire) == self.passed.load(Ordering::Acquire)
    }

    /// Where the frames of the session's WebSocket leave.
    pub(super) fn outlet(&self) -> &Arc<Outlet> {
        &self.outlet
    }

    /// From now on the stream writes what this connection's outbox holds. Nothing of it may be in the library.
    pub(super) fn begin_direct(&self, connection: Arc<Connection>) {
        connection.outbox.attach(self.outlet.clone());
        *self.direct() = Direct::On(connection);
        let reader = self.wakers().reader.take();
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// The connection is over: the stream no longer looks at its outbox.
    pub(super) fn stop_direct(&self, connection: &Arc<Connection>) {
        let mut direct = self.direct();
        if matches!(&*direct, Direct::On(current) if Arc::ptr_eq(current, connection)) {
            *direct = Direct::Off;
        }
    }

    /// The connection whose outbox the stream writes.
    pub(super) fn direct_connection(&self) -> Option<Arc<Connection>> {
        match &*self.direct() {
            Direct::On(connection) => Some(connection.clone()),
            Direct::Off | Direct::Returned(_) => None,
        }
    }

    /// The stream has met a close, or an overflow, which is the writer's to deal with.
    pub(super) fn give_back(&self, closing: Option<Closing>) {
        *self.direct() = Direct::Returned(closing);
        self.returned.notify_one();
    }

    /// Waits for [`Self::give_back`].
    pub(super) async fn given_back(&self) -> Option<Closing> {
        loop {
            self.returned.notified().await;
            if let Direct::Returned(closing) = &mut *self.direct() {
                return closing.take();
            }
        }
    }

    /// The close that [`Self::give_back`] brought, if it did and nobody has taken it.
    pub(super) fn take_returned(&self) -> Option<Closing> {
        match &mut *self.direct() {
            Direct::Returned(closing) => closing.take(),
            Direct::Off | Direct::On(_) => None,
        }
    }

    /// Gives the place among the node's connections back: the session is over.
    pub(super) fn leave(&self) {
        let mut seat = self.seat.lock().expect("no code panics while it holds the seat");
        drop(seat.take());
    }

    /// Notes which connection the session carries: its CONNECT is about to be answered. A client may leave the
    /// namespace and come back on one session.
    pub(super) fn carry(&self, connection: Arc<Connection>) {
        self.hand(1);
        *self.connection() = Some(connection);
    }

    pub(super) fn carried(&self) -> Option<Arc<Connection>> {
        self.connection().clone()
    }

    fn connection(&self) -> MutexGuard<'_, Option<Arc<Connection>>> {
        self.connection
            .lock()
            .expect("no code panics while it holds the connection")
    }

    fn direct(&self) -> MutexGuard<'_, Direct> {
        self.direct
            .lock()
            .expect("no code panics while it holds the connection")
    }

    fn wakers(&self) -> MutexGuard<'_, Wakers> {
        self.wakers
            .lock()
            .expect("no code panics while it holds the wakers")
    }
}

fn keep(place: &mut Option<Waker>, waker: &Waker) {
    if !place.as_ref().is_some_and(|known| known.will_wake(waker)) {
        *place = Some(waker.clone());
    }
}

impl Drop for Transport {
    fn drop(&mut self) {
        if let Some(sid) = self.sid.get() {
            self.sessions.lock().remove(sid);
        }
    }
}

/// The sessions that began as polling, by their private ids.
#[derive(Clone, Default)]
pub(super) struct Sessions(Arc<Mutex<HashMap<Box<str>, Weak<Transport>>>>);

impl Sessions {
    pub(super) fn get(&self, sid: &str) -> Option<Arc<Transport>> {
        self.lock().get(sid)?.upgrade()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Box<str>, Weak<Transport>>> {
        self.0.lock().expect("no code panics while it holds the sessions")
    }
}
