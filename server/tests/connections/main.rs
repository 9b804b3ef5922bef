//! The realtime endpoints over real sockets, spoken to frame by frame: what no official client would send too.

#![expect(clippy::unwrap_used, reason = "what fails here fails a test")]

mod backlogs;
mod budgets;
mod bytes;
mod capabilities;
mod closings;
mod covers;
mod frames;
mod gaps;
mod handshakes;
mod identities;
mod interleavings;
mod lifetimes;
mod limits;
mod members;
mod namespaces;
mod permissions;
mod protocol;
mod raw;
mod raw_batches;
mod raw_words;
mod revocation;
mod sessions;
mod slow;
mod stalls;
mod streams;
mod support;
#[path = "../tables/permissions.rs"]
mod tables;
mod talker;
