//! The browser driver: sockets, timers, storage and locks around client/core.
