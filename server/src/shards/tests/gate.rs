//! A store in memory that answers when it is told to, and fails when it is told to.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bmt_server_core::channel::{Entry, Opened, Page, Read, Retention, Traced};
use bmt_shared::channel::ChannelName;

use crate::history::{Batch, Done, Erasure, Histories, History, Known, Listing, MemoryHistory, StoreFailure};

type Held = Box<dyn FnOnce() + Send>;

/// See the [module](self).
pub(super) struct Gate {
    inner: Arc<MemoryHistory>,
    is_shut: AtomicBool,
    is_failing: AtomicBool,
    held: Mutex<Vec<Held>>,
    term: AtomicU64,
    pub(super) opened: AtomicUsize,
    pub(super) read: AtomicUsize,
    pub(super) released: AtomicUsize,
    pub(super) closed: AtomicBool,
}

impl Gate {
    pub(super) fn new() -> (Arc<Self>, Histories) {
        let gate = Arc::new(Self {
            inner: Arc::new(MemoryHistory::new(super::WINDOW_MS)),
            is_shut: AtomicBool::new(false),
            is_failing: AtomicBool::new(false),
            held: Mutex::default(),
            term: AtomicU64::new(0),
            opened: AtomicUsize::new(0),
            read: AtomicUsize::new(0),
            released: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
        });
        let memory = Arc::new(MemoryHistory::new(super::WINDOW_MS));
        (gate.clone(), Histories::new(gate, memory))
    }

    /// From now on answers are held back.
    pub(super) fn shut(&self) {
        self.is_shut.store(true, Ordering::SeqCst);
    }

    /// Gives the answers that were held back, in their order, and holds no more.
    pub(super) fn open_up(&self) {
        self.is_shut.store(false, Ordering::SeqCst);
        for answer in std::mem::take(&mut *self.held.lock().unwrap()) {
            answer();
        }
    }

    /// How many answers are held back.
    pub(super) fn held(&self) -> usize {
        self.held.lock().unwrap().len()
    }

    pub(super) fn fail(&self, is_failing: bool) {
        self.is_failing.store(is_failing, Ordering::SeqCst);
    }

    fn answer(&self, answer: impl FnOnce() + Send + 'static) {
        if self.is_shut.load(Ordering::SeqCst) {
            self.held.lock().unwrap().push(Box::new(answer));
        } else {
            answer();
        }
    }

    fn failure(&self, term: u64) -> Option<StoreFailure> {
        let known = self.term.load(Ordering::SeqCst);
        if !self.is_failing.load(Ordering::SeqCst) && term >= known {
            return None;
        }
        Some(StoreFailure {
            term: known,
            incident: "planted".into(),
            retry_after_ms: 7,
            is_damage: false,
        })
    }
}

impl History for Gate {
    fn open(&self, topic: ChannelName, retention: Retention, now_ms: u64, done: Done<Opened>) {
        self.opened.fetch_add(1, Ordering::SeqCst);
        let inner = self.inner.clone();
        let failure = self.failure(u64::MAX);
        self.answer(move || match failure {
            Some(failure) => done(Err(failure)),
            None => inner.open(topic, retention, now_ms, done),
        });
    }

    fn append(&self, batch: Batch) {
        if self.is_failing.load(Ordering::SeqCst) {
            self.term.fetch_add(1, Ordering::SeqCst);
        }
        let inner = self.inner.clone();
        let failure = self.failure(batch.term);
        self.answer(move || match failure {
            Some(failure) => (batch.done)(Err(failure)),
            None => inner.append(batch),
        });
    }

    fn read(&self, read: Read, done: Done<Page>) {
        self.read.fetch_add(1, Ordering::SeqCst);
        let inner = self.inner.clone();
        self.answer(move || inner.read(read, done));
    }

    fn list(&self, listing: Listing, done: Done<Vec<Known>>) {
        let inner = self.inner.clone();
        self.answer(move || inner.list(listing, done));
    }

    fn erase(&self, erasure: Erasure, done: Done<u64>) {
        let inner = self.inner.clone();
        let failure = self.failure(u64::MAX);
        self.answer(move || match failure {
            Some(failure) => done(Err(failure)),
            None => inner.erase(erasure, done),
        });
    }

    fn remembered_of(&self, traced: &Traced) -> Vec<Arc<Entry>> {
        self.inner.remembered_of(traced)
    }

    fn release(&self, _: &ChannelName) {
        self.released.fetch_add(1, Ordering::SeqCst);
    }

    fn is_writable(&self) -> bool {
        !self.is_failing.load(Ordering::SeqCst)
    }

    fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }
}
