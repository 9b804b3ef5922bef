//! From where a connection came, and by which way, for those who run the server.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use axum::http::{HeaderMap, header};

use crate::telemetry::Arriving;

/// What is kept of a client's name for itself, bytes: browsers tell themselves apart within it, and each connection
/// keeps it.
const AGENT_BYTES: usize = 160;

/// By which way frames come and go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Way {
    Polling,
    WebSocket,
    Raw,
}

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) address: IpAddr,
    agent: Box<str>,
    way: AtomicU8,
    /// Of the handshake's span, where traces are exported.
    pub(super) arriving: Option<Box<Arriving>>,
}

impl Arrival {
    /// Of a Socket.IO session that begins as polling.
    pub(super) fn polling(address: IpAddr, headers: &HeaderMap) -> Arc<Self> {
        Self::new(address, headers, Way::Polling)
    }

    /// Of a Socket.IO session that begins on a WebSocket.
    pub(super) fn websocket(address: IpAddr, headers: &HeaderMap) -> Arc<Self> {
        Self::new(address, headers, Way::WebSocket)
    }

    /// Of a raw WebSocket.
    pub(super) fn raw(address: IpAddr, headers: &HeaderMap) -> Arc<Self> {
        Self::new(address, headers, Way::Raw)
    }

    fn new(address: IpAddr, headers: &HeaderMap, way: Way) -> Arc<Self> {
        let agent = headers
            .get(header::USER_AGENT)
            .and_then(|agent| agent.to_str().ok())
            .unwrap_or_default();
        Arc::new(Self {
            address,
            // A header that is text is ASCII.
            agent: agent[..agent.len().min(AGENT_BYTES)].into(),
            way: AtomicU8::new(way as u8),
            arriving: Arriving::now(),
        })
    }

    /// What the client calls itself; empty where it does not say.
    pub(super) fn agent(&self) -> &str {
        &self.agent
    }

    /// The session goes on over a WebSocket.
    pub(super) fn upgrade(&self) {
        self.way.store(Way::WebSocket as u8, Ordering::Relaxed);
    }

    /// The way's name in what administrators read.
    pub(super) fn transport(&self) -> &'static str {
        match self.way.load(Ordering::Relaxed) {
            way if way == Way::Polling as u8 => "polling",
            way if way == Way::WebSocket as u8 => "websocket",
            _ => "raw",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_is_cut_and_an_upgrade_is_told() {
        let mut headers = HeaderMap::new();
        headers.insert(header::USER_AGENT, "a".repeat(500).parse().unwrap());
        let arrival = Arrival::new([127, 0, 0, 1].into(), &headers, Way::Polling);
        assert_eq!(
            (arrival.agent().len(), arrival.transport()),
            (AGENT_BYTES, "polling")
        );
        arrival.upgrade();
        assert_eq!(arrival.transport(), "websocket");
        let silent = Arrival::new([127, 0, 0, 1].into(), &HeaderMap::new(), Way::Raw);
        assert_eq!((silent.agent(), silent.transport()), ("", "raw"));
    }
}
