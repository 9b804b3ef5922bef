//! The connections that live on this node: for limits, kicks and the way out.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::http::StatusCode;
use axum::response::Response;
use bmt_shared::error::{ErrorCode, Failure};
use bmt_shared::id::{ConnectionId, UserId};
use tokio::sync::Notify;

use super::Connection;
use super::handshake::refusal;
use crate::http::address::network;

/// How many connections may live at once. 0 is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// On this node.
    pub connections: usize,
    /// Of one user.
    pub per_user: usize,
    /// From one address.
    pub per_address: usize,
}

/// Why a handshake is refused before anything else is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// The node has as many connections as it may have, or is about to stop.
    Node,
    /// The address has.
    Address,
}

impl Full {
    /// The setting that is reached, and the status of the refusal.
    pub(super) fn told(self) -> (&'static str, u16) {
        match self {
            Self::Node => ("connections", 503),
            Self::Address => ("connections_per_address", 429),
        }
    }

    /// The handshake's answer: official clients come back after it, by their own backoff.
    pub(super) fn response(self) -> Response {
        let (status, message) = match self {
            Self::Node => (
                StatusCode::SERVICE_UNAVAILABLE,
                "the server is full or stopping; come back later",
            ),
            Self::Address => (
                StatusCode::TOO_MANY_REQUESTS,
                "too many connections from your address; close some, or come back later",
            ),
        };
        let failure = Failure::new(ErrorCode::RateLimited, message).retry_after(1_000);
        refusal(status, &failure)
    }
}

/// See the [module](self).
#[derive(Clone)]
pub struct Live(Arc<Inner>);

struct Inner {
    // A lock and not a task: counted a few times in a connection's life, each a few instructions.
    state: Mutex<State>,
    /// Told whenever a connection or a seat goes.
    left: Notify,
}

struct State {
    capacity: Capacity,
    connections: HashMap<ConnectionId, Arc<Connection>>,
    per_user: HashMap<UserId, Vec<ConnectionId>>,
    per_address: HashMap<IpAddr, usize>,
    seats: usize,
    stopping: bool,
}

/// One transport's place among the connections of the node and of its address; dropping it gives the place back.
pub struct Seat {
    live: Live,
    address: IpAddr,
}

impl Live {
    /// No connections yet.
    #[must_use]
    pub fn new(capacity: Capacity) -> Self {
        Self(Arc::new(Inner {
            state: Mutex::new(State {
                capacity,
                connections: HashMap::new(),
                per_user: HashMap::new(),
                per_address: HashMap::new(),
                seats: 0,
                stopping: false,
            }),
            left: Notify::new(),
        }))
    }

    /// Takes a place for a transport that is about to open.
    ///
    /// # Errors
    /// Where there is none; the handshake is refused and may be tried again later.
    pub fn seat(&self, address: IpAddr) -> Result<Seat, Full> {
        let mut state = self.lock();
        let Capacity {
            connections,
            per_address,
            ..
        } = state.capacity;
        let address = network(address);
        if state.stopping || (connections > 0 && state.seats >= connections) {
            return Err(Full::Node);
        }
        let taken = state.per_address.entry(address).or_default();
        if per_address > 0 && *taken >= per_address {
            return Err(Full::Address);
        }
        *taken += 1;
        state.seats += 1;
        Ok(Seat {
            live: self.clone(),
            address,
        })
    }

    /// Enters an authenticated connection; `false` where its user has as many as one may have.
    pub(super) fn enter(&self, connection: &Arc<Connection>, user: &UserId) -> bool {
        let mut state = self.lock();
        let per_user = state.capacity.per_user;
        // Most users have one: no room is kept for more.
        let theirs = state
            .per_user
            .entry(user.clone())
            .or_insert_with(|| Vec::with_capacity(1));
        if per_user > 0 && theirs.len() >= per_user {
            return false;
        }
        theirs.push(connection.id().clone());
        state
            .connections
            .insert(connection.id().clone(), connection.clone());
        true
    }

    /// Takes a connection out again; one that never entered is no fault.
    pub(super) fn leave(&self, id: &ConnectionId, user: &UserId) {
        let mut state = self.lock();
        if state.connections.remove(id).is_none() {
            return;
        }
        if let Some(theirs) = state.per_user.get_mut(user) {
            theirs.retain(|other| other != id);
            if theirs.is_empty() {
                state.per_user.remove(user);
            }
        }
        drop(state);
        self.0.left.notify_waiters();
    }

    /// The connection of this name.
    #[must_use]
    pub fn get(&self, id: &ConnectionId) -> Option<Arc<Connection>> {
        self.lock().connections.get(id).cloned()
    }

    /// All connections.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Connection>> {
        self.lock().connections.values().cloned().collect()
    }

    /// The connections of one user.
    #[must_use]
    pub fn of_user(&self, user: &UserId) -> Vec<Arc<Connection>> {
        let state = self.lock();
        let theirs = state.per_user.get(user).map_or(&[][..], Vec::as_slice);
        let connections = theirs.iter().filter_map(|id| state.connections.get(id));
        connections.cloned().collect()
    }

    /// How many connections there are, and how many transports, the ones without a user included.
    #[must_use]
    pub fn count(&self) -> (usize, usize) {
        let state = self.lock();
        (state.connections.len(), state.seats)
    }

    /// How many users have a connection.
    #[must_use]
    pub fn users(&self) -> usize {
        self.lock().per_user.len()
    }

    /// Lets in so many from now on. Who is there stays.
    pub fn set_capacity(&self, capacity: Capacity) {
        self.lock().capacity = capacity;
    }

    /// From now on nobody is let in.
    pub fn stop(&self) {
        self.lock().stopping = true;
    }

    /// Waits until all transports are gone.
    pub async fn emptied(&self) {
        loop {
            let left = self.0.left.notified();
            tokio::pin!(left);
            // Registered before the look, so that what goes between the look and the wait is not missed.
            left.as_mut().enable();
            if self.count() == (0, 0) {
                return;
            }
            left.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0
            .state
            .lock()
            .expect("no code panics while it holds the connections")
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut state = self.live.lock();
        state.seats -= 1;
        release(&mut state.per_address, &self.address);
        drop(state);
        self.live.0.left.notify_waiters();
    }
}

fn release<K: std::hash::Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn seats_are_limited_and_given_back() {
        let live = Live::new(Capacity {
            connections: 2,
            per_user: 0,
            per_address: 1,
        });
        let first = live.seat(HOME).ok().unwrap();
        assert_eq!(live.seat(HOME).err(), Some(Full::Address));
        let second = live.seat([10, 0, 0, 1].into()).ok().unwrap();
        assert_eq!(live.seat([10, 0, 0, 2].into()).err(), Some(Full::Node));
        drop((first, second));
        let ipv6 = live.seat("2001:db8::1".parse().unwrap()).ok().unwrap();
        let neighbour = live.seat("2001:db8::2".parse().unwrap());
        assert_eq!(
            neighbour.err(),
            Some(Full::Address),
            "one network of one customer"
        );
        drop(ipv6);
        assert!(live.seat(HOME).is_ok());
        assert_eq!(live.count(), (0, 0));
        live.stop();
        assert_eq!(live.seat(HOME).err(), Some(Full::Node));
    }
}
