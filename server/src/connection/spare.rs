//! A buffer for whoever writes next on this thread: a connection that has nothing to write holds none.

use std::cell::Cell;

/// A buffer larger than this is not kept.
const KEEP_BYTES: usize = 32 * 1_024;

thread_local! {
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Takes the thread's buffer; it is empty.
pub(super) fn take() -> Vec<u8> {
    SPARE.take()
}

/// Gives a buffer back that was written.
pub(super) fn give_back(mut buffer: Vec<u8>) {
    if buffer.capacity() <= KEEP_BYTES {
        buffer.clear();
        SPARE.set(buffer);
    }
}
