//! Handshakes that were refused, on their way into the audit log.
//!
//! A flood of them is a few rows: who is refused again for the same reason within a minute is counted, and the count
//! is one more row. Whatever is tried, at most [`KINDS`] rows and a few come of a minute.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bmt_shared::id::UserId;
use tokio::time::MissedTickBehavior;
use tracing::error;

use super::{Actor, AuditEntry, Outcome, Records};
use crate::clock;
use crate::shutdown::Shutdown;

/// What a refused handshake is called in the audit log.
const ACT: &str = "connection.open";
/// For so long what is alike becomes one row, ms.
const WINDOW_MS: u64 = 60_000;
/// Different addresses, users and reasons that are told apart at once; beyond that only the reason is.
const KINDS: usize = 256;
/// How often rows are written.
const WRITE_EVERY: Duration = Duration::from_secs(1);

/// Somebody was not let in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Denied {
    /// From where; none stands for many.
    pub address: Option<IpAddr>,
    /// Who, where that is proven.
    pub user: Option<UserId>,
    /// Such as `expired`, `foreign_origin` or `connections_per_address`.
    pub reason: &'static str,
    /// The HTTP status, or what it would be.
    pub status: u16,
}

/// See the [module](self). Clones are the same.
#[derive(Clone, Default)]
pub struct Denials(
    // A few instructions for each handshake that is refused; never held over a wait.
    Arc<Mutex<HashMap<Denied, Count>>>,
);

#[derive(Clone, Copy, Debug)]
struct Count {
    /// Not written yet.
    times: u32,
    /// When the next row may be written.
    due_ms: u64,
}

impl Denials {
    /// Writes what is noted until the server stops, and then what is left.
    #[must_use]
    pub fn start(records: Records, shutdown: &Shutdown) -> Self {
        let denials = Self::default();
        let (noted, end) = (denials.clone(), shutdown.clone());
        shutdown.spawn(async move {
            let mut ticks = tokio::time::interval(WRITE_EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                let now_ms = clock::unix_ms();
                let (due, stops) = tokio::select! {
                    _ = ticks.tick() => (noted.take(now_ms), false),
                    () = end.begun() => (noted.take(u64::MAX), true),
                };
                for (denied, times) in due {
                    write(&records, denied, times, now_ms).await;
                }
                if stops {
                    return;
                }
            }
        });
        denials
    }

    /// Notes one. Never waits.
    pub fn note(&self, denied: Denied) {
        let mut all = self.lock();
        let denied = if all.len() < KINDS || all.contains_key(&denied) {
            denied
        } else {
            // Of these there are as many as there are reasons.
            Denied {
                address: None,
                user: None,
                ..denied
            }
        };
        let count = all.entry(denied).or_insert(Count { times: 0, due_ms: 0 });
        count.times = count.times.saturating_add(1);
    }

    /// What is to be written now.
    fn take(&self, now_ms: u64) -> Vec<(Denied, u32)> {
        let mut due = Vec::new();
        self.lock().retain(|denied, count| {
            if now_ms < count.due_ms {
                return true;
            }
            if count.times == 0 {
                return false;
            }
            due.push((denied.clone(), count.times));
            *count = Count {
                times: 0,
                due_ms: now_ms.saturating_add(WINDOW_MS),
            };
            true
        });
        due
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Denied, Count>> {
        self.0.lock().expect("no code panics while it holds the denials")
    }
}

async fn write(records: &Records, denied: Denied, times: u32, now_ms: u64) {
    let actor = denied
        .user
        .map_or(Actor::Unknown, |user| Actor::User(user.as_str().to_owned()));
    let entry = AuditEntry {
        at_ms: now_ms,
        actor,
        act: ACT.to_owned(),
        target: denied.reason.to_owned(),
        outcome: Outcome::Denied,
        status: denied.status,
        address: denied.address,
        request: String::new(),
        times,
    };
    if let Err(error) = records.note(entry).await {
        error!(%error, reason = denied.reason, times, "the audit log could not be written");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denied(at: u32, reason: &'static str) -> Denied {
        Denied {
            address: Some(IpAddr::from(at.to_be_bytes())),
            user: None,
            reason,
            status: 401,
        }
    }

    #[test]
    fn the_first_is_written_at_once_and_a_minute_of_more_is_one_row() {
        let denials = Denials::default();
        denials.note(denied(1, "expired"));
        denials.note(denied(1, "missing"));
        assert_eq!(denials.take(1_000).len(), 2);
        for _ in 0..5_000 {
            denials.note(denied(1, "expired"));
        }
        assert!(denials.take(1_000 + WINDOW_MS - 1).is_empty());
        assert_eq!(denials.take(1_000 + WINDOW_MS), [(denied(1, "expired"), 5_000)]);
        assert!(denials.take(1_000 + 2 * WINDOW_MS).is_empty());
        assert!(denials.lock().is_empty(), "what is quiet is forgotten");
    }

    #[test]
    fn a_flood_from_everywhere_is_a_bounded_number_of_rows() {
        let denials = Denials::default();
        for at in 0..100_000 {
            denials.note(denied(at, if at % 2 == 0 { "expired" } else { "missing" }));
        }
        let rows = denials.take(1);
        assert_eq!(rows.len(), KINDS + 2);
        let times: u64 = rows.iter().map(|(_, times)| u64::from(*times)).sum();
        assert_eq!(times, 100_000, "and all are counted");
    }
}
