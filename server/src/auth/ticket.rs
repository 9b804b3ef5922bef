//! Tickets: what opens one connection, once, within half a minute (SPEC §2).
//!
//! A WebSocket's address ends up in logs of proxies and in histories of browsers. A ticket in it is worth nothing
//! by the time somebody reads it there; a token would be worth its minutes. Tickets are random, kept here, and no
//! JWTs, so they never pass for tokens, nor tokens for them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, MutexGuard};

use bmt_shared::error::AuthReason;

use super::{Authenticator, Identity};
use crate::random;

/// How long a ticket holds, ms (SPEC §2).
pub const TICKET_MS: u64 = 30_000;
/// Tickets of everybody that are not used yet: some tens of megabytes. Beyond it new ones are refused; in half a
/// minute there is room.
const MOST: usize = 50_000;
/// Tickets of one user that are not used yet: as many connections as one may have by default.
const MOST_OF_USER: usize = 50;
/// Longer texts are no tickets.
const TICKET_BYTES: usize = 64;

/// Too many tickets wait to be used. Come back in half a minute.
#[derive(Debug, PartialEq, Eq)]
pub struct TooManyTickets;

/// Tickets that were not used yet.
#[derive(Default)]
pub(super) struct Tickets(Mutex<Held>);

#[derive(Default)]
struct Held {
    by_text: HashMap<String, (Identity, u64)>,
    /// How many each user holds.
    of_user: HashMap<String, usize>,
}

impl Tickets {
    fn issue(&self, identity: Identity, now_ms: u64) -> Result<String, TooManyTickets> {
        let mut held = self.lock();
        let user = identity.user.user_id.as_str().to_owned();
        let of_user = |held: &Held| held.of_user.get(&user).copied().unwrap_or(0);
        if held.by_text.len() >= MOST || of_user(&held) >= MOST_OF_USER {
            held.sweep(now_ms);
            if held.by_text.len() >= MOST || of_user(&held) >= MOST_OF_USER {
                return Err(TooManyTickets);
            }
        }
        let text = random::text::<24>();
        held.by_text.insert(text.clone(), (identity, now_ms + TICKET_MS));
        *held.of_user.entry(user).or_default() += 1;
        Ok(text)
    }

    fn take(&self, text: &str, now_ms: u64) -> Option<Identity> {
        let mut held = self.lock();
        let (identity, ends_ms) = held.by_text.remove(text)?;
        held.release(identity.user.user_id.as_str());
        (now_ms < ends_ms).then_some(identity)
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.lock().expect("no panic while it is held")
    }
}

impl Held {
    fn sweep(&mut self, now_ms: u64) {
        let mut gone = Vec::new();
        self.by_text.retain(|_, (identity, ends_ms)| {
            let holds = now_ms < *ends_ms;
            if !holds {
                gone.push(identity.user.user_id.clone());
            }
            holds
        });
        for user in gone {
            self.release(user.as_str());
        }
    }

    fn release(&mut self, user: &str) {
        if let Entry::Occupied(mut count) = self.of_user.entry(user.to_owned()) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

impl Authenticator {
    /// A ticket that opens one connection of this identity. What it opens ends when the identity's token does.
    ///
    /// # Errors
    /// Where too many wait to be used.
    pub fn issue_ticket(&self, identity: Identity, now_ms: u64) -> Result<String, TooManyTickets> {
        self.tickets.issue(identity, now_ms)
    }

    /// Uses a ticket up.
    ///
    /// # Errors
    /// `malformed` for what cannot be one; `expired` for one that was used, has ended or never was: a new one
    /// helps; else as the identity is judged now.
    pub fn redeem(&self, ticket: &str, now_ms: u64) -> Result<Identity, AuthReason> {
        if ticket.is_empty() || ticket.len() > TICKET_BYTES {
            return Err(AuthReason::Malformed);
        }
        let mut identity = self.tickets.take(ticket, now_ms).ok_or(AuthReason::Expired)?;
        if identity.expires_at_ms.is_some_and(|ends_ms| now_ms >= ends_ms) {
            return Err(AuthReason::Expired);
        }
        identity.user.role = self.judge(&identity.user.user_id, &identity.grant)?;
        Ok(identity)
    }
}

#[cfg(test)]
mod tests {
    use super::super::guest::new_guest;
    use super::*;

    #[test]
    fn a_ticket_is_used_once_and_in_time() {
        let tickets = Tickets::default();
        let first = tickets.issue(new_guest(), 0).unwrap();
        let second = tickets.issue(new_guest(), 0).unwrap();
        assert_ne!(first, second);
        assert!(tickets.take(&first, TICKET_MS - 1).is_some());
        assert!(tickets.take(&first, TICKET_MS - 1).is_none(), "used twice");
        assert!(tickets.take(&second, TICKET_MS).is_none(), "too late");
        let held = tickets.lock();
        assert!(held.by_text.is_empty() && held.of_user.is_empty());
    }

    #[test]
    fn a_user_who_hoards_tickets_keeps_nobody_else_from_theirs() {
        let tickets = Tickets::default();
        let hoarder = new_guest();
        for _ in 0..MOST_OF_USER {
            tickets.issue(hoarder.clone(), 0).unwrap();
        }
        assert_eq!(tickets.issue(hoarder.clone(), 1), Err(TooManyTickets));
        assert!(tickets.issue(new_guest(), 1).is_ok());
        assert!(
            tickets.issue(hoarder, TICKET_MS).is_ok(),
            "room again once they ended"
        );
    }
}
