//! The history checker: what clients recorded while things broke, held against what is promised (FAULTS, SPEC §5).
//!
//! Every test client writes [`Record`]s as JSON lines: publishes begun and ended, messages delivered, subscriptions
//! answered. Afterwards the harness adds what the store holds. [`check`] takes all of it and answers every
//! [`Violation`] of ten invariants, each with its ids, seqs and lines:
//!
//! - **(A)** a publish that was acked is in the store, and in the list of every subscriber whose window covers it;
//! - **(B)** a publish that was refused is nowhere;
//! - **(C)** an id has one seq;
//! - **(D)** seqs are contiguous per epoch;
//! - **(E)** a subscriber's list is strictly ascending and contiguous, except across an explicit `recovered: false`
//!   or `gap`;
//! - **(F)** the same epoch and seq is the same id for everybody;
//! - **(G)** what one connection publishes on a channel is numbered in the order of publishing;
//! - **(H)** a publish begun after another's ack on the same channel has the greater seq;
//! - **(I)** a `recovered: true` has no hole;
//! - **(J)** nobody was delivered what they may not read.
//!
//! # The contract
//!
//! - The records of one client are in one file, in the order in which it saw things. Files may come in any order.
//! - `at_us` is one monotonic clock for all clients; only (H) compares it between clients. A publish is recorded
//!   before it is sent, its end after the reply was read.
//! - An id is the publisher's `messageId`, or the server's id where there is none. It is published once: a retry
//!   with the same key is the same publish.
//! - Every publish ends with `ok`, `fail` (certainly not done) or `info` (nobody knows). One that never ends counts
//!   as `info`.
//! - `deliver` is what the client handed to its application, not what crossed the wire twice.
//! - Without a `store` record of a channel nothing is said about its store.
//!
//! The crate reads no file and no clock; its program does.
//!
//! ```
//! use bmt_histcheck::{Invariant, check, read};
//!
//! let records = read("p.jsonl", r#"
//! {"at_us":1,"wall_ms":0,"client":"p","event":{"kind":"invoke","id":"m1","channel":"public:a","body":"1"}}
//! {"at_us":2,"wall_ms":0,"client":"p","event":{"kind":"ok","id":"m1","channel":"public:a","seq":1}}
//! {"at_us":3,"wall_ms":0,"client":"h","event":{"kind":"store","channel":"public:a","epoch":"e","oldest":1,"top":0}}
//! "#)?;
//! let violations = check(&records);
//! assert_eq!(violations[0].invariant, Invariant::A);
//! assert!(violations[0].to_string().contains("m1"));
//! # Ok::<(), bmt_histcheck::UnreadableLine>(())
//! ```

mod check;
mod history;
mod record;
mod violation;

pub use check::check;
pub use record::{Event, Place, Placed, Record, UnreadableLine, read};
pub use violation::{Invariant, Violation};
