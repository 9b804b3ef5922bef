//! The browser driver: sockets, timers, storage and locks around client/core.

mod clock;
mod global;
mod locks;
mod page;
mod pending;
mod promise;
mod socket;
mod storage;
mod timer;
mod token;
